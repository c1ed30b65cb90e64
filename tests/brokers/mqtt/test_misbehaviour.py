"""Packets refused with a reason code on purpose, and messages changed on their way."""

from typing import Any

import pytest
from mockforge_brokers.errors import InvalidInput
from mockforge_brokers.journal import IN, OUT, Row
from mockforge_brokers.misbehaviour.decisions import Changes
from mockforge_brokers.mqtt.codes import PacketType, Reason
from mockforge_brokers.mqtt.misbehaviour import body, glance, repeated
from mockforge_brokers.mqtt.setting import set_fields
from mockforge_brokers.mqtt.wire.decode import decode_packet
from mockforge_brokers.mqtt.wire.encode import encode_packet
from mockforge_brokers.mqtt.wire.packets import (
    Ack,
    Connack,
    Connect,
    Disconnect,
    Packet,
    Pingreq,
    Publish,
    Request,
    Suback,
    Subscribe,
    Unsuback,
    Unsubscribe,
)

from brokers.misbehaving import everything, refuse

from .scene import Scene

QUOTA = int(Reason.QUOTA_EXCEEDED)
TEXT = {"reason_string": "no"}


@pytest.fixture
def scene() -> Scene:
    return Scene()


def refused(scene: Scene, version: int, packet: Packet) -> tuple[list[Packet], str]:
    """What a connected client gets for one packet, and how its connection ended."""
    client = scene.connect(version=version)
    refuse(client, encode_packet(packet, version), everything, QUOTA)
    return scene.got(client), client.peer.ended


@pytest.mark.parametrize(
    ("packet", "answers"),
    [
        (Publish("t", b"x"), []),
        (Publish("t", b"x", 1, packet_id=7), [Ack(PacketType.PUBACK, 7, QUOTA, TEXT)]),
        (Publish("t", b"x", 2, packet_id=7), [Ack(PacketType.PUBREC, 7, QUOTA, TEXT)]),
        (Subscribe(7, [Request("a"), Request("b")]), [Suback(7, [QUOTA, QUOTA], TEXT)]),
        (Unsubscribe(7, ["a", "b"]), [Unsuback(7, [QUOTA, QUOTA], TEXT)]),
    ],
)
def test_mqtt_5_names_the_reason_and_goes_on(
    scene: Scene, packet: Packet, answers: list[Packet]
) -> None:
    assert refused(scene, 5, packet) == (answers, "")


@pytest.mark.parametrize(
    "packet",
    [
        Publish("t", b"x"),
        Publish("t", b"x", 1, packet_id=7),
        Publish("t", b"x", 2, packet_id=7),
        Unsubscribe(7, ["a"]),
    ],
)
def test_before_mqtt_5_the_connection_ends_where_no_code_is(scene: Scene, packet: Packet) -> None:
    assert refused(scene, 4, packet) == ([], "closed")


def test_before_mqtt_5_a_subscription_fails_with_its_one_code(scene: Scene) -> None:
    assert refused(scene, 4, Subscribe(7, [Request("a")])) == ([Suback(7, [0x80])], "")


def test_a_packet_that_has_no_answer_ends_in_disconnect(scene: Scene) -> None:
    got, ended = refused(scene, 5, Pingreq())
    assert got == [Disconnect(QUOTA, TEXT)]
    assert ended == "closed"


@pytest.mark.parametrize(("version", "code"), [(5, 0x87), (4, 5), (3, 5)])
def test_connect_is_refused_in_connack(version: int, code: int) -> None:
    scene = Scene(version=version)
    client = scene.network.connect()
    frame = encode_packet(Connect("c", version), version)
    refuse(client, frame, everything, int(Reason.NOT_AUTHORIZED))
    [connack] = scene.got(client)
    assert isinstance(connack, Connack)
    assert connack.code == code
    assert client.peer.ended == "closed"
    assert not scene.broker.connections()


def test_a_reason_that_an_old_connack_has_not_closes_without_a_word(scene: Scene) -> None:
    client = scene.network.connect()
    refuse(client, encode_packet(Connect("c", 4), 4), everything, QUOTA)
    assert (client.take(), client.peer.ended) == (b"", "closed")


