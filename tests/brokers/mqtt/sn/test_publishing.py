"""Topics, publishing and subscribing of MQTT-SN clients beside those of MQTT."""

import pytest
from mockforge_brokers.access import rule_of
from mockforge_brokers.events import LimitReached, ProtocolViolated
from mockforge_brokers.limits import Limits
from mockforge_brokers.mqtt.listeners import ListenerOptions
from mockforge_brokers.mqtt.options import MqttOptions
from mockforge_brokers.mqtt.sn import messages as sn
from mockforge_brokers.mqtt.wire.packets import Publish

from ...calls import calls_of
from .device import Field

PREDEFINED = MqttOptions(sn_topics={7: "rooms/1/temp"})


def test_a_registered_topic_reaches_mqtt_clients_by_each_qos() -> None:
    field = Field()
    listener, device = field.subscriber("#", 2), field.connected()
    assert device.ask(sn.Register(1, "rooms/1")) == [sn.Regack(1, 1)]
    assert device.ask(sn.Publish(1, b"zero")) == []
    assert device.ask(sn.Publish(1, b"one", 1, message_id=2)) == [sn.Puback(1, 2)]
    assert device.ask(sn.Publish(1, b"two", 2, message_id=3)) == [sn.Pubrec(3)]
    # Sent again before PUBREL it is the same message.
    assert device.ask(sn.Publish(1, b"two", 2, message_id=3, dup=True)) == [sn.Pubrec(3)]
    assert device.ask(sn.Pubrel(3)) == [sn.Pubcomp(3)]
    got = [
        (each.topic_name, each.payload, each.qos)
        for each in listener.take()
        if isinstance(each, Publish)
    ]
    assert got == [("rooms/1", b"zero", 0), ("rooms/1", b"one", 1), ("rooms/1", b"two", 2)]


def test_short_and_predefined_topics_need_no_registration() -> None:
    field = Field(PREDEFINED)
    listener, device = field.subscriber("#"), field.connected()
    device.send(sn.Publish(7, b"21", topic_type=1), sn.Publish(0x6162, b"22", topic_type=2))
    names = [each.topic_name for each in listener.take() if isinstance(each, Publish)]
    assert names == ["rooms/1/temp", "ab"]


def test_qos_minus_1_publishes_without_a_connection_and_has_no_answer() -> None:
    field = Field(PREDEFINED)
    listener, device = field.subscriber("#"), field.device()
    pre = sn.Publish(7, b"21", 3, topic_type=1)
    assert device.ask(pre, sn.Publish(0x6162, b"22", 3, True, topic_type=2)) == []
    got = [(each.topic_name, each.payload) for each in listener.take() if isinstance(each, Publish)]
    assert got == [("rooms/1/temp", b"21"), ("ab", b"22")]
    assert field.broker.retained() == [("ab", b"22", 0)]
    # A registered id belongs to a connection, and 8 is nobody's.
    assert device.ask(sn.Publish(1, b"x", 3), sn.Publish(8, b"x", 3, topic_type=1)) == []
    assert [event.reason for event in field.reported(ProtocolViolated)] == [  # type: ignore[attr-defined]
        "PUBLISH: QoS -1 with a registered topic id [MQTT-SN 6.8]",
        "PUBLISH: topic id 8 is no predefined one of this client (--mqtt-sn-topic ID=NAME) "
        "[MQTT-SN 6.7]",
    ]
    assert listener.take() == []


def test_an_unknown_topic_id_is_refused_whatever_the_qos() -> None:
    field = Field()
    device, other = field.connected(), field.connected("other")
    other.ask(sn.Register(1, "theirs"))
    for message in (
        sn.Publish(1, b"x"),
        sn.Publish(1, b"x", 1, message_id=4),
        sn.Publish(1, b"x", 2, message_id=5),
        sn.Publish(9, b"x", topic_type=1),
        sn.Publish(0xFFFF, b"x", topic_type=2),
    ):
        answer = sn.Puback(message.topic_id, message.message_id, 2)
        assert device.ask(message) == [answer]


