"""Connecting, wills, sleep and silence of MQTT-SN clients, with a clock that the test moves."""

import pytest
from mockforge_brokers.limits import Limits
from mockforge_brokers.mqtt.broker import MqttBroker
from mockforge_brokers.mqtt.events import (
    ClientConnected,
    ConnectionRefused,
    SessionEnded,
    SessionTakenOver,
    WillPublished,
)
from mockforge_brokers.mqtt.options import MqttOptions
from mockforge_brokers.mqtt.sn import gateway
from mockforge_brokers.mqtt.sn import messages as sn
from mockforge_brokers.mqtt.sn.connection import SnConnection
from mockforge_brokers.mqtt.sn.messages import SnMessage
from mockforge_brokers.mqtt.wire.packets import Publish

from .device import Device, Field


def reached(field: Field) -> list[str]:
    return [event.topic_name for event in field.reported(WillPublished)]  # type: ignore[attr-defined]


def with_will(
    field: Field, topic: str = "lw", *, clean: bool = True, payload: bytes = b"gone"
) -> Device:
    device = field.device()
    assert device.ask(sn.Connect("d", 60, clean, will=True)) == [sn.WillTopicRequest()]
    assert device.ask(sn.WillTopic(topic, 1, retain=True)) == [sn.WillMessageRequest()]
    assert device.ask(sn.WillMessage(payload)) == [sn.Connack(0)]
    return device


def test_connect_is_reported_as_mqtt_sn_and_shown_with_its_topic_ids() -> None:
    field = Field()
    device = field.connected("d", duration=30)
    [event] = field.reported(ClientConnected)
    assert isinstance(event, ClientConnected)
    assert (event.version, event.client, event.keep_alive) == ("MQTT-SN 1.2", "d", 30)
    device.ask(sn.Register(1, "t/1"))
    [view] = field.broker.connections()
    assert (view.state, view.listener, view.detail["topic_ids"]) == ("open", "sn", {1: "t/1"})
    device.ask(sn.Disconnect(60))
    [view] = field.broker.connections()
    assert (view.state, view.detail["sleeps"]) == ("asleep", 60)


def test_what_connect_may_not_be_is_refused_by_connack() -> None:
    for connect, options, code in (
        (sn.Connect("d", protocol_id=2), MqttOptions(), 3),
        (sn.Connect(""), MqttOptions(), 3),
        (sn.Connect("long"), MqttOptions(client_id_maximum=3), 3),
    ):
        field = Field(options)
        device = field.device()
        assert device.ask(connect) == [sn.Connack(code)]
        assert (device.client.peer.ended, len(field.reported(ConnectionRefused))) == ("closed", 1)


def test_a_client_that_is_sent_elsewhere_hears_of_congestion_or_nothing_that_fits() -> None:
    field = Field()
    field.broker.redirect("d*", "other:1884")
    assert field.device().ask(sn.Connect("d1")) == [sn.Connack(3)]


def test_messages_of_who_is_not_connected_are_answered_by_disconnect() -> None:
    field = Field()
    for message in (
        sn.Pingreq(),
        sn.Pingreq("nobody"),
        sn.Publish(1, b"x", 1, message_id=2),
        sn.Subscribe(1, "t"),
        sn.Register(1, "t"),
        sn.Disconnect(),
        sn.WillTopicUpdate("t"),
    ):
        assert field.device().ask(message) == [sn.Disconnect()], message


def test_search_is_answered_by_gwinfo_without_a_connection() -> None:
    field = Field(MqttOptions(sn_gateway_id=9))
    device = field.device()
    assert device.ask(sn.SearchGateway(1)) == [sn.GatewayInfo(9)]
    field.advance(31)
    assert device.client.peer.ended == "closed"


def test_messages_of_a_gateway_and_bytes_that_are_none_harm_nobody() -> None:
    field = Field()
    device = field.connected()
    device.send(sn.Connack(0), sn.Advertise(1, 2), sn.Suback(1, 1), sn.WillMessage(b"x"))
    device.client.send(b"\x03\x03\xff")
    assert device.ask(sn.Pingreq()) == [sn.Pingresp()]
    strict = Field(MqttOptions(lint="strict"))
    device = strict.connected()
    assert device.ask(sn.Connack(0)) == [sn.Disconnect()]
    assert device.client.peer.ended == "closed"