@pytest.mark.parametrize("version", [4, 5])
def test_one_filter_of_two_is_refused(scene: Scene, version: int) -> None:
    client = scene.connect(version=version)

    def secret(row: Row) -> bool:
        return row.destination == "secret"

    packet = Subscribe(7, [Request("secret"), Request("open", 1)])
    refuse(client, encode_packet(packet, version), secret, QUOTA)
    answer = Suback(7, [QUOTA, 1], TEXT) if version == 5 else Suback(7, [0x80, 1])
    assert scene.got(client) == [answer]
    other = scene.connect("p", version=version)
    scene.send(other, Publish("open", b"x"))
    scene.send(other, Publish("secret", b"x"))
    assert scene.got(client) == [Publish("open", b"x")]


def test_a_refused_publish_reaches_nobody_and_the_next_does(scene: Scene) -> None:
    subscriber = scene.connect("s", "t")
    client = scene.connect("p")
    refuse(client, encode_packet(Publish("t", b"1", 2, packet_id=7), 5), everything, QUOTA)
    client.take()
    scene.send(client, Publish("t", b"2", 2, packet_id=7))
    assert scene.got(client) == [Ack(PacketType.PUBREC, 7)]
    assert [packet.payload for packet in scene.got(subscriber)] == [b"2"]  # type: ignore[union-attr]


def test_an_alias_that_a_refused_publish_sets_is_known_to_the_next(scene: Scene) -> None:
    subscriber = scene.connect("s", "t")
    client = scene.connect("p")
    first = Publish("t", b"1", 1, packet_id=7, properties={"topic_alias": 1})
    refuse(client, encode_packet(first, 5), everything, QUOTA)
    scene.send(client, Publish("", b"2", properties={"topic_alias": 1}))
    assert not client.peer.ended, client.peer.reason
    assert [packet.payload for packet in scene.got(subscriber)] == [b"2"]  # type: ignore[union-attr]


def test_a_wrong_packet_under_a_rule_ends_its_own_connection_only(scene: Scene) -> None:
    subscriber = scene.connect("s", "t")
    unknown_alias = encode_packet(Publish("", b"2", properties={"topic_alias": 9}), 5)
    for wrong in (b"\x82\x02\x00\x07", unknown_alias, b"\x30\x01\x00"):
        client = scene.connect("p")
        refuse(client, wrong, everything, QUOTA)
        assert client.peer.ended, wrong
    for early in (Subscribe(7, [Request("a")]), Publish("t", b"x", 1, packet_id=7), Pingreq()):
        stranger = scene.network.connect()
        refuse(stranger, encode_packet(early, 4), everything, QUOTA)
        assert stranger.peer.ended
        assert stranger.take() == b""
    assert not subscriber.peer.ended


# Editing.


def edit(scene: Scene, version: int, packet: Publish, **changes: Any) -> Publish:
    client = scene.connect(version=version)
    frame = encode_packet(packet, version)
    edited = client.connection.edit(IN, frame, {0: Changes(**changes)})
    decoded = decode_packet(edited, version)
    assert isinstance(decoded, Publish)
    return decoded


@pytest.mark.parametrize("version", [3, 4, 5])
def test_only_the_payload_changes_of_a_publish(scene: Scene, version: int) -> None:
    packet = Publish("t", b"x", 1, True, True, 7)
    changed = edit(scene, version, packet, payload=b"y" * 300)
    assert changed == Publish("t", b"y" * 300, 1, True, True, 7)
    assert edit(scene, version, packet, payload=None).payload == b""


def test_properties_and_user_properties_change_and_go(scene: Scene) -> None:
    packet = Publish(
        "",
        b"x",
        properties={
            "topic_alias": 1,
            "content_type": "a",
            "user_property": [("k", "1"), ("k", "2"), ("other", "3")],
        },
    )
    changed = edit(
        scene,
        5,
        packet,
        properties={"content-type": None, "response_topic": "r"},
        headers={"k": "new", "other": None},
    )
    assert changed.properties == {
        "topic_alias": 1,
        "response_topic": "r",
        "user_property": [("k", "new")],
    }


def test_what_goes_to_a_client_changes_too(scene: Scene) -> None:
    client = scene.connect("s", "t")
    frame = encode_packet(Publish("t", b"x"), 5)
    edited = client.connection.edit(OUT, frame, {0: Changes(payload=b"y")})
    assert decode_packet(edited, 5) == Publish("t", b"y")


