"""What clients meet of another broker's limits and choices (presets.py)."""

import pytest
from mockforge_brokers.clock import ManualClock
from mockforge_brokers.limits import Limits
from mockforge_brokers.mqtt.codes import PacketType
from mockforge_brokers.mqtt.options import SHARED_ORDERS
from mockforge_brokers.mqtt.presets import PRESETS
from mockforge_brokers.mqtt.wire.encode import encode_packet
from mockforge_brokers.mqtt.wire.frames import PacketSplitter
from mockforge_brokers.mqtt.wire.packets import (
    Ack,
    Connack,
    Connect,
    Disconnect,
    Packet,
    Publish,
    Request,
    Suback,
    Subscribe,
)

from .scene import Scene


def scene_of(preset: str) -> Scene:
    chosen = PRESETS[preset]
    return Scene(Limits(**chosen.limits), **chosen.options)


@pytest.mark.parametrize("name", PRESETS)
def test_a_preset_is_announced_in_connack_and_names_its_source(name: str) -> None:
    scene, preset = scene_of(name), PRESETS[name]
    asked = {"session_expiry_interval": 100_000}
    [answer] = scene.ask(scene.network.connect(), Connect("c", 5, properties=asked))
    assert isinstance(answer, Connack)
    assert preset.source
    options, told = preset.options, answer.properties
    assert told["receive_maximum"] == options.get("receive_maximum", 1024)
    assert told["topic_alias_maximum"] == options.get("topic_alias_maximum", 256)
    assert told.get("maximum_qos", 2) == options.get("maximum_qos", 2)
    assert told.get("server_keep_alive") == options.get("server_keep_alive")
    assert told.get("session_expiry_interval") == options.get("session_expiry_maximum")
    assert told["maximum_packet_size"] == scene.environment.limits.mqtt_packet


def test_as_hivemq_a_connection_has_ten_seconds_for_its_connect() -> None:
    scene = scene_of("hivemq")
    client = scene.network.connect()
    clock = scene.environment.clock
    assert isinstance(clock, ManualClock)
    clock.advance(9.5)
    assert not client.peer.ended
    clock.advance(1)
    assert client.peer.ended == "closed"


@pytest.mark.parametrize(("version", "lasts"), [(3, 7_200), (4, 7_200), (5, 100_000)])
def test_as_emqx_a_session_before_mqtt_5_lasts_two_hours(version: int, lasts: int) -> None:
    scene = scene_of("emqx")
    properties = {"session_expiry_interval": 100_000} if version == 5 else {}
    connect = Connect("c", version, clean_start=False, properties=properties)
    client = scene.network.connect()
    client.send(encode_packet(connect, version))
    client.vanish()
    clock = scene.environment.clock
    assert isinstance(clock, ManualClock)
    clock.advance(lasts - 1)
    assert "c" in scene.broker.registry.by_client
    clock.advance(2)
    assert scene.broker.registry.by_client == {}


# What Mosquitto 2.0.11 answered to these packets: t QoS 1 with the filters # (QoS 0) and t (QoS 1),
# then t QoS 2, then its PUBREL.
def test_as_mosquitto_each_subscription_gets_its_own_and_qos_2_goes_on_at_pubrel() -> None:
    scene = scene_of("mosquitto")
    taker = scene.connect("s", "#", qos=0)
    scene.ask(taker, Subscribe(2, [Request("t", 1)]))
    publisher = scene.connect("p")
    assert scene.ask(publisher, Publish("t", b"x", 1, packet_id=7)) == [Ack(PacketType.PUBACK, 7)]
    both = [Publish("t", b"x", 1, packet_id=1), Publish("t", b"x")]
    assert sorted(scene.got(taker), key=lambda each: -each.qos) == both  # type: ignore[union-attr]
    assert scene.ask(publisher, Publish("t", b"y", 2, packet_id=9)) == [Ack(PacketType.PUBREC, 9)]
    assert scene.got(taker) == []
    assert scene.ask(publisher, Ack(PacketType.PUBREL, 9)) == [Ack(PacketType.PUBCOMP, 9)]
    both = [Publish("t", b"y", 1, packet_id=2), Publish("t", b"y")]
    assert sorted(scene.got(taker), key=lambda each: -each.qos) == both  # type: ignore[union-attr]