def test_a_will_is_asked_for_and_published_when_the_client_is_silent_for_too_long() -> None:
    field = Field()
    listener = field.subscriber("lw", 1)
    device = with_will(field)
    field.advance(89)  # 60 s, and half as much again (7.2)
    assert reached(field) == []
    field.advance(2)
    assert device.take() == [sn.Disconnect()]
    [message] = listener.take()
    assert isinstance(message, Publish)
    assert (message.topic_name, message.payload, message.qos) == ("lw", b"gone", 1)
    assert field.broker.retained() == [("lw", b"gone", 1)]


def test_keep_alive_has_less_tolerance_from_a_minute_on() -> None:
    field = Field()
    device = field.connected(duration=100)
    field.advance(109)
    assert device.ask(sn.Pingreq()) == [sn.Pingresp()]
    field.advance(112)
    assert device.client.peer.ended == "closed"


def test_a_disconnect_takes_no_will_and_a_session_without_clean_keeps_it() -> None:
    field = Field()
    device = with_will(field, clean=False)
    assert device.ask(sn.Disconnect()) == [sn.Disconnect()]
    assert (device.client.peer.ended, reached(field)) == ("closed", [])
    # CleanSession and Will both false: all that was stored is kept (6.3).
    field.connected("d", clean=False, duration=60)
    field.advance(100)
    assert reached(field) == ["lw"]
    # CleanSession: the will is gone with the rest.
    field.connected("d", clean=True, duration=60)
    field.advance(100)
    assert reached(field) == ["lw"]


def test_an_empty_will_topic_at_connect_takes_the_stored_will_back() -> None:
    field = Field()
    with_will(field, clean=False).ask(sn.Disconnect())
    device = field.device()
    device.ask(sn.Connect("d", 60, False, will=True))
    assert device.ask(sn.WillTopic()) == [sn.Connack(0)]
    field.advance(100)
    assert reached(field) == []


def test_a_will_is_changed_in_halves_and_taken_back_during_the_connection() -> None:
    for updates, codes, expected in (
        ([sn.WillTopicUpdate("new", 0)], [0], [("new", b"gone")]),
        ([sn.WillMessageUpdate(b"later")], [0], [("lw", b"later")]),
        ([sn.WillTopicUpdate("a/#")], [3], [("lw", b"gone")]),
        ([sn.WillTopicUpdate()], [0], []),
        ([sn.WillTopicUpdate(), sn.WillMessageUpdate(b"x")], [0, 3], []),
    ):
        field = Field()
        listener = field.subscriber("#")
        device = with_will(field)
        answers = device.ask(*updates)
        assert [answer.code for answer in answers] == codes  # type: ignore[union-attr]
        field.advance(100)
        got = [
            (each.topic_name, each.payload) for each in listener.take() if isinstance(each, Publish)
        ]
        assert got == expected, updates


def test_a_client_that_does_not_answer_is_asked_again_and_then_lost() -> None:
    field = Field(MqttOptions(sn_retry=10, sn_retries=2))
    device = field.connected()
    device.ask(sn.Subscribe(1, "#", qos=1))
    field.publish("t/1", b"x", 1)
    [register] = device.take()
    field.advance(10)
    assert device.take() == [register]
    [published] = device.accept(register)
    assert published == sn.Publish(1, b"x", 1, message_id=1)
    for _ in range(2):
        field.advance(10)
        assert device.take() == [sn.Publish(1, b"x", 1, message_id=1, dup=True)]
    field.advance(10)
    assert device.take() == [sn.Disconnect()]
    assert "nor 2 retransmissions" in device.client.peer.reason
    # Before CONNACK too.
    device = field.device()
    device.ask(sn.Connect("e", will=True))
    field.advance(10)
    assert device.take() == [sn.WillTopicRequest()]