def test_what_ends_a_connection_of_mqtt_is_a_return_code_here() -> None:
    field = Field(MqttOptions(maximum_qos=1, retain_available=False, refused_filters={"no": 0x87}))
    device = field.connected()
    device.ask(sn.Register(1, "t/1"))
    assert device.ask(sn.Publish(1, b"x", 2, message_id=4)) == [sn.Puback(1, 4, 3)]
    assert device.ask(sn.Publish(1, b"x", 1, True, 5)) == [sn.Puback(1, 5, 3)]
    assert device.ask(sn.Publish(1, b"x", 1, message_id=0)) == []
    assert device.ask(sn.Register(2, "a/#")) == [sn.Regack(0, 2, 3)]
    assert device.ask(sn.Subscribe(6, "a/#/b")) == [sn.Suback(0, 6, 3)]
    assert device.ask(sn.Subscribe(7, "t", qos=3)) == [sn.Suback(0, 7, 3)]
    assert device.ask(sn.Subscribe(8, topic_id=9, topic_type=1)) == [sn.Suback(0, 8, 2)]
    assert device.ask(sn.Subscribe(9, "no")) == [sn.Suback(0, 9, 3)]
    assert device.ask(sn.Unsubscribe(10, "a/#/b")) == [sn.Unsuback(10)]
    # It is granted less where less is served.
    assert device.ask(sn.Subscribe(11, "yes", qos=2)) == [sn.Suback(3, 11, 0, 1)]
    assert device.ask(sn.Pingreq()) == [sn.Pingresp()]


def test_a_subscriber_of_one_topic_knows_its_id_by_suback() -> None:
    field = Field(PREDEFINED)
    device = field.connected()
    assert device.ask(sn.Subscribe(1, "rooms/2", qos=1)) == [sn.Suback(1, 1, 0, 1)]
    assert device.ask(sn.Subscribe(2, topic_id=7, topic_type=1)) == [sn.Suback(7, 2)]
    assert device.ask(sn.Subscribe(3, "ab", topic_type=2)) == [sn.Suback(0, 3)]
    for topic in ("rooms/2", "rooms/1/temp", "ab"):
        field.publish(topic, b"x", 1)
    assert device.take() == [
        sn.Publish(1, b"x", 1, message_id=1),
        sn.Publish(7, b"x", topic_type=1),
        sn.Publish(0x6162, b"x", topic_type=2),
    ]
    assert device.ask(sn.Puback(1, 1), sn.Unsubscribe(4, "rooms/2")) == [sn.Unsuback(4)]
    field.publish("rooms/2", b"x")
    assert device.take() == []


def test_a_subscriber_of_a_wildcard_is_told_each_topic_before_its_first_message() -> None:
    field = Field()
    device = field.connected()
    assert device.ask(sn.Subscribe(1, "rooms/+")) == [sn.Suback(0, 1)]
    for topic, payload in (("rooms/1", b"a"), ("rooms/2", b"b"), ("rooms/1", b"c")):
        field.publish(topic, payload)
    [first] = device.take()
    assert first == sn.Register(1, "rooms/1", 1)
    [published, second] = device.accept(first)
    assert (published, second) == (sn.Publish(1, b"a"), sn.Register(2, "rooms/2", 2))
    # In the order in which they came, although the third needed no id.
    assert device.accept(second) == [sn.Publish(2, b"b"), sn.Publish(1, b"c")]
    field.publish("rooms/1", b"d")
    assert device.take() == [sn.Publish(1, b"d")]


def test_a_rejected_register_unsubscribes_from_its_topic() -> None:
    field = Field()
    device = field.connected(clean=False)
    device.ask(sn.Subscribe(1, "t/1", qos=1))
    device.ask(sn.Disconnect())
    device = field.connected(clean=False)
    field.publish("t/1", b"x", 1)
    [register] = device.take()
    assert register == sn.Register(1, "t/1", 1)
    assert device.ask(sn.Regack(1, 1, 3)) == []
    [session] = field.broker.sessions()
    assert (session["subscriptions"], session["inflight"]) == ({}, 0)


def test_one_message_of_qos_1_or_2_is_under_way_at_a_time() -> None:
    field = Field()
    device = field.connected()
    device.ask(sn.Subscribe(1, "t/1", qos=2))
    for number in range(3):
        field.publish("t/1", b"%d" % number, 1 + number % 2)
    assert device.take() == [sn.Publish(1, b"0", 1, message_id=1)]
    assert device.ask(sn.Puback(1, 1)) == [sn.Publish(1, b"1", 2, message_id=2)]
    assert device.ask(sn.Pubrec(2)) == [sn.Pubrel(2)]
    assert device.ask(sn.Pubcomp(2)) == [sn.Publish(1, b"2", 1, message_id=3)]