@pytest.mark.parametrize(
    ("version", "packet", "number", "changes", "text"),
    [
        (4, Pingreq(), 0, {"payload": b"x"}, "PINGREQ carries no message 1: hold op:PUBLISH"),
        (4, Publish("t"), 1, {"payload": b"x"}, "PUBLISH carries no message 2"),
        (4, Publish("t"), 0, {"key": b"x"}, "has no key"),
        (4, Publish("t"), 0, {"headers": {"a": "b"}}, "before MQTT 5"),
        (5, Publish("t"), 0, {"properties": {"colour": "b"}}, "colour"),
        (
            5,
            Publish("t"),
            0,
            {"properties": {"payload_format_indicator": 7}},
            "payload.format|not legal|must be|value",
        ),
    ],
)
def test_what_cannot_be_changed_is_said(
    scene: Scene,
    version: int,
    packet: Packet,
    number: int,
    changes: dict[str, Any],
    text: str,
) -> None:
    client = scene.connect(version=version)
    with pytest.raises(InvalidInput, match=text):
        client.connection.edit(IN, encode_packet(packet, version), {number: Changes(**changes)})


@pytest.mark.parametrize("size", [0, 1, 127, 128, 20_000, 3_000_000])
def test_the_body_of_a_packet_begins_behind_its_length(size: int) -> None:
    packet = encode_packet(Publish("t", b"x" * size), 4)
    found = body(packet)
    assert packet[found.start : found.start + 3] == b"\0\1t"
    assert found.stop == len(packet)


def test_only_a_publish_that_may_come_again_is_marked_as_such() -> None:
    first = encode_packet(Publish("t", b"x", 1, packet_id=7), 4)
    again = encode_packet(Publish("t", b"x", 1, packet_id=7, dup=True), 4)
    assert repeated(first) == again
    for packet in (Publish("t", b"x"), Ack(PacketType.PUBACK, 7)):
        encoded = encode_packet(packet, 4)
        assert repeated(encoded) == encoded


@pytest.mark.parametrize(("size", "told"), [(30, {}), (100, {"reason_string": "no" * 20})])
def test_a_reason_that_does_not_fit_is_left_out(
    scene: Scene, size: int, told: dict[str, str]
) -> None:
    client = scene.network.connect()
    packet = Connect("c", 5, properties={"maximum_packet_size": size})
    scene.send(client, packet)
    client.take()
    frame = encode_packet(Unsubscribe(7, ["t"]), 5)
    rows = client.connection.rows(IN, frame)
    client.connection.refuse(frame, client.connection.parts(rows), QUOTA, "no" * 20)
    client.flush()
    assert scene.got(client) == [Unsuback(7, [QUOTA], told)]


@pytest.mark.parametrize(
    ("packet", "same", "other"),
    [
        (Publish("a/b", b"1"), Publish("a/b", b"2" * 300, 1, packet_id=3), Publish("a/c", b"1")),
        (Ack(PacketType.PUBACK, 1), Ack(PacketType.PUBACK, 2), Ack(PacketType.PUBREC, 1)),
    ],
)
def test_packets_that_look_alike_have_the_same_operation_and_topic(
    packet: Packet, same: Packet, other: Packet
) -> None:
    first, second, third = (glance(encode_packet(each, 4)) for each in (packet, same, other))
    assert first is not None
    assert first == second != third


def test_what_names_several_topics_or_an_alias_is_read() -> None:
    assert glance(encode_packet(Subscribe(1, [Request("t", 1)]), 4)) is None
    assert glance(encode_packet(Publish("", b"x", properties={"topic_alias": 1}), 5)) is None
    assert glance(encode_packet(Connect("c", 4), 4)) is None
    assert glance(b"\x30\0") is None


@pytest.mark.parametrize(
    ("version", "packet", "values", "made"),
    [
        (4, Connack(0), {"session_present": "true"}, Connack(0, True)),
        (4, Connack(0, True), {"code": "5"}, Connack(5, True)),
        (5, Connack(0), {"code": "SERVER_BUSY"}, Connack(0x89)),
        (5, Connack(0), {"receive_maximum": "1"}, Connack(0, False, {"receive_maximum": 1})),
        (5, Connack(0), {"reason_string": "no"}, Connack(0, False, {"reason_string": "no"})),
        (4, Suback(7, [0, 1]), {"codes": "0x80"}, Suback(7, [0x80, 0x80])),
        (4, Ack(PacketType.PUBACK, 7), {"packet_id": "8"}, Ack(PacketType.PUBACK, 8)),
        (4, Publish("t", b"x"), {"topic_name": "u", "retain": "1"}, Publish("u", b"x", 0, True)),
    ],
)
def test_a_field_or_property_gets_another_value(
    version: int, packet: Packet, values: dict[str, str], made: Packet
) -> None:
    found = set_fields(version, encode_packet(packet, version), values)
    assert decode_packet(found, version) == made