def test_what_waits_for_its_pubrel_outlives_a_restart_and_is_handed_on_once() -> None:
    scene = Scene(qos2_hand_on="release")
    publisher = scene.network.connect()
    kept = Connect("p", 5, clean_start=False, properties={"session_expiry_interval": 100})
    scene.ask(publisher, kept, Publish("t", b"y", 2, packet_id=9))
    scene.broker.restart()
    taker = scene.connect("s", "t")
    again = scene.network.connect()
    twice = [Ack(PacketType.PUBREL, 9)] * 2
    answers = scene.ask(again, kept, Publish("t", b"y", 2, dup=True, packet_id=9), *twice)
    assert answers[1:] == [
        Ack(PacketType.PUBREC, 9),
        Ack(PacketType.PUBCOMP, 9),
        Ack(
            PacketType.PUBCOMP,
            9,
            0x92,
            {"reason_string": "PUBREL: no QoS 2 publish of yours is under way as packet 9"},
        ),
    ]
    assert scene.got(taker) == [Publish("t", b"y")]


AWS_REFUSES: list[tuple[Packet, int]] = [
    (Publish("t", b"x", 2, packet_id=1), 0x9B),
    (Publish("a/b/c/d/e/f/g/h/i", b"x"), 0x90),
    (Publish("t" * 257, b"x"), 0x90),
    (Subscribe(1, [Request(f"t{number}") for number in range(9)]), 0x97),
    (Subscribe(1, [Request("t")], {"subscription_identifier": [1]}), 0xA1),
]


@pytest.mark.parametrize(("packet", "code"), AWS_REFUSES)
def test_as_aws_iot_what_is_too_much_there_ends_the_connection(packet: Packet, code: int) -> None:
    scene = scene_of("aws-iot")
    client = scene.connect("c")
    [answer] = scene.ask(client, packet)
    assert isinstance(answer, Disconnect)
    assert answer.code == code


def test_as_aws_iot_eight_levels_are_fine_and_a_deeper_filter_is_refused_alone() -> None:
    scene = scene_of("aws-iot")
    client = scene.connect("c")
    wish = Subscribe(1, [Request("a/b/c/d/e/f/g/h", 2), Request("a/b/c/d/e/f/g/h/i")])
    suback, publish = scene.ask(client, wish, Publish("a/b/c/d/e/f/g/h", b"x"))
    assert isinstance(suback, Suback)
    assert suback.codes == [1, 0x8F]
    assert publish == Publish("a/b/c/d/e/f/g/h", b"x")


RULES = "$aws/rules/Building"
EIGHT = "a/b/c/d/e/f/g/h"


@pytest.mark.parametrize(
    ("topic", "answer"),
    [
        (f"{RULES}/{EIGHT}", Ack(PacketType.PUBACK, 7)),
        (f"{RULES}/{'t' * 256}", Ack(PacketType.PUBACK, 7)),
        (RULES, Ack(PacketType.PUBACK, 7)),
        # Reserved topics that are no rules: nobody is there, and all levels count.
        ("$aws/rule/x/y", Ack(PacketType.PUBACK, 7, 0x10)),
        (f"{RULES}/{EIGHT}/i", 0x90),
        (f"{RULES}/{'t' * 257}", 0x90),
        (f"$aws/things/{EIGHT}", 0x90),
    ],
)
def test_as_aws_iot_basic_ingest_is_acknowledged_and_its_prefix_is_no_part_of_the_topic(
    topic: str, answer: Packet | int
) -> None:
    scene = scene_of("aws-iot")
    [got] = scene.ask(scene.connect("c"), Publish(topic, b"x", 1, packet_id=7))
    assert (got.code if isinstance(got, Disconnect) else got) == answer


def test_as_aws_iot_what_goes_to_rules_reaches_no_subscriber_and_every_watcher() -> None:
    scene = scene_of("aws-iot")
    seen: list[str] = []
    scene.broker.watch(lambda message: seen.append(message.destination), f"{RULES}/#")
    taker, device = scene.connect("t", "$aws/#", "#"), scene.connect("d")
    wish = Subscribe(3, [Request(f"{RULES}/#", 1), Request("$share/g/other", 1)])
    [suback] = scene.ask(taker, wish)
    assert isinstance(suback, Suback)
    assert suback.codes == [0x87, 1]
    for _ in range(3):
        scene.ask(device, Publish(f"{RULES}/room", b"21"))
    assert scene.got(taker) == []
    assert seen == [f"{RULES}/room"] * 3
    scene.ask(device, Publish("$aws/things/d/shadow", b"{}"))
    assert scene.got(taker) == [Publish("$aws/things/d/shadow", b"{}")]