def test_a_client_that_forgot_a_topic_id_is_told_it_once_more() -> None:
    field = Field()
    device = field.connected()
    device.ask(sn.Subscribe(1, "t/1", qos=1))
    field.publish("t/1", b"x", 1)
    assert device.take() == [sn.Publish(1, b"x", 1, message_id=1)]
    [register] = device.ask(sn.Puback(1, 1, 2))
    assert register == sn.Register(1, "t/1", 1)
    assert device.accept(register) == [sn.Publish(1, b"x", 1, message_id=1, dup=True)]
    # A second time the message is given up, or this would have no end.
    assert device.ask(sn.Puback(1, 1, 2)) == []
    assert field.broker.sessions()[0]["inflight"] == 0


def test_long_names_of_one_clients_topics_are_bounded_by_their_length() -> None:
    device = Field().connected()
    for number in range(1, 200):
        [answer] = device.ask(sn.Register(number, f"{number}/".ljust(60_000, "x")))
        assert isinstance(answer, sn.Regack)
        if answer.code:
            break
    assert answer == sn.Regack(0, number, 1)
    assert number < 100
    # One that it has is known as before.
    assert device.ask(sn.Register(7, "1/".ljust(60_000, "x"))) == [sn.Regack(1, 7)]


def test_topics_of_one_client_are_bounded() -> None:
    field = Field(limits=Limits(mqtt_sn_topics=2))
    device = field.connected()
    answers = device.ask(*(sn.Register(number, f"t/{number}") for number in (1, 2, 3)))
    assert answers == [sn.Regack(1, 1), sn.Regack(2, 2), sn.Regack(0, 3, 1)]
    assert device.ask(sn.Subscribe(4, "t/4")) == [sn.Suback(0, 4, 1)]
    [event] = field.reported(LimitReached)
    assert "mqtt_sn_topics" in repr(event)
    # What cannot be named is not sent, and nothing waits for it.
    device.ask(sn.Subscribe(5, "#", qos=1))
    field.publish("t/5", b"x", 1)
    field.publish("t/1", b"y", 1)
    assert device.take() == [sn.Publish(1, b"y", 1, message_id=2)]


def test_qos_0_that_waits_for_an_id_is_bounded() -> None:
    field = Field(limits=Limits(mqtt_backlog=100))
    device = field.connected()
    device.ask(sn.Subscribe(1, "#"))
    for _ in range(9):
        field.publish("t/1", b"x" * 30)
    [register] = device.take()
    assert len(device.accept(register)) == 4
    assert field.broker.sessions()[0]["dropped"] == 5


def test_empty_qos_0_that_waits_for_an_id_is_bounded_in_number() -> None:
    field = Field(limits=Limits(mqtt_session_queue=5))
    device = field.connected()
    device.ask(sn.Subscribe(1, "#"))
    for _ in range(9):
        field.publish("t/1", b"")
    [register] = device.take()
    assert device.accept(register) == [sn.Publish(1, b"")] * 5
    assert field.broker.sessions()[0]["dropped"] == 4
    [event] = field.reported(LimitReached)
    assert "mqtt_session_queue" in repr(event)


def test_topic_names_of_what_waits_for_an_id_count_too() -> None:
    field = Field(limits=Limits(mqtt_backlog=100))
    device = field.connected()
    device.ask(sn.Subscribe(1, "#"))
    for number in range(9):
        field.publish(f"{number}".rjust(30), b"")
    assert field.broker.sessions()[0]["dropped"] == 5


def test_what_waits_of_a_rejected_topic_is_given_up_and_the_rest_comes_in_its_order() -> None:
    field = Field()
    device = field.connected()
    device.ask(sn.Subscribe(1, "#"))
    for payload in (b"1", b"2"):
        for topic in ("a/1", "a/2", "a/3"):
            field.publish(topic, payload)
    [first] = device.take()
    [second] = device.ask(sn.Regack(first.topic_id, first.message_id, 3))
    [published, third] = device.accept(second)
    assert (published, third) == (sn.Publish(2, b"1"), sn.Register(3, "a/3", 3))
    came = device.accept(third)
    assert came == [sn.Publish(3, b"1"), sn.Publish(2, b"2"), sn.Publish(3, b"2")]
    # What is published to it from then on is another try.
    field.publish("a/1", b"3")
    assert device.take() == [sn.Register(4, "a/1", 1)]


def test_what_waits_is_not_walked_for_each_topic_that_gets_no_id() -> None:
    def calls(waiting: int) -> int:
        field = Field(limits=Limits(mqtt_sn_topics=1))
        device = field.connected()
        device.ask(sn.Subscribe(1, "#"))
        for number in range(waiting):
            field.publish(f"t/{number}", b"x")
        [register] = device.take()
        return calls_of(lambda: device.accept(register))

    # The walk would make it a hundred times as many.
    assert calls(400) < 20 * calls(40)