def test_pubrel_is_sent_again_until_pubcomp() -> None:
    field = Field(MqttOptions(sn_retry=5))
    device = field.connected()
    device.ask(sn.Subscribe(1, "t/1", qos=2))
    field.publish("t/1", b"x", 2)
    device.take()
    assert device.ask(sn.Pubrec(1)) == [sn.Pubrel(1)]
    field.advance(5)
    assert device.take() == [sn.Pubrel(1)]
    assert device.ask(sn.Pubcomp(1)) == []
    field.advance(50)
    assert device.take() == []


def wake(device: Device, name: str = "d") -> list[SnMessage]:
    return device.ask(sn.Pingreq(name))


def test_a_sleeping_client_gets_what_waited_of_each_qos_and_pingresp_last() -> None:
    field = Field()
    device = field.connected()
    for number, topic in enumerate(("zero", "one", "two")):
        device.ask(sn.Subscribe(number + 1, topic, qos=number))
    assert device.ask(sn.Disconnect(300)) == [sn.Disconnect()]
    assert field.broker.connections()[0].state == "asleep"
    for number, topic in enumerate(("zero", "one", "two")):
        field.publish(topic, b"x", number)
    assert device.take() == []
    assert wake(device) == [sn.Publish(1, b"x"), sn.Publish(2, b"x", 1, message_id=1)]
    assert field.broker.connections()[0].state == "awake"
    assert device.ask(sn.Puback(2, 1)) == [sn.Publish(3, b"x", 2, message_id=2)]
    assert device.ask(sn.Pubrec(2)) == [sn.Pubrel(2)]
    assert device.ask(sn.Pubcomp(2)) == [sn.Pingresp()]
    assert field.broker.connections()[0].state == "asleep"
    assert wake(device) == [sn.Pingresp()]


def test_a_sleeper_is_shown_as_one() -> None:
    field = Field()
    field.asleep("d")
    field.connected("e")
    states = {group.name: group.state for group in field.broker.groups()}
    assert states == {"d": "asleep", "e": "connected"}
    [asleep] = [each for each in field.broker.metrics() if each.name == "mqtt_clients_asleep"]
    assert asleep.samples == [((), 1)]


def test_a_topic_that_a_sleeper_does_not_know_is_registered_when_it_is_awake() -> None:
    field = Field()
    device = field.connected()
    device.ask(sn.Subscribe(1, "#", qos=1), sn.Disconnect(300))
    field.publish("new", b"x", 1)
    field.publish("new", b"y")
    [register] = wake(device)
    assert register == sn.Register(1, "new", 1)
    # QoS 0 waits here and QoS 1 in the session: each keeps its own order (4.6 of MQTT).
    assert set(map(repr, device.accept(register))) == {
        repr(sn.Publish(1, b"y")),
        repr(sn.Publish(1, b"x", 1, message_id=1)),
    }
    assert device.ask(sn.Puback(1, 1)) == [sn.Pingresp()]


def test_who_does_not_wake_up_in_time_is_lost() -> None:
    field = Field()
    device = with_will(field)
    device.ask(sn.Disconnect(100))
    field.advance(109)
    assert wake(device) == [sn.Pingresp()]
    # The sleep timer began anew.
    field.advance(109)
    assert reached(field) == []
    field.advance(3)
    assert reached(field) == ["lw"]
    assert "did not wake up" in device.client.peer.reason


def test_a_sleeper_that_falls_asleep_over_a_message_gets_it_the_next_time() -> None:
    field = Field(MqttOptions(sn_retry=1, sn_retries=1))
    device = field.connected()
    device.ask(sn.Subscribe(1, "t/1", qos=1), sn.Disconnect(300))
    field.publish("t/1", b"x", 1)
    assert wake(device) == [sn.Publish(1, b"x", 1, message_id=1)]
    field.advance(1)
    device.take()
    field.advance(1)
    assert (device.take(), field.broker.connections()[0].state) == ([], "asleep")
    assert wake(device) == [sn.Publish(1, b"x", 1, message_id=1, dup=True)]
    # PINGREQ sent again meanwhile changes nothing.
    assert wake(device) == []
    assert device.ask(sn.Puback(1, 1)) == [sn.Pingresp()]


