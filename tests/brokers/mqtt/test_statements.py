"""Statements of the specifications that no transcript shows; statements.txt says which is which."""

from collections.abc import Callable
from typing import Any

import pytest
from mockforge_brokers.access import rule_of
from mockforge_brokers.mqtt.codes import PacketType
from mockforge_brokers.mqtt.records import Message
from mockforge_brokers.mqtt.wire.encode import encode_packet
from mockforge_brokers.mqtt.wire.packets import (
    Ack,
    Auth,
    Connack,
    Connect,
    Disconnect,
    Packet,
    Pingreq,
    Pingresp,
    Publish,
    Request,
    Suback,
    Subscribe,
    Unsuback,
    Unsubscribe,
    Will,
)

from ..fake_peer import FakeClient
from .scene import Scene

Send = Callable[..., list[Packet]]
VERSIONS = pytest.mark.parametrize("version", [4, 5])


def raw(scene: Scene, client: FakeClient, data: str) -> list[Packet]:
    client.send(bytes.fromhex(data))
    return scene.got(client)


def kept(version: int) -> dict[str, Any]:
    """How a session is kept."""
    if version == 4:
        return {"clean_start": False}
    return {"clean_start": False, "properties": {"session_expiry_interval": 100}}


def text(data: bytes) -> str:
    return (len(data).to_bytes(2, "big") + data).hex()


# 1 and 2: data, headers ------------------------------------------------------------------------

_BAD = [b"\xed\xa0\x80", b"\xff", b"\xc0\x80", b"a\0b"]


def packet(first: int, version: int, *parts: str, properties: str = "00") -> bytes:
    """`parts` in hex; `P` stands for the properties of MQTT 5."""
    body = "".join((properties if version == 5 else "") if each == "P" else each for each in parts)
    return bytes((first, len(bytes.fromhex(body)))) + bytes.fromhex(body)


@VERSIONS
@pytest.mark.parametrize("bad", _BAD)
@pytest.mark.parametrize("place", ["topic", "subscribe", "unsubscribe"])
def test_strings_that_are_no_utf_8_or_have_a_null_end_the_connection(
    place: str, bad: bytes, version: int
) -> None:
    sent = {
        "topic": packet(0x30, version, text(bad), "P"),
        "subscribe": packet(0x82, version, "0001", "P", text(bad), "00"),
        "unsubscribe": packet(0xA2, version, "0001", "P", text(bad)),
    }[place]
    client = Scene(version=version).connect()
    client.send(sent)
    assert client.peer.ended == "closed"


@VERSIONS
@pytest.mark.parametrize("bad", _BAD)
@pytest.mark.parametrize("field", ["client id", "will topic", "user name"])
def test_a_connect_with_such_a_string_is_refused(field: str, bad: bytes, version: int) -> None:
    flags = {"client id": "02", "will topic": "06", "user name": "82"}[field]
    head = "00044d515454" + f"{version:02x}" + flags + "0000"
    rest = {
        "client id": [text(bad)],
        "will topic": [text(b"c"), "P", text(bad), text(b"")],
        "user name": [text(b"c"), text(bad)],
    }[field]
    client = Scene(version=version).network.connect()
    client.send(packet(0x10, version, head, "P", *rest))
    assert client.peer.ended == "closed"
    assert client.take()[:1] in (b"", b"\x20")


@pytest.mark.parametrize("bad", _BAD)
@pytest.mark.parametrize("identifier", ["26", "08", "03"])
def test_properties_of_text_are_utf_8(identifier: str, bad: bytes) -> None:
    value = text(bad) + (text(b"x") if identifier == "26" else "")
    properties = bytes.fromhex(identifier + value)
    client = Scene().connect()
    client.send(packet(0x30, 5, text(b"t"), "P", properties=bytes((len(properties),)).hex()
                       + properties.hex()))  # fmt: skip
    assert client.peer.ended == "closed"


