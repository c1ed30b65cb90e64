"""Every message of MQTT-SN: bytes to value and back, and what is malformed."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from mockforge_brokers.errors import ProtocolError
from mockforge_brokers.mqtt.sn import messages as sn
from mockforge_brokers.mqtt.sn.codec import SnSplitter, cut, decode, encode, unwrap, wrap
from mockforge_brokers.mqtt.sn.messages import MessageType, SnMessage
from mockforge_brokers.mqtt.sn.rows import read_rows
from mockforge_brokers.mqtt.sn.topics import TopicIds

from brokers.playback import to_bytes

CASES: list[tuple[str, SnMessage]] = [
    ("05 00 07 03 84", sn.Advertise(7, 900)),
    ("03 01 00", sn.SearchGateway(0)),
    ("03 02 07", sn.GatewayInfo(7)),
    ("07 02 07 7f 00 00 01", sn.GatewayInfo(7, b"\x7f\0\0\1")),
    ('07 04 04 01 00 3c "d"', sn.Connect("d", 60)),
    ('08 04 08 01 ff ff "d1"', sn.Connect("d1", 65_535, clean_session=False, will=True)),
    ("03 05 03", sn.Connack(3)),
    ("02 06", sn.WillTopicRequest()),
    ('07 07 30 "gone"', sn.WillTopic("gone", 1, retain=True)),
    ("02 07", sn.WillTopic()),
    ("02 08", sn.WillMessageRequest()),
    ('05 09 "bye"', sn.WillMessage(b"bye")),
    ("02 09", sn.WillMessage()),
    ('09 0a 00 00 00 05 "a/b"', sn.Register(5, "a/b")),
    ('09 0a 00 02 00 05 "a/b"', sn.Register(5, "a/b", 2)),
    ("07 0b 00 02 00 05 00", sn.Regack(2, 5)),
    ('09 0c a0 00 02 00 05 "21"', sn.Publish(2, b"21", 1, message_id=5, dup=True)),
    ("08 0c 62 61 62 00 00 01", sn.Publish(0x6162, b"\1", 3, topic_type=2)),
    ("07 0c 11 00 07 00 00", sn.Publish(7, b"", retain=True, topic_type=1)),
    ("07 0d 00 02 00 05 02", sn.Puback(2, 5, 2)),
    ("04 0e 00 05", sn.Pubcomp(5)),
    ("04 0f 00 05", sn.Pubrec(5)),
    ("04 10 00 05", sn.Pubrel(5)),
    ('08 12 20 00 06 "a/#"', sn.Subscribe(6, "a/#", qos=1)),
    ("07 12 c1 00 06 00 07", sn.Subscribe(6, topic_id=7, qos=2, topic_type=1, dup=True)),
    ('07 12 02 00 06 "ab"', sn.Subscribe(6, "ab", topic_type=2)),
    ("08 13 40 00 02 00 06 00", sn.Suback(2, 6, 0, 2)),
    ('08 14 00 00 06 "a/#"', sn.Unsubscribe(6, "a/#")),
    ("07 14 01 00 06 00 07", sn.Unsubscribe(6, topic_id=7, topic_type=1)),
    ("04 15 00 06", sn.Unsuback(6)),
    ("02 16", sn.Pingreq()),
    ('03 16 "d"', sn.Pingreq("d")),
    ("02 17", sn.Pingresp()),
    ("02 18", sn.Disconnect()),
    ("04 18 00 00", sn.Disconnect(0)),
    ("04 18 01 2c", sn.Disconnect(300)),
    ('05 1a 10 "lw"', sn.WillTopicUpdate("lw", retain=True)),
    ("02 1a", sn.WillTopicUpdate()),
    ("03 1b 00", sn.WillTopicResponse(0)),
    ('05 1c "bye"', sn.WillMessageUpdate(b"bye")),
    ("03 1d 03", sn.WillMessageResponse(3)),
]


def names(topic_type: int, topic_id: int) -> str | None:
    return {2: "a/b", 7: "predefined"}.get(topic_id)


def test_each_message_has_the_bytes_of_its_table_and_a_row_for_people() -> None:
    for text, message in CASES:
        data = to_bytes(text)
        assert (encode(message), decode(data)) == (data, message), text
        [row] = read_rows(0, data, names)
        assert row.operation == MessageType(data[1]).name
        assert row.frame == data
    kinds = {to_bytes(text)[1] for text, _ in CASES}
    assert kinds == set(MessageType) - {MessageType.ENCAPSULATED}


def test_a_message_of_more_than_255_octets_has_its_length_in_three() -> None:
    short, long = sn.Publish(2, b"x" * 248), sn.Publish(2, b"x" * 249)
    assert encode(short)[:2] == b"\xff\x0c"
    assert encode(long)[:4] == b"\x01\x01\x02\x0c"
    assert (decode(encode(short)), decode(encode(long))) == (short, long)
    # The long form is legal for a short message (5.2.1).
    assert decode(to_bytes("01 00 04 17")) == sn.Pingresp()
    with pytest.raises(ValueError, match="65535 at most"):
        encode(sn.Publish(2, b"x" * 65_530))


MALFORMED = [
    ("", "a length of 0"),
    ("00", "a length of 0"),
    ("01", "a length of 0"),
    ("01 00 03", "a length of 3, and 4 octets are the least"),
    ("02", "a length of 2, and there are 1 octets"),
    ("03 17", "a length of 3, and there are 2 octets"),
    ("03 17 00", "PINGRESP: 1 octets behind its end"),
    ("02 03", "0x03 is no type"),
    ("05 fe 00 01 02", "0xFE is no type"),
    ("02 04", "CONNECT: 1 bytes wanted"),
    ("07 04 04 01 00 3c ff", "CONNECT: client_id is not UTF-8 at its octet 0"),
    ("03 18 00", "DISCONNECT: 2 bytes wanted"),
    ("06 0c 00 00 02 00", "PUBLISH: 2 bytes wanted"),
    ("07 0c 03 00 02 00 00", "0b11 is reserved"),
    ("06 12 01 00 06 07", "SUBSCRIBE: 2 bytes wanted"),
    ("07 12 02 00 06 c3 28", "topic_name is not UTF-8"),
]


def test_malformed_bytes_say_what_is_wrong_and_make_a_row_with_it() -> None:
    for text, problem in MALFORMED:
        with pytest.raises(ProtocolError, match=problem):
            decode(to_bytes(text))
        [row] = read_rows(0, to_bytes(text), names)
        assert problem in row.error, text


@given(st.binary(max_size=300))
def test_any_bytes_are_a_message_or_a_protocol_error(data: bytes) -> None:
    assert read_rows(0, data, names)
    try:
        node, inner = unwrap(data)
    except ProtocolError:
        return
    assert unwrap(wrap(node, inner)) == (node, inner)
    try:
        message = decode(inner)
    except ProtocolError:
        return
    assert decode(encode(message)) == message


@given(st.lists(st.sampled_from(CASES), max_size=8), st.data())
def test_messages_written_together_are_cut_again(
    cases: list[tuple[str, object]], data: st.DataObject
) -> None:
    frames = [to_bytes(text) for text, _ in cases]
    whole = b"".join(frames)
    assert cut(whole) == frames
    at = data.draw(st.sampled_from([0, *(len(b"".join(frames[:n])) for n in range(len(frames)))]))
    splitter = SnSplitter()
    assert splitter.feed(whole[:at]) + splitter.feed(whole[at:]) == frames
    assert splitter.pending == 0


def test_a_forwarder_wraps_messages_and_names_the_node() -> None:
    ping = encode(sn.Pingreq())
    assert unwrap(to_bytes("05 fe 00 0a 0b") + ping) == (b"\x0a\x0b", ping)
    assert wrap(b"\x0a\x0b", ping) == to_bytes("05 fe 00 0a 0b 02 16")
    for text in (
        "03 fe 00 02 16",
        "05 fe 00 0a 0b",
        "05 fe 00 0a 0b 03 16",
        "01 00 06 fe 00 0a 02 16",
    ):
        with pytest.raises(ProtocolError):
            unwrap(to_bytes(text))


def test_topic_ids_are_each_clients_own_and_never_change_their_name() -> None:
    topics = TopicIds({7: "pre"}, 3)
    assert [topics.register(name) for name in ("a", "b", "a", "c", "d")] == [1, 2, 1, 3, 0]
    assert [topics.name(0, number) for number in (1, 3, 4, 0)] == ["a", "c", None, None]
    assert (topics.name(1, 7), topics.name(1, 1), topics.name(2, 0x6162)) == ("pre", None, "ab")
    assert topics.name(2, 0xFFFF) is None
    # To the client: what needs no REGISTER comes first.
    assert topics.id_for("pre") == (1, 7)
    assert topics.id_for("ab") == (2, 0x6162)
    assert topics.id_for("é") == (2, 0xC3A9)
    assert topics.id_for("b") == (0, 0)
    topics.known.add("b")
    assert topics.id_for("b") == (0, 2)
    # A name that the client itself registered has that id, short or not.
    other = TopicIds({7: "pre"}, 9)
    other.known |= {name for name in ("ab", "pre") if other.register(name)}
    assert (other.id_for("ab"), other.id_for("pre")) == ((0, 1), (0, 2))