def test_what_waits_is_not_walked_for_a_topic_that_is_rejected() -> None:
    def calls(waiting: int) -> int:
        field = Field()
        device = field.connected()
        device.ask(sn.Subscribe(1, "#"))
        for number in range(waiting):
            field.publish(f"t/{number}", b"x")
        [register] = device.take()
        rejects = sn.Regack(register.topic_id, register.message_id, 3)
        return calls_of(lambda: device.ask(rejects))

    # Some calls are of what is measured beside; the walk would make it a hundred times as many.
    assert calls(400) < 2 * calls(4)


@pytest.mark.parametrize(("qos", "answer"), [(0, []), (1, [sn.Puback(1, 2, 3)])])
def test_a_message_larger_than_its_listener_takes_is_refused(
    qos: int, answer: list[sn.SnMessage]
) -> None:
    field = Field(MqttOptions(listeners={"sn": ListenerOptions(packet=64)}))
    device = field.connected()
    device.ask(sn.Register(1, "t/1"))
    assert device.ask(sn.Publish(1, b"x" * 64, qos, message_id=2 * qos)) == answer
    assert not field.broker.router.topics
    [event] = field.reported(ProtocolViolated)
    assert event.reason == "PUBLISH of 71 octets, and 64 are taken here (packet)"  # type: ignore[attr-defined]
    [view] = [each for each in field.environment.usage.views() if each.name == "mqtt_packet"]
    assert view.met == 1


def test_what_fits_no_message_is_given_up_without_a_word() -> None:
    field = Field()
    device = field.connected()
    device.ask(sn.Subscribe(1, "t/1", qos=1))
    field.publish("t/1", b"x" * 65_500, 1)
    assert device.take() == []
    field.publish("t/1", b"x", 1)
    assert device.take() == [sn.Publish(1, b"x", 1, message_id=2)]


def test_retained_messages_follow_suback() -> None:
    field = Field()
    device = field.connected()
    field.publish("t/1", b"kept", retain=True)
    assert device.ask(sn.Subscribe(1, "t/1")) == [
        sn.Suback(1, 1),
        sn.Publish(1, b"kept", retain=True),
    ]


@pytest.mark.parametrize("anonymous", [True, False])
def test_who_has_no_name_is_let_in_where_anybody_is(anonymous: bool) -> None:
    field = Field(PREDEFINED)
    if not anonymous:
        field.environment.access.anonymous.clear()
    device, sender = field.device(), field.device()
    assert device.ask(sn.Connect("d")) == [sn.Connack(0 if anonymous else 3)]
    sender.send(sn.Publish(7, b"x", 3, topic_type=1))
    assert list(field.broker.router.topics) == (["rooms/1/temp"] if anonymous else [])


def test_rules_hold_for_mqtt_sn_and_say_no_by_a_return_code() -> None:
    field = Field(PREDEFINED)
    field.environment.access.add_rule(rule_of("allow * all mqtt:open/#"))
    device = field.connected()
    device.ask(sn.Register(1, "shut"), sn.Register(2, "open/1"))
    assert device.ask(sn.Publish(1, b"x", 1, message_id=3)) == [sn.Puback(1, 3, 3)]
    assert device.ask(sn.Publish(1, b"x", 2, message_id=4)) == [sn.Puback(1, 4, 3)]
    assert device.ask(sn.Publish(2, b"x", 2, message_id=4)) == [sn.Pubrec(4)]
    assert device.ask(sn.Subscribe(5, "shut")) == [sn.Suback(0, 5, 3)]
    field.device().send(sn.Publish(7, b"x", 3, topic_type=1))
    assert list(field.broker.router.topics) == ["open/1"]


def test_however_much_waits_of_topics_that_have_no_id_any_more_is_given_up_in_one_go() -> None:
    field = Field(limits=Limits(mqtt_sn_topics=1))
    device = field.connected("d")
    device.ask(sn.Subscribe(1, "#", qos=1), sn.Register(2, "known"), sn.Disconnect(300))
    for number in range(2_000):
        field.publish(f"t/{number}", b"x", 1)
    field.publish("known", b"y", 1)
    assert device.ask(sn.Pingreq("d")) == [sn.Publish(1, b"y", 1, message_id=2_001)]
    assert device.client.peer.ended == ""
    [event] = field.reported(LimitReached)
    assert "mqtt_sn_topics" in repr(event)