@VERSIONS
def test_a_byte_order_mark_stays_part_of_its_string(version: int) -> None:
    scene = Scene(version=version)
    marked, plain = scene.connect("marked", "\ufefft"), scene.connect("plain", "t")
    scene.ask(scene.connect("p"), Publish("\ufefft", b"x"))
    assert scene.got(marked) == [Publish("\ufefft", b"x")]
    assert scene.got(plain) == []


@VERSIONS
@pytest.mark.parametrize(
    "sent",
    ["41020001", "51020001", "60020001", "71020001", "80", "a0", "c100", "e100", "f000", "f100"],
)
def test_reserved_flags_that_are_not_as_they_must_be_end_the_connection(
    sent: str, version: int
) -> None:
    rest = {"80": packet(0x80, version, "0001", "P", text(b"t"), "00"),
            "a0": packet(0xA0, version, "0001", "P", text(b"t"))}  # fmt: skip
    client = Scene(version=version).connect()
    client.send(rest.get(sent) or bytes.fromhex(sent))
    assert client.peer.ended == "closed"


@VERSIONS
@pytest.mark.parametrize("kind", ["publish", "subscribe", "unsubscribe"])
def test_packet_identifier_0_ends_the_connection(kind: str, version: int) -> None:
    sent = {
        "publish": packet(0x32, version, text(b"t"), "0000", "P"),
        "subscribe": packet(0x82, version, "0000", "P", text(b"t"), "00"),
        "unsubscribe": packet(0xA2, version, "0000", "P", text(b"t")),
    }[kind]
    client = Scene(version=version).connect()
    client.send(sent)
    assert client.peer.ended == "closed"


# 3.1, 3.2: CONNECT and CONNACK -----------------------------------------------------------------


@VERSIONS
@pytest.mark.parametrize("flags", ["03", "0a", "12", "22", "1e"])
def test_connect_flags_that_contradict_each_other_are_refused(flags: str, version: int) -> None:
    # The reserved one; Will QoS 1, QoS 2, Will Retain without a will; Will QoS 3.
    client = Scene(version=version).network.connect()
    head = "00044d515454" + f"{version:02x}" + flags + "0000"
    client.send(packet(0x10, version, head, "P", text(b"c"), "P", text(b"w"), text(b"x")))
    assert client.peer.ended == "closed"
    # 3.1.1 has no code for it, and closes without a word.
    assert client.take()[3:4] == (b"\x81" if version == 5 else b"")


def test_a_password_needs_a_user_name_before_mqtt_5_only() -> None:
    for version, ended in ((4, "closed"), (5, "")):
        client = Scene(version=version).network.connect()
        head = "00044d515454" + f"{version:02x}" + "420000"
        client.send(packet(0x10, version, head, "P", text(b"c"), text(b"secret")))
        assert client.peer.ended == ended


@VERSIONS
def test_client_ids_of_23_letters_and_digits_are_taken(version: int) -> None:
    letters = "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
    scene = Scene(version=version)
    for start in range(0, 62, 23):
        assert not scene.connect(letters[start : start + 23]).peer.ended


def test_an_assigned_client_identifier_is_new_each_time() -> None:
    scene = Scene()
    given = set()
    for _ in range(3):
        client = scene.network.connect()
        [answer] = scene.ask(client, Connect("", 5))
        assert isinstance(answer, Connack)
        given.add(answer.properties["assigned_client_identifier"])
    assert len(given) == 3
    assert given <= set(scene.broker.registry.by_client)


@VERSIONS
def test_clean_start_discards_the_session_and_says_so(version: int) -> None:
    scene = Scene(version=version)
    scene.connect("c", "t", qos=1, **kept(version)).vanish()
    scene.ask(scene.connect("p"), Publish("t", b"x", 1, packet_id=1))
    answers = scene.ask(scene.network.connect(), Connect("c", version, True), Pingreq())
    assert [type(each) for each in answers] == [Connack, Pingresp]
    assert isinstance(answers[0], Connack)
    assert not answers[0].session_present
    assert scene.broker.registry.by_client["c"].subscriptions == {}


