"""Packets that no correct server sends: what each breaks, and how it reaches a client."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from mockforge_brokers.errors import InvalidInput, ProtocolError
from mockforge_brokers.mqtt import malformed
from mockforge_brokers.mqtt.codes import PacketType
from mockforge_brokers.mqtt.rows import read_rows
from mockforge_brokers.mqtt.wire.decode import decode_packet
from mockforge_brokers.mqtt.wire.frames import decode_varint
from mockforge_brokers.mqtt.wire.packets import Ack, Connack, Pingreq, Pingresp, Publish, Suback
from mockforge_brokers.protocols import PROTOCOLS

NAMES = PROTOCOLS["mqtt"].malformed

OF_5 = {
    *("unknown-property", "duplicate-property", "long-properties"),
    *("alias-0", "unsolicited-alias", "bad-reason"),
}

# Whole packets: their topic or alias is none, or only who knows what went before can see that they
# are wrong.
WHOLE = {
    "empty-topic": Publish("", b"x"),
    "wildcard-topic": Publish("malformed/#", b"x"),
    "alias-0": Publish("malformed/alias-0", b"x", properties={"topic_alias": 0}),
    "unsolicited-alias": Publish("", b"x", properties={"topic_alias": 65_535}),
    "unsolicited-puback": Ack(PacketType.PUBACK, 65_535),
    "unsolicited-pubrec": Ack(PacketType.PUBREC, 65_535),
    "unsolicited-pubrel": Ack(PacketType.PUBREL, 65_535),
    "unsolicited-pubcomp": Ack(PacketType.PUBCOMP, 65_535),
    "unsolicited-suback": Suback(65_535, [0]),
    "unsolicited-pingresp": Pingresp(),
    "second-connack": Connack(0, False),
    "from-a-client": Pingreq(),
}


@pytest.mark.parametrize("version", [3, 4, 5])
@pytest.mark.parametrize("name", NAMES)
def test_each_is_wrong_in_itself_or_out_of_place(name: str, version: int) -> None:
    if name in OF_5 and version < 5:
        with pytest.raises(InvalidInput, match="is of MQTT 5"):
            malformed.packet(name, version)
        return
    data = malformed.packet(name, version)
    if name == "wrong-flags" and version == 3:
        return  # MQTT 3.1 has no word about them, so that its decoder takes them.
    if name in WHOLE:
        assert decode_packet(data, version) == WHOLE[name]
        return
    try:
        length, begin = decode_varint(data, 1, len(data))
        if begin + length > len(data):
            assert name == "long-length", "all others are whole, so that a client reads on"
            return
        decode_packet(data, version)
    except ProtocolError:
        return
    pytest.fail(f"{name} is nothing that anybody would refuse")


def test_an_unknown_name_is_refused() -> None:
    with pytest.raises(InvalidInput, match="no malformed packet nonsense"):
        malformed.packet("nonsense", 5)


# At which byte reading ended, and what was read before it.
SHOWN = {
    "bad-varint": (5, {}),
    "long-length": (1, {"remaining_length": 268_435_455}),
    "type-0": (0, {}),
    "wrong-flags": (0, {}),
    "qos-3": (0, {"topic_name": None}),
    "packet-id-0": (27, {"topic_name": "malformed/packet-id-0", "packet_id": 0}),
    "bad-utf8": (16, {"topic_name": "malformed/\ufffd("}),
    "topic-beyond-end": (4, {"topic_name": None}),
    "unknown-property": (32, {"topic_name": "malformed/unknown-property"}),
    "bad-reason": (5, {"packet_id": 65_535, "code": 1}),
    "short-puback": (2, {"packet_id": None}),
}


@pytest.mark.parametrize("name", SHOWN)
def test_a_row_says_where_it_is_wrong_and_what_could_be_read_before(name: str) -> None:
    at, fields = SHOWN[name]
    data = malformed.packet(name, 5)
    [row] = read_rows(1, data, 5, {})
    assert row.error.endswith(f", at byte {at} of {len(data)}")
    assert {key: row.detail.get(key) for key in fields} == fields
    assert row.destination == (fields.get("topic_name") or "")


BROKEN = {
    # PUBLISH t with content_type, a user property, and a property that is none.
    "30 13 0001 74 0e 03 0002 6162 26 0001 61 0001 62 7f 00 78": {
        "topic_name": "t",
        "content_type": "ab",
        "user_property": [("a", "b")],
    },
    # SUBSCRIBE with an identifier and two filters, the second with reserved options.
    "82 0d 0007 02 0b 05 0001 61 01 0001 62 ff": {
        "packet_id": 7,
        "subscription_identifier": [5],
        "filters": ["a", "b"],
    },
    # The same with an identifier that ends within its value.
    "82 05 0007 02 0b 85": {"packet_id": 7, "subscription_identifier": None},
    "a2 09 0007 00 0001 61 0001 ff": {"packet_id": 7, "filters": ["a", "\ufffd"]},
    # CONNECT of MQTT 5 whose user name is no UTF-8; its password is nobody's business.
    "10 19 0004 4d515454 05 c2 003c 03 21 0009 0001 63 0001 ff 0003 736563": {
        "version": 5,
        "receive_maximum": 9,
        "client_id": "c",
        "user_name": "\ufffd",
        "password": None,
    },
    # CONNECT of 3.1.1 whose will topic has U+0000.
    "10 14 0004 4d515454 04 06 003c 0001 63 0001 00 0002 6d6d": {
        "client_id": "c",
        "will": {"topic_name": "\0"},
    },
}
"""Packets, and what is shown of them."""


@pytest.mark.parametrize("packet", BROKEN)
def test_properties_filters_and_payload_are_shown_up_to_what_is_wrong(packet: str) -> None:
    [row] = read_rows(0, bytes.fromhex(packet), 5, {})
    assert "at byte" in row.error
    fields = BROKEN[packet]
    assert {key: row.detail.get(key) for key in fields} == fields


@pytest.mark.parametrize("data", [b"\x30", b"\x30\x80", b"\x30\xff\xff\x80"])
def test_a_length_that_is_not_all_there_is_shown_as_no_length(data: bytes) -> None:
    [row] = read_rows(0, data, 5, {})
    assert row.error.endswith(f", at byte {len(data)} of {len(data)}")
    assert row.detail == {}


@given(st.binary(min_size=1, max_size=40), st.sampled_from([3, 4, 5]))
def test_whatever_the_bytes_are_there_is_one_row(data: bytes, version: int) -> None:
    [row] = read_rows(0, data, version, {})
    assert row.frame == data