def test_a_sleeper_goes_on_sleeping_for_longer_or_becomes_active_or_goes() -> None:
    field = Field()
    device = field.asleep(seconds=100)
    assert device.ask(sn.Disconnect(500)) == [sn.Disconnect()]
    field.advance(400)
    assert device.ask(sn.Connect("d", 600, clean_session=False)) == [sn.Connack(0)]
    assert field.broker.connections()[0].state == "open"
    field.advance(300)
    device.ask(sn.Disconnect(100))
    assert device.ask(sn.Disconnect(0)) == [sn.Disconnect()]
    assert device.client.peer.ended == "closed"


@pytest.mark.parametrize("how", ["its client says so", "its client goes", "by hand"])
def test_what_is_shown_of_a_connection_that_ended_is_what_it_had(how: str) -> None:
    field = Field()
    device = field.connected("d")
    device.ask(sn.Register(1, "t"))
    peer = device.client.peer
    view = field.broker.connection(peer.id)
    assert view is not None
    assert (view.state, view.detail["topic_ids"]) == ("open", {1: "t"})
    match how:
        case "its client says so":
            device.ask(sn.Disconnect())
        case "its client goes":
            device.client.vanish()
        case _:
            field.broker.disconnect(peer.id, "enough")
    assert peer.last is not None
    assert (peer.last.state, peer.last.detail) == (view.state, view.detail)


def test_a_sleeper_that_connects_again_without_clean_session_has_its_messages() -> None:
    field = Field()
    device = field.connected()
    device.ask(sn.Subscribe(1, "t/1", qos=1), sn.Disconnect(300))
    field.publish("t/1", b"x", 1)
    [connack, register] = device.ask(sn.Connect("d", 60, clean_session=False))
    assert (connack, register) == (sn.Connack(0), sn.Register(1, "t/1", 1))
    assert device.accept(register) == [sn.Publish(1, b"x", 1, message_id=1)]


def test_a_sleeper_wakes_up_at_another_address_and_has_all_its_own() -> None:
    field = Field()
    device = with_will(field)
    device.ask(sn.Subscribe(1, "t/1", qos=1), sn.Subscribe(2, "t/0"), sn.Disconnect(100))
    field.publish("t/1", b"x", 1)
    field.publish("t/0", b"y")
    there = field.device()
    got = there.ask(sn.Pingreq("d"))
    assert set(map(repr, got)) == {
        repr(sn.Publish(1, b"x", 1, message_id=1)),
        repr(sn.Publish(2, b"y")),
    }
    assert device.client.peer.reason.startswith("the client moved to 127.0.0.1:")
    assert there.ask(sn.Puback(1, 1)) == [sn.Pingresp()]
    [view] = field.broker.connections()
    assert (view.client, view.state) == ("d", "asleep")
    assert field.reported(SessionEnded) == []
    field.advance(112)
    assert reached(field) == ["lw"]


def test_an_address_that_slept_as_one_client_and_connects_as_another_is_that_one_alone() -> None:
    field = Field()
    device = field.asleep("first")
    assert device.ask(sn.Connect("second", 60)) == [sn.Connack(0)]
    there = field.device()
    # Nobody sleeps as "first" any more, and "second" stays where it is.
    assert there.ask(sn.Pingreq("first")) == [sn.Disconnect()]
    assert device.client.peer.ended == ""
    [view] = [each for each in field.broker.connections() if each.client]
    assert (view.client, view.state) == ("second", "open")


def test_a_client_that_connects_from_another_address_takes_its_session_over() -> None:
    field = Field()
    device = field.connected("d", clean=False)
    device.ask(sn.Subscribe(1, "t/1", qos=1))
    there = field.connected("d", clean=False)
    assert (device.take(), device.client.peer.ended) == ([sn.Disconnect()], "closed")
    assert len(field.reported(SessionTakenOver)) == 1
    field.publish("t/1", b"x", 1)
    assert there.take() == [sn.Register(1, "t/1", 1)]


def test_a_connect_sent_again_is_answered_again_and_ends_nothing() -> None:
    field = Field()
    device = with_will(field, clean=False)
    device.ask(sn.Subscribe(1, "t/1"))
    assert device.ask(sn.Connect("d", 60, clean_session=False)) == [sn.Connack(0)]
    [session] = field.broker.sessions()
    assert list(session["subscriptions"]) == ["t/1"]
    # Another client at the same address: the first one is gone.
    assert device.ask(sn.Connect("other")) == [sn.Connack(0)]
    assert reached(field) == ["lw"]
    # With CleanSession it begins anew, and its own will is no news.
    assert device.ask(sn.Connect("other")) == [sn.Connack(0)]
    assert len(field.broker.sessions()) == 2