@VERSIONS
def test_a_kept_session_is_there_and_said_to_be(version: int) -> None:
    scene = Scene(version=version)
    for present in (False, True, True):
        client = scene.network.connect()
        [answer] = scene.ask(client, Connect("c", version, **kept(version)))
        assert isinstance(answer, Connack)
        assert (answer.code, answer.session_present) == (0, present)
        client.vanish()


@VERSIONS
def test_what_follows_a_connect_that_is_refused_has_no_effect(version: int) -> None:
    scene = Scene(version=version)
    scene.environment.access.anonymous.clear()
    client = scene.network.connect()
    [answer] = scene.ask(client, Connect("c", version), Publish("t", b"x", retain=True), Pingreq())
    assert isinstance(answer, Connack)
    assert answer.code
    assert not answer.session_present
    assert client.peer.ended == "closed"
    assert scene.broker.router.retained.count == 0
    assert scene.broker.registry.by_client == {}


@VERSIONS
def test_a_will_is_published_once_and_retained_messages_outlive_sessions(version: int) -> None:
    scene = Scene(version=version)
    watcher = scene.connect("watcher", "w")
    scene.connect("c", will=Will("w", b"gone", 0, True), **kept(version)).vanish()
    scene.connect("c", **kept(version)).vanish()
    assert scene.got(watcher) == [Publish("w", b"gone")]
    scene.clock.advance(200)
    scene.connect("c", clean_start=True)
    late = scene.network.connect()
    answers = scene.ask(late, Connect("late", version), Subscribe(1, [Request("w")]))
    assert answers[-1] == Publish("w", b"gone", retain=True)


def test_a_will_keeps_the_order_of_its_user_properties() -> None:
    scene = Scene()
    pairs = [("b", "1"), ("a", "2"), ("b", "1")]
    watcher = scene.connect("watcher", "w")
    scene.connect("c", will=Will("w", b"x", properties={"user_property": pairs})).vanish()
    [will] = scene.got(watcher)
    assert isinstance(will, Publish)
    assert will.properties["user_property"] == pairs


# Reason strings, user properties and the client's Maximum Packet Size ---------------------------


@pytest.mark.parametrize(
    ("sent", "answer"),
    [
        (Publish("no/t", b"", 1, packet_id=1), Ack(PacketType.PUBACK, 1, 0x87)),
        (Publish("no/t", b"", 2, packet_id=1), Ack(PacketType.PUBREC, 1, 0x87)),
        (Subscribe(1, [Request("no/t")]), Suback(1, [0x87])),
        (Publish("+"), Disconnect(0x90)),
        (Unsubscribe(1, ["a"]), Unsuback(1, [0x11])),
        (Ack(PacketType.PUBREC, 9), Ack(PacketType.PUBREL, 9, 0x92)),
        (Ack(PacketType.PUBREL, 9), Ack(PacketType.PUBCOMP, 9, 0x92)),
    ],
)
def test_what_of_an_explanation_has_no_room_is_left_out(sent: Packet, answer: Packet) -> None:
    scene = Scene()
    scene.environment.access.add_rule(rule_of("deny * all mqtt:no/#"))
    found = set()
    for size in (*range(20, 110, 2), 200):
        client = scene.connect("c", properties={"maximum_packet_size": size})
        [got] = scene.ask(client, sent)
        assert len(encode_packet(got, 5)) <= size
        found.add(tuple(got.properties))  # type: ignore[union-attr]
        got.properties.clear()  # type: ignore[union-attr]
        assert got == answer
    # An acknowledgement of nothing has nothing more to say to a program.
    most = () if getattr(answer, "code", 0) == 0x92 else (("reason_string", "user_property"),)
    assert found == {(), ("reason_string",), *most}