def test_as_aws_iot_a_session_has_fifty_subscriptions_and_may_renew_them() -> None:
    scene = scene_of("aws-iot")
    client = scene.connect("c")
    for first in range(0, 48, 8):
        scene.ask(client, Subscribe(1, [Request(f"t{first + more}") for more in range(8)]))
    wish = Subscribe(2, [Request("t48"), Request("t49"), Request("t50"), Request("t0", 1)])
    [suback] = scene.ask(client, wish)
    assert isinstance(suback, Suback)
    assert suback.codes == [0, 0, 0x97, 1]
    assert "subscriptions_maximum" in suback.properties["reason_string"]


def test_as_aws_iot_a_session_before_mqtt_5_lasts_an_hour() -> None:
    scene = scene_of("aws-iot")
    client = scene.network.connect()
    client.send(encode_packet(Connect("c", 4, clean_start=False), 4))
    client.vanish()
    clock = scene.environment.clock
    assert isinstance(clock, ManualClock)
    clock.advance(3_599)
    assert "c" in scene.broker.registry.by_client
    clock.advance(2)
    assert scene.broker.registry.by_client == {}


def test_as_aws_iot_a_long_client_id_is_refused() -> None:
    scene = scene_of("aws-iot")
    [answer] = scene.ask(scene.network.connect(), Connect("c" * 129, 5))
    assert isinstance(answer, Connack)
    assert answer.code == 0x85


@pytest.mark.parametrize("order", SHARED_ORDERS)
def test_the_order_of_a_share_is_a_choice(order: str) -> None:
    scene = Scene(shared_order=order)
    takers = [scene.connect(f"taker {number}", "$share/g/#") for number in range(3)]
    publisher = scene.connect("p")
    for topic in ("a", "b", "c", "d", "e", "f"):
        for _ in range(5):
            scene.ask(publisher, Publish(topic, b"x"))
    shares = [[each.topic_name for each in scene.got(one)] for one in takers]  # type: ignore[union-attr]
    counts = [len(each) for each in shares]
    assert sum(counts) == 30
    match order:
        case "turns":
            assert counts == [10, 10, 10]
        case "random":
            assert all(counts)
            assert counts != [10, 10, 10]
        case "sticky":
            assert sorted(counts) == [0, 0, 30]
        case "topic":
            assert all(each.count(topic) in (0, 5) for each in shares for topic in each)
            assert sum(map(bool, counts)) > 1


def test_a_sticky_share_moves_on_when_its_member_is_away() -> None:
    scene = Scene(shared_order="sticky")
    takers = [scene.connect(f"taker {number}", "$share/g/#") for number in range(2)]
    publisher = scene.connect("p")
    scene.ask(publisher, Publish("t", b"1"))
    first = next(each for each in takers if each.peek())
    [other] = [each for each in takers if each is not first]
    first.vanish()
    scene.ask(publisher, Publish("t", b"2"))
    assert scene.got(other) == [Publish("t", b"2")]


# What 2.0.11 and 2.1.2 answered (allow_duplicate_messages, which is true since 2.1).
@pytest.mark.parametrize(
    ("preset", "version", "messages"),
    [
        ("mosquitto", 3, 1),
        ("mosquitto", 4, 1),
        ("mosquitto", 5, 2),
        ("mosquitto-2.1", 3, 2),
        ("mosquitto-2.1", 4, 2),
        ("mosquitto-2.1", 5, 2),
    ],
)
def test_as_mosquitto_overlapping_subscriptions_are_one_before_mqtt_5_up_to_2_0(
    preset: str, version: int, messages: int
) -> None:
    scene = scene_of(preset)
    client = scene.network.connect()
    client.send(encode_packet(Connect("s", version), version))
    wish = Subscribe(1, [Request("#"), Request("t", 1)])
    client.send(encode_packet(wish, version))
    client.take()
    scene.ask(scene.connect("p"), Publish("t", b"x", 1, packet_id=7))
    assert len(PacketSplitter().feed(client.take())) == messages