def test_topic_ids_outlive_a_connection_without_clean_session_alone() -> None:
    field = Field()
    device = field.connected("d", clean=False)
    device.ask(sn.Register(1, "t/1"), sn.Disconnect())
    device = field.connected("d", clean=False)
    assert device.ask(sn.Publish(1, b"x", 1, message_id=1)) == [sn.Puback(1, 1)]
    device.ask(sn.Disconnect())
    device = field.connected("d")
    assert device.ask(sn.Publish(1, b"x", 1, message_id=1)) == [sn.Puback(1, 1, 2)]


def test_who_is_one_too_many_takes_no_place_of_those_of_whom_more_is_kept(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(gateway, "_MOST_KEPT", 1)
    field = Field(limits=Limits(mqtt_sessions=1))
    device = field.connected("a", clean=False)
    device.ask(sn.Register(1, "t/1"), sn.Disconnect())
    assert field.device().ask(sn.Connect("b", 60, False)) == [sn.Connack(1)]
    assert field.connected("a", clean=False).connection.topic_ids == 1


def test_the_broker_s_end_and_a_reset_say_disconnect() -> None:
    field = Field()
    device, sleeper = field.connected("a"), field.asleep("b")
    field.broker.reset()
    field.network.settle()
    assert (device.take(), sleeper.take()) == ([sn.Disconnect()], [sn.Disconnect()])
    assert field.broker.connections() == []


def test_a_gateway_announces_itself_once_for_all_its_sockets() -> None:
    field = Field(MqttOptions(sn_advertise="225.1.1.1:1884", sn_advertise_interval=60))
    sent: list[tuple[bytes, tuple[str, int]]] = []
    gateway = field.broker.datagrams()
    for _ in range(2):
        gateway.opened(lambda data, address: sent.append((data, address)))
    assert sent == [(b"\x05\x00\x01\x00\x3c", ("225.1.1.1", 1884))]
    field.advance(60)
    assert len(sent) == 2
    assert gateway.joins() == "225.1.1.1"
    assert Field(MqttOptions(sn_advertise="10.0.0.255:1884")).broker.datagrams().joins() == ""


def test_lint_names_the_clause_that_a_client_broke() -> None:
    field = Field()
    device = field.connected()
    device.send(sn.Publish(9, b"x"), sn.Publish(9, b"x"), sn.Suback(1, 1))
    device.client.send(b"\x03\x17\x00")
    found = {each.statement: (each.times, each.severity) for each in field.broker.lint()}
    assert found == {
        "MQTT-SN 6.7": (2, "error"),
        "MQTT-SN 5.4": (1, "error"),
        "protocol error": (1, "error"),
    }
    # An acknowledgement of nothing may be late, and is no error.
    device.send(sn.Puback(1, 77), sn.Regack(1, 77))
    assert len(field.broker.lint()) == 3


@pytest.mark.parametrize("hard", [False, True])
def test_sessions_topic_ids_and_wills_outlive_a_restart_of_the_broker(hard: bool) -> None:
    field = Field()
    device = with_will(field, clean=False)
    device.ask(sn.Subscribe(1, "t/1", qos=1), sn.Register(2, "mine"))
    field.broker.restart(hard=hard)
    field.network.settle()
    # Who is killed says nothing; over UDP there is no reset to see either.
    assert device.take() == ([] if hard else [sn.Disconnect()])
    # What it sends all the same is answered by DISCONNECT: it is to connect again (6.12).
    assert field.device().ask(sn.Publish(2, b"x")) == [sn.Disconnect()]
    field.publish("t/1", b"while away", 1)
    there = field.device()
    [connack, register] = there.ask(sn.Connect("d", 60, clean_session=False))
    assert (connack, register) == (sn.Connack(0), sn.Register(1, "t/1", 1))
    assert there.accept(register) == [sn.Publish(1, b"while away", 1, message_id=1)]
    assert there.ask(sn.Puback(1, 1)) == []
    seen = field.subscriber("#")
    assert there.ask(sn.Publish(2, b"known", 1, message_id=9)) == [sn.Puback(2, 9)]
    field.advance(100)
    got = [each.topic_name for each in seen.take() if isinstance(each, Publish)]
    assert got[-2:] == ["mine", "lw"]


def test_a_client_whose_new_will_has_no_room_is_refused_and_lost_as_any_other() -> None:
    field = Field(limits=Limits(mqtt_wills=10))
    listener = field.subscriber("lw")
    device = with_will(field)
    assert device.ask(sn.Connect("d", 60, will=True)) == [sn.WillTopicRequest()]
    assert device.ask(sn.WillTopic("lw", 1)) == [sn.WillMessageRequest()]
    assert device.ask(sn.WillMessage(b"too long for it")) == [sn.Connack(1)]
    assert device.client.peer.ended == "closed"
    assert [message.payload for message in listener.take()] == [b"gone"]
    assert "d" not in field.broker.registry.by_client


def will_bytes(field: Field) -> int:
    [view] = [each for each in field.environment.usage.views() if each.name == "mqtt_wills"]
    return view.used


def comes(field: Field, name: str, payload: bytes) -> SnMessage:
    """The answer to a client that would leave a will."""
    device = field.device()
    assert device.ask(sn.Connect(name, 60, False, will=True)) == [sn.WillTopicRequest()]
    assert device.ask(sn.WillTopic("lw", 1)) == [sn.WillMessageRequest()]
    [connack] = device.ask(sn.WillMessage(payload))
    return connack


@pytest.mark.parametrize("how", ["disconnects", "is lost", "published", "denied"])
def test_a_will_that_is_kept_beside_its_session_counts_once_and_until_that_ends(
    how: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    field = Field(MqttOptions(session_expiry_before_5=100), limits=Limits(mqtt_wills=10))
    if how == "denied":
        monkeypatch.setattr(SnConnection, "may_leave", lambda *_: False)
    device = with_will(field, clean=False)
    assert will_bytes(field) == 6
    if how == "published":
        assert field.broker.publish_will("d")
    elif how == "is lost":
        field.advance(91)
    else:
        device.ask(sn.Disconnect())
    assert will_bytes(field) == 6
    assert comes(field, "e", b"others") == sn.Connack(1)
    # For its own there is room, and for another one in place of it.
    again = field.device()
    assert again.ask(sn.Connect("d", 60, False)) == [sn.Connack(0)]
    assert again.ask(sn.WillMessageUpdate(b"in time!")) == [sn.WillMessageResponse(0)]
    assert will_bytes(field) == 10
    field.broker.restart()
    assert will_bytes(field) == 10
    field.advance(101)
    assert "d" not in field.broker.registry.by_client
    assert will_bytes(field) == 0
    assert comes(field, "e", b"others") == sn.Connack(0)
    assert will_bytes(field) == 8


def test_nothing_is_kept_of_who_has_no_session_any_more(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gateway, "_MOST_KEPT", 2)
    field = Field(MqttOptions(session_expiry_before_5=100))
    for name in ("d", "e", "f"):
        assert comes(field, name, b"gone") == sn.Connack(0)
    # One too many: its session's will is what counts.
    assert will_bytes(field) == 3 * 6
    field.advance(91)
    assert will_bytes(field) == 2 * 6
    field.device().ask(sn.Connect("e", 60))
    assert will_bytes(field) == 6
    # Nor of whose session is lost by a restart.
    monkeypatch.setattr(MqttBroker, "restore", lambda *_: None)
    field.broker.restart(hard=True)
    assert will_bytes(field) == 0


def test_another_will_that_has_no_room_is_congestion_and_the_one_before_stays() -> None:
    field = Field(limits=Limits(mqtt_wills=10))
    listener = field.subscriber("lw")
    device = with_will(field)
    assert device.ask(sn.WillMessageUpdate(b"too long for it")) == [sn.WillMessageResponse(1)]
    assert device.ask(sn.WillMessageUpdate(b"in time")) == [sn.WillMessageResponse(0)]
    field.advance(91)
    assert [message.payload for message in listener.take()] == [b"in time"]