def test_a_connack_without_room_for_its_explanation_has_none() -> None:
    scene = Scene(client_id_maximum=1)
    found = set()
    for size in range(10, 120, 2):
        asked = {"maximum_packet_size": size}
        [answer] = scene.ask(scene.network.connect(), Connect("long", 5, properties=asked))
        assert isinstance(answer, Connack)
        assert len(encode_packet(answer, 5)) <= size
        assert answer.code == 0x85
        found.add(tuple(answer.properties))
    assert found == {(), ("reason_string",), ("reason_string", "user_property")}


def test_after_its_disconnect_the_broker_sends_nothing_and_closes() -> None:
    # In MQTT 5 these two bind the sender of DISCONNECT [MQTT-3.14.4-1] [MQTT-3.14.4-2].
    scene = Scene()
    client = scene.connect("c", "t", qos=1)
    wrong = bytes.fromhex("32 06 00 01") + b"+" + bytes.fromhex("00 09 00")
    client.send(wrong + encode_packet(Pingreq(), 5))
    scene.broker.router.publish(Message("t", b"x", 1))
    scene.network.settle()
    (last,) = scene.got(client)
    assert isinstance(last, Disconnect)
    assert last.code == 0x90
    assert client.peer.ended == "closed"


def test_what_lies_within_a_refused_filter_is_refused_with_its_code() -> None:
    # Mosquitto 2 (dynamic security) denies so by `subscribePattern`, which leaves `#` granted.
    refused = {"secret/#": 0x87, "secret/open": 0x80, "a/+": 0x97, "test/nosubscribe": 0x80}
    scene = Scene(refused_filters=refused)
    client = scene.connect()
    for topic_filter, code in {
        "secret/#": 0x87,
        "secret": 0x87,
        "secret/a/b": 0x87,
        "secret/+": 0x87,
        "$share/g/secret/a": 0x87,
        "secret/open": 0x80,
        "a/b": 0x97,
        "a/#": 0,
        "a/b/c": 0,
        "#": 0,
        "+/a": 0,
        "secrets": 0,
        "test/nosubscribe": 0x80,
        "test/nosubscribe/x": 0,
    }.items():
        (suback,) = scene.ask(client, Subscribe(1, [Request(topic_filter)]))
        assert isinstance(suback, Suback)
        assert (topic_filter, suback.codes) == (topic_filter, [code])


def test_a_refused_filter_of_paho_s_suite_is_explained_in_less_than_128_bytes() -> None:
    """Its decoder takes properties of more for a byte shorter than they are."""
    scene = Scene(refused_filters={"test/nosubscribe": 0x80})
    client = scene.connect()
    client.send(encode_packet(Subscribe(1, [Request("test/nosubscribe")]), 5))
    # Behind a length of one byte and the packet identifier.
    assert client.take()[4] < 128


def test_a_refusal_says_by_user_properties_what_a_program_can_read() -> None:
    scene = Scene(filters_maximum=2, refused_filters={"x": 0x87}, topic_levels_maximum=2)
    scene.environment.access.add_rule(rule_of("deny * all mqtt:no/#"))
    denied = "a rule denies it: deny * all mqtt:no/#"
    option = "refused by the broker (refused_filters)"
    deep = "'a/b/c' has more than 2 levels (topic_levels_maximum)"
    never = "the session has no such subscription"
    for sent, why, facts in (
        (Publish("no/t", b"", 1, packet_id=1), denied, [("topic", "no/t")]),
        (Publish("no/t", b"", 2, packet_id=1), denied, [("topic", "no/t")]),
        (
            Subscribe(1, [Request("no/t"), Request("x")]),
            f"no/t: {denied}, and 1 more",
            [("no/t", denied), ("x", option)],
        ),
        (Subscribe(1, [Request("a/b/c")]), f"a/b/c: {deep}", [("a/b/c", deep)]),
        (Unsubscribe(1, ["a", "b"]), f"a: {never}, and 1 more", [("a", never), ("b", never)]),
        (
            Subscribe(1, [Request("a"), Request("b"), Request("c")]),
            "SUBSCRIBE: 3 filters at once, and 2 are taken here",
            [("setting", "filters_maximum")],
        ),
        (
            Publish("a", properties={"topic_alias": 999}),
            "PUBLISH: topic alias 999 is above our maximum of 256 [MQTT-3.3.2-9]",
            [("statement", "MQTT-3.3.2-9"), ("setting", "topic_alias_maximum")],
        ),
    ):
        [got] = scene.ask(scene.connect("c"), sent)
        assert got.properties == {"reason_string": why, "user_property": facts}  # type: ignore[union-attr]