@pytest.mark.parametrize(
    ("version", "packet", "values", "text"),
    [
        (4, Connack(0), {"receive_maximum": "1"}, "CONNACK has no field receive_maximum; it has"),
        (5, Connack(0), {"qos": "1"}, "CONNACK has no field qos; it has code, session_present,"),
        (4, Connack(0), {"session_present": "perhaps"}, "is true or false, not 'perhaps'"),
        (4, Connack(0), {"code": "NONE_SUCH"}, "code is a number, not 'NONE_SUCH'"),
        (4, Ack(PacketType.PUBACK, 7), {"packet_id": "70000"}, "a value does not fit"),
    ],
)
def test_what_cannot_be_set_is_said(
    version: int, packet: Packet, values: dict[str, str], text: str
) -> None:
    with pytest.raises(InvalidInput, match=text):
        set_fields(version, encode_packet(packet, version), values)


def test_one_of_two_subscriptions_cannot_be_ended_and_the_other_is(scene: Scene) -> None:
    client = scene.connect("c", "kept", "gone", version=5)
    refuse(
        client,
        encode_packet(Unsubscribe(7, ["kept", "gone"]), 5),
        lambda row: row.destination == "kept",
        QUOTA,
    )
    assert scene.got(client) == [Unsuback(7, [QUOTA, 0], TEXT)]
    other = scene.connect("p", version=5)
    for topic in ("kept", "gone"):
        scene.send(other, Publish(topic, b"x"))
    assert scene.got(client) == [Publish("kept", b"x")]


@pytest.mark.parametrize(
    "early", [Subscribe(7, [Request("a")]), Publish("t", b"x", 1, packet_id=7), Connect("p", 5)]
)
def test_nothing_but_auth_is_served_or_refused_while_a_client_proves_who_it_is(
    early: Packet,
) -> None:
    scene = Scene(auth_methods=("TWO first second",))
    client = scene.come(Connect("p", 5, properties={"authentication_method": "TWO"}))
    scene.got(client)
    refuse(client, encode_packet(early, 5), everything, QUOTA)
    [connack] = scene.got(client)
    assert isinstance(connack, Connack)
    assert connack.code == Reason.PROTOCOL_ERROR
    assert client.peer.ended == "closed"


def test_a_wrong_filter_beside_a_refused_one_ends_the_connection_with_its_reason(
    scene: Scene,
) -> None:
    client = scene.connect("p")
    packet = encode_packet(Subscribe(7, [Request("a"), Request("b#")]), 5)
    refuse(client, packet, lambda row: row.destination == "a", QUOTA)
    [disconnect] = scene.got(client)
    assert isinstance(disconnect, Disconnect)
    assert disconnect.code == Reason.TOPIC_FILTER_INVALID


def test_a_refused_connect_is_answered_within_the_client_s_maximum_packet_size(
    scene: Scene,
) -> None:
    client = scene.network.connect()
    connect = Connect("c", 5, properties={"maximum_packet_size": 10})
    refuse(client, encode_packet(connect, 5), everything, QUOTA, "far too long for so few bytes")
    assert scene.got(client) == [Connack(QUOTA)]


def test_fields_of_a_connect_are_set_by_the_version_that_it_names() -> None:
    packet = encode_packet(Connect("c", 5), 5)
    for name, value in (("receive_maximum", 1), ("user_property", [("a", "b:c")])):
        text = "a:b:c" if name == "user_property" else "1"
        made = decode_packet(set_fields(4, packet, {name: text}), 5)
        assert made == Connect("c", 5, properties={name: value})
    made = decode_packet(set_fields(4, packet, {"user_name": "u", "password": "p"}), 5)
    assert made == Connect("c", 5, user_name="u", password=b"p")
    with pytest.raises(InvalidInput, match="will cannot be set"):
        set_fields(4, packet, {"will": "t"})
    with pytest.raises(InvalidInput, match="user_property is NAME:VALUE, not 'a'"):
        set_fields(4, packet, {"user_property": "a"})