def test_of_thousands_of_refused_filters_some_are_named_and_the_others_counted() -> None:
    scene = Scene()
    scene.environment.access.add_rule(rule_of("deny * all mqtt:#"))
    wish = Subscribe(1, [Request(f"t/{number}") for number in range(2000)])
    [got] = scene.ask(scene.connect("c"), wish)
    assert isinstance(got, Suback)
    assert len(got.properties["user_property"]) == 20
    assert got.properties["reason_string"].endswith(", and 1999 more")


def test_a_redirect_keeps_its_server_reference_where_the_reason_has_no_room() -> None:
    scene = Scene()
    scene.broker.redirect("*", "b.example:1883")
    server = {"server_reference": "b.example:1883"}
    for size, room in ((200, server), (30, server), (12, {})):
        asked = {"maximum_packet_size": size}
        [answer] = scene.ask(scene.network.connect(), Connect("c", 5, properties=asked))
        assert isinstance(answer, Connack)
        answer.properties.pop("reason_string", None)
        assert (answer.code, answer.properties) == (0x9C, room)


def test_only_refusals_are_explained_and_no_packet_of_ours_has_a_session_expiry() -> None:
    scene = Scene(auth_methods=("M hello",))
    scene.environment.access.add_rule(rule_of("deny * all mqtt:no/#"))
    asked = {"authentication_method": "M"}
    client = scene.network.connect()
    got = scene.ask(client, Connect("c", 5, properties=asked))
    got += scene.ask(client, Auth(0x18, asked))
    got += scene.ask(
        client,
        Subscribe(1, [Request("no/t"), Request("t", 2)]),
        Publish("no/t", b"", 1, packet_id=1),
        Publish("t", b"", 2, packet_id=2),
        Ack(PacketType.PUBREL, 2),
        Ack(PacketType.PUBREC, 1),
        Unsubscribe(3, ["t", "u"]),
        Pingreq(),
        Publish("+"),
    )
    kinds = {each.type.name if isinstance(each, Ack) else type(each).__name__ for each in got}
    assert kinds == {
        *("Auth", "Connack", "Suback", "PUBACK", "PUBREC", "PUBCOMP", "PUBREL", "Publish"),
        *("Unsuback", "Pingresp", "Disconnect"),
    }
    for each in got:
        properties = getattr(each, "properties", {})
        assert "session_expiry_interval" not in properties
        codes = getattr(each, "codes", (getattr(each, "code", 0),))
        refused = any(code > 0x10 and code != 0x18 for code in codes)
        assert ("reason_string" in properties) is refused


# 3.3: PUBLISH ----------------------------------------------------------------------------------


@VERSIONS
def test_dup_is_not_handed_on_and_after_puback_an_identifier_is_free(version: int) -> None:
    scene = Scene(version=version)
    taker = scene.connect("taker", "t", qos=1)
    sent = Publish("t", b"x", 1, dup=True, packet_id=9)
    scene.ask(scene.connect("p"), sent, sent)
    got = scene.got(taker)
    assert [(each.dup, each.packet_id) for each in got] == [(False, 1), (False, 2)]  # type: ignore[union-attr]


@VERSIONS
def test_a_publish_without_retain_leaves_what_is_retained(version: int) -> None:
    scene = Scene(version=version)
    scene.ask(scene.connect("p"), Publish("t", b"old", retain=True), Publish("t", b"new"))
    assert scene.broker.retained() == [("t", b"old", 0)]
    scene.ask(scene.connect("p"), Publish("t", b""))
    assert scene.broker.retained() == [("t", b"old", 0)]


def test_every_alias_up_to_the_maximum_is_taken() -> None:
    scene = Scene(topic_alias_maximum=5)
    taker, client = scene.connect("taker", "#"), scene.connect("p")
    for alias in range(1, 6):
        scene.ask(client, Publish(f"t/{alias}", b"", properties={"topic_alias": alias}))
    for alias in range(1, 6):
        scene.ask(client, Publish("", b"", properties={"topic_alias": alias}))
    assert scene.got(taker) == [Publish(f"t/{alias}") for alias in range(1, 6)] * 2


@VERSIONS
def test_a_full_window_holds_up_nothing_but_publishes(version: int) -> None:
    scene = Scene(version=version)
    asked = {"properties": {"receive_maximum": 1}} if version == 5 else {}
    client = scene.connect("c", "t", qos=1, **asked)
    publisher = scene.connect("p")
    for number in (1, 2):
        scene.ask(publisher, Publish("t", b"x", 1, packet_id=number))
    scene.got(client)
    answers = scene.ask(client, Pingreq(), Subscribe(2, [Request("u")]), Unsubscribe(3, ["u"]))
    assert [type(each) for each in answers] == [Pingresp, Suback, Unsuback]
    [got] = scene.ask(client, Ack(PacketType.PUBACK, 1)) or [None]
    assert (got is not None) is (version == 5)


@VERSIONS
def test_messages_of_one_topic_come_in_order(version: int) -> None:
    scene = Scene(version=version)
    taker = scene.connect("taker", "t", qos=1)
    publisher = scene.connect("p")
    for number in range(1, 60):
        qos = 1 if number % 3 else 0
        scene.ask(publisher, Publish("t", b"%d" % number, qos, packet_id=number if qos else 0))
    numbers = [int(each.payload) for each in scene.got(taker)]  # type: ignore[union-attr]
    assert numbers == list(range(1, 60))


# 3.8, 3.10: SUBSCRIBE and UNSUBSCRIBE -----------------------------------------------------------


@VERSIONS
@pytest.mark.parametrize("options", ["03", "c0", "40", "80"])
def test_reserved_bits_of_subscription_options_end_the_connection(
    options: str, version: int
) -> None:
    client = Scene(version=version).connect()
    client.send(packet(0x82, version, "0001", "P", text(b"t"), options))
    assert client.peer.ended == "closed"


@VERSIONS
@pytest.mark.parametrize("first", [0x82, 0xA2])
def test_a_packet_without_filters_ends_the_connection(first: int, version: int) -> None:
    client = Scene(version=version).connect()
    client.send(packet(first, version, "0001", "P"))
    assert client.peer.ended == "closed"


@VERSIONS
def test_one_suback_answers_all_filters_in_order_and_each_gets_what_is_retained(
    version: int,
) -> None:
    scene = Scene(version=version, refused_filters={"no": 0x87})
    scene.ask(scene.connect("p"), Publish("a", b"1", retain=True))
    wish = Subscribe(7, [Request("b", 2), Request("no", 1), Request("a", 1)])
    for _ in range(2):
        suback, retained = scene.ask(scene.connect(), wish)
        assert isinstance(suback, Suback)
        refused = 0x87 if version == 5 else 0x80
        assert (suback.packet_id, suback.codes) == (7, [2, refused, 1])
        assert retained == Publish("a", b"1", retain=True)


@VERSIONS
def test_the_same_filter_again_brings_what_is_retained_and_one_subscription(version: int) -> None:
    scene = Scene(version=version)
    publisher = scene.connect("p")
    scene.ask(publisher, Publish("t", b"r", retain=True))
    client = scene.connect("c", "t")
    answers = scene.ask(client, Subscribe(2, [Request("t", 1)]))
    assert answers[1:] == [Publish("t", b"r", retain=True)]
    scene.ask(publisher, Publish("t", b"x", 1, packet_id=1))
    assert scene.got(client) == [Publish("t", b"x", 1, packet_id=1)]


@VERSIONS
def test_unsubscribe_stops_what_is_new_and_completes_what_has_begun(version: int) -> None:
    scene = Scene(version=version)
    client = scene.connect("c", "t", "u", qos=2)
    publisher = scene.connect("p")
    scene.ask(publisher, Publish("t", b"1", 2, packet_id=1))
    [begun] = scene.got(client)
    assert isinstance(begun, Publish)
    [unsuback] = scene.ask(client, Unsubscribe(5, ["t", "T", "u"]))
    assert isinstance(unsuback, Unsuback)
    assert unsuback.packet_id == 5
    assert unsuback.codes == ([0, 0x11, 0] if version == 5 else [])
    scene.ask(publisher, Publish("t", b"2", 2, packet_id=2))
    assert scene.got(client) == []
    received = scene.ask(client, Ack(PacketType.PUBREC, begun.packet_id))
    assert received == [Ack(PacketType.PUBREL, begun.packet_id)]
    assert scene.ask(client, Ack(PacketType.PUBCOMP, begun.packet_id)) == []
    assert scene.broker.registry.by_client["c"].inflight == {}


# 4: operational behaviour ----------------------------------------------------------------------


@VERSIONS
def test_after_pubrec_only_pubrel_is_sent_again(version: int) -> None:
    scene = Scene(version=version)
    client = scene.connect("c", "t", qos=2, **kept(version))
    scene.ask(scene.connect("p"), Publish("t", b"1", 2, packet_id=1))
    [sent] = scene.got(client)
    assert isinstance(sent, Publish)
    scene.ask(client, Ack(PacketType.PUBREC, sent.packet_id))
    client.vanish()
    answers = scene.ask(scene.network.connect(), Connect("c", version, **kept(version)))
    assert answers[1:] == [Ack(PacketType.PUBREL, sent.packet_id)]


@VERSIONS
def test_after_pubcomp_an_identifier_stands_for_a_new_message(version: int) -> None:
    scene = Scene(version=version)
    taker, client = scene.connect("taker", "t"), scene.connect("p")
    for payload in (b"1", b"2"):
        scene.ask(client, Publish("t", payload, 2, packet_id=1), Ack(PacketType.PUBREL, 1))
    assert scene.got(taker) == [Publish("t", b"1"), Publish("t", b"2")]


def test_after_a_failing_pubrec_an_identifier_stands_for_a_new_message() -> None:
    scene = Scene()
    number = scene.environment.access.add_rule(rule_of("deny * write mqtt:t"))
    taker, client = scene.connect("taker", "t"), scene.connect("p")
    [refused] = scene.ask(client, Publish("t", b"1", 2, packet_id=1))
    assert isinstance(refused, Ack)
    assert refused.code == 0x87
    scene.environment.access.remove_rule(number)
    [taken] = scene.ask(client, Publish("t", b"2", 2, packet_id=1))
    assert taken == Ack(PacketType.PUBREC, 1)
    assert scene.got(taker) == [Publish("t", b"2")]


def test_what_was_sent_once_does_not_expire() -> None:
    scene = Scene()
    client = scene.connect("c", "t", qos=2, **kept(5))
    life = {"message_expiry_interval": 10}
    scene.ask(scene.connect("p"), Publish("t", b"1", 2, packet_id=1, properties=life))
    [sent] = scene.got(client)
    assert isinstance(sent, Publish)
    client.vanish()
    scene.clock.advance(50)
    again = scene.network.connect()
    _, resent = scene.ask(again, Connect("c", 5, **kept(5)))
    assert isinstance(resent, Publish)
    assert (resent.dup, resent.packet_id) == (True, sent.packet_id)
    assert scene.ask(again, Ack(PacketType.PUBREC, 1)) == [Ack(PacketType.PUBREL, 1)]
    assert scene.ask(again, Ack(PacketType.PUBCOMP, 1)) == []


@VERSIONS
def test_matching_compares_character_by_character(version: int) -> None:
    scene = Scene(version=version)
    composed = scene.connect("composed", "caf\u00e9")
    decomposed = scene.connect("decomposed", "cafe\u0301")
    upper = scene.connect("upper", "CAF\u00c9", "/caf\u00e9", "caf\u00e9/")
    scene.ask(scene.connect("p"), Publish("caf\u00e9", b"x"))
    assert [len(scene.got(each)) for each in (composed, decomposed, upper)] == [1, 0, 0]


def test_a_share_gives_each_member_the_qos_it_was_granted() -> None:
    scene = Scene()
    low, high = (
        scene.connect("low", "$share/g/t", qos=0),
        scene.connect("high", "$share/g/t", qos=2),
    )
    publisher = scene.connect("p")
    for number in range(1, 5):
        scene.ask(publisher, Publish("t", b"x", 1, packet_id=number))
    assert {each.qos for each in scene.got(low)} == {0}  # type: ignore[union-attr]
    assert {each.qos for each in scene.got(high)} == {1}  # type: ignore[union-attr]


def test_what_one_member_of_a_share_has_begun_is_no_others() -> None:
    scene = Scene()
    one = scene.connect("one", "$share/g/t", qos=2, **kept(5))
    publisher = scene.connect("p")
    scene.ask(publisher, Publish("t", b"1", 2, packet_id=1))
    [begun] = scene.got(one)
    assert isinstance(begun, Publish)
    two = scene.connect("two", "$share/g/t", qos=2)
    one.vanish()
    assert scene.got(two) == []
    again = scene.network.connect()
    _, resent = scene.ask(again, Connect("one", 5, **kept(5)))
    assert isinstance(resent, Publish)
    assert (resent.payload, resent.dup) == (b"1", True)
    # Refused by its member it goes to nobody [MQTT-4.8.2-6].
    assert scene.ask(again, Ack(PacketType.PUBREC, resent.packet_id, 0x80)) == []
    assert scene.got(two) == []


def test_what_a_member_whose_session_ends_had_begun_goes_to_nobody() -> None:
    scene = Scene()
    one = scene.connect("one", "$share/g/t", qos=2)
    scene.ask(scene.connect("p"), Publish("t", b"1", 2, packet_id=1))
    assert len(scene.got(one)) == 1
    two = scene.connect("two", "$share/g/t", qos=2)
    one.vanish()
    assert scene.got(two) == []


@pytest.mark.parametrize(
    "topic_filter", ["$share/", "$share/g", "$share//t", "$share/g/", "$share/g+/t"]
)
def test_a_share_needs_a_name_and_a_filter(topic_filter: str) -> None:
    scene = Scene()
    [answer] = scene.ask(scene.connect(), Subscribe(1, [Request(topic_filter)]))
    assert isinstance(answer, Disconnect)
    assert answer.code == 0x8F


def test_a_connack_of_mqtt_3_1_has_no_session_present() -> None:
    # Its first byte is reserved there (3.1, 3.2); Mosquitto leaves it 0 as well.
    scene = Scene(version=3)
    for _ in range(2):
        client = scene.network.connect()
        client.send(encode_packet(Connect("c", 3, clean_start=False), 3))
        assert client.take() == b"\x20\x02\x00\x00"
        client.vanish()
