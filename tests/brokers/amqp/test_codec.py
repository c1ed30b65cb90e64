"""Frames, methods, tables and properties: bytes to values and back, and what malformed bytes do."""

import struct
from decimal import Decimal
from typing import Any

import pamqp.commands
import pamqp.frame
import pamqp.header
import pytest
from hypothesis import given
from hypothesis import strategies as st
from mockforge_brokers.amqp.records import Field, Table, plain, table
from mockforge_brokers.amqp.wire import content, frames, methods, units
from mockforge_brokers.amqp.wire.field_table import read_table, write_table
from mockforge_brokers.amqp.wire.properties import (
    check_properties,
    decode_properties,
    encode_header,
)
from mockforge_brokers.bytes_io import ByteReader
from mockforge_brokers.errors import InvalidInput, ProtocolError

FIELDS = [
    ("t", True, "74 01"),
    ("t", False, "74 00"),
    ("b", -2, "62 fe"),
    ("B", 254, "42 fe"),
    ("s", -2, "73 ff fe"),
    ("u", 65534, "75 ff fe"),
    ("I", -2, "49 ff ff ff fe"),
    ("i", 2**32 - 2, "69 ff ff ff fe"),
    ("l", -2, "6c ff ff ff ff ff ff ff fe"),
    ("L", -2, "4c ff ff ff ff ff ff ff fe"),
    ("f", 1.5, "66 3f c0 00 00"),
    ("d", 1.5, "64 3f f8 00 00 00 00 00 00"),
    ("D", Decimal("1.23"), "44 02 00 00 00 7b"),
    ("D", Decimal("-5"), "44 00 ff ff ff fb"),
    ("S", "hé", "53 00 00 00 03 68 c3 a9"),
    ("S", b"\xff", "53 00 00 00 01 ff"),
    ("x", b"\x00\xff", "78 00 00 00 02 00 ff"),
    ("T", 1_700_000_000, "54 00 00 00 00 65 53 f1 00"),
    ("V", None, "56"),
    ("A", (Field("I", 1), Field("V", None)), "41 00 00 00 06 49 00 00 00 01 56"),
    ("F", {"a": Field("t", True)}, "46 00 00 00 04 01 61 74 01"),
]


def read(data: bytes) -> Table:
    return read_table(ByteReader(data, what="test"))


@pytest.mark.parametrize(("kind", "value", "raw"), FIELDS, ids=lambda value: str(value))
def test_field_type(kind: str, value: Any, raw: str) -> None:
    body = b"\x01k" + bytes.fromhex(raw)
    data = struct.pack(">I", len(body)) + body
    assert read(data) == {"k": Field(kind, value)}
    assert write_table({"k": Field(kind, value)}) == data
    for end in range(len(data)):
        with pytest.raises(ProtocolError):
            read(data[:end])


@pytest.mark.parametrize(
    "raw",
    [
        "00 00 00 03 01 6b 3f",  # a type that nobody knows
        "00 00 00 02 01 6b",  # a name without a value
        "00 00 00 08 01 6b 53 00 00 00 09 61",  # a text longer than the table
        "00 00 00 04 01 6b 49 00 00 00 01",  # a value that passes the table's end
        "00 00 00 0b 01 6b 41 00 00 00 04 49 00 00 00 01",  # and an array's
        "00 00 00 09 05 6b",  # a name longer than all
    ],
)
def test_malformed_table(raw: str) -> None:
    with pytest.raises(ProtocolError):
        read(bytes.fromhex(raw))


def test_tables_inside_each_other_have_a_limit() -> None:
    field = Field("V", None)
    for _ in range(100):
        field = Field("A", (field,))
    with pytest.raises(ProtocolError, match="nest deeper"):
        read(write_table({"k": field}))


scalars = st.one_of(
    st.booleans().map(lambda value: Field("t", value)),
    st.integers(-(2**31), 2**31 - 1).map(lambda value: Field("I", value)),
    st.integers(-(2**63), 2**63 - 1).map(lambda value: Field("l", value)),
    st.floats(allow_nan=False).map(lambda value: Field("d", value)),
    st.text().map(lambda value: Field("S", value)),
    st.binary().map(lambda value: Field("x", value)),
    st.none().map(lambda value: Field("V", value)),
)
names = st.text(max_size=40).filter(lambda name: len(name.encode()) < 128)
tables = st.recursive(
    st.dictionaries(names, scalars, max_size=4),
    lambda inner: st.dictionaries(
        names,
        st.one_of(
            scalars,
            inner.map(lambda value: Field("F", value)),
            st.lists(scalars, max_size=3).map(lambda value: Field("A", tuple(value))),
        ),
        max_size=4,
    ),
    max_leaves=12,
)


@given(tables)
def test_table_survives_the_wire(value: Table) -> None:
    assert read(write_table(value)) == value


@given(st.binary(max_size=60))
def test_noise_is_a_table_or_a_protocol_error(data: bytes) -> None:
    try:
        value = read(data)
    except ProtocolError:
        return
    plain(value)


def test_plain_values_become_typed_fields() -> None:
    given = {"a": 1, "b": 2**40, "c": "x", "d": [1.5, None], "e": {"f": True}, "g": b"\xff"}
    assert plain(table(given)) == given
    assert [field.type for field in table(given).values()] == ["I", "l", "S", "A", "F", "x"]
    with pytest.raises(InvalidInput, match=r"headers\.a: .* does not fit"):
        table({"a": 2**70}, "headers")
    with pytest.raises(InvalidInput, match="cannot hold a object"):
        table({"a": object()})


SAMPLES: dict[str, Any] = {
    "octet": 9,
    "short": 0x0102,
    "long": 0x01020304,
    "longlong": 0x0102030405060708,
    "shortstr": "café",
    "longstr": "a longer text",
    "bit": True,
    "table": {"k": Field("S", "v"), "n": Field("I", 7)},
}


@pytest.mark.parametrize("method", methods.METHODS, ids=lambda method: method.name)
def test_method(method: methods.Method) -> None:
    values = {name: SAMPLES[kind] for name, kind in method.fields}
    payload = methods.encode(method.name, values)
    assert methods.find(payload) is method
    assert methods.decode(method, payload) == values
    for end in range(4, len(payload)):
        with pytest.raises(ProtocolError):
            methods.decode(method, payload[:end])
    with pytest.raises(ProtocolError, match="1 bytes too many"):
        methods.decode(method, payload + b"\0")


def test_neighbouring_bits_share_an_octet() -> None:
    for number in range(8):
        bits = {
            "if_unused": bool(number & 1),
            "if_empty": bool(number & 2),
            "no_wait": bool(number & 4),
        }
        payload = methods.encode("queue.delete", {"queue": "q", **bits})
        assert payload[-1] == number
        decoded = methods.decode(methods.BY_NAME["queue.delete"], payload)
        assert {name: decoded[name] for name in bits} == bits


def test_every_method_of_the_oracle_is_ours() -> None:
    ours = {(method.class_id << 16) + method.method_id for method in methods.METHODS}
    assert ours >= set(pamqp.commands.INDEX_MAPPING)


@pytest.mark.parametrize(
    "frame",
    [
        pamqp.commands.Connection.TuneOk(2047, 131072, 60),
        pamqp.commands.Connection.Open("/"),
        pamqp.commands.Connection.Close(320, "bye", 60, 40),
        pamqp.commands.Exchange.Declare(0, "x", "topic", durable=True, arguments={"a": "b"}),
        pamqp.commands.Queue.Declare(
            0, "q", False, True, False, True, False, {"x-expires": 100000}
        ),
        pamqp.commands.Queue.Bind(0, "q", "x", "k", False, {}),
        pamqp.commands.Basic.Publish(0, "x", "k", True, False),
        pamqp.commands.Basic.Deliver("c", 7, True, "x", "k"),
        pamqp.commands.Basic.Nack(7, True, False),
        pamqp.commands.Confirm.Select(),
    ],
    ids=lambda frame: str(frame.name),
)
def test_methods_agree_with_pamqp(frame: Any) -> None:
    raw = pamqp.frame.marshal(frame, 3)
    (got,) = frames.split(raw)
    method = methods.find(got.payload)
    assert method is not None
    assert got.channel == 3
    assert method.name.replace("-", "").lower() == frame.name.replace("_", "").lower()
    values = methods.decode(method, got.payload)
    for (name, _), (_, theirs) in zip(method.fields, frame, strict=True):
        assert plain(values[name]) == (
            theirs or plain(values[name]) * 0 if theirs is None else theirs
        )


PROPERTIES: dict[str, Any] = {
    "content_type": "text/plain",
    "content_encoding": "gzip",
    "headers": {"a": Field("S", "b"), "n": Field("I", 70000)},
    "delivery_mode": 2,
    "priority": 5,
    "correlation_id": "c",
    "reply_to": "r",
    "expiration": "100",
    "message_id": "m",
    "timestamp": 1_700_000_000,
    "type": "t",
    "user_id": "guest",
    "app_id": "app",
    "cluster_id": "",
}


@pytest.mark.parametrize("name", [*PROPERTIES, "all", "none"])
def test_properties(name: str) -> None:
    chosen = {"all": PROPERTIES, "none": {}}.get(name) or {
        key: value for key, value in PROPERTIES.items() if key == name
    }
    payload = encode_header(3, chosen)
    assert decode_properties(payload) == chosen
    for end in range(12, len(payload)):
        with pytest.raises(ProtocolError):
            decode_properties(payload[:end])
    with pytest.raises(ProtocolError, match="too many"):
        decode_properties(payload + b"\0")


def test_properties_agree_with_pamqp() -> None:
    raw = frames.frame(frames.HEADER, 1, encode_header(3, PROPERTIES))
    size, channel, header = pamqp.frame.unmarshal(raw)
    assert (size, channel, header.body_size) == (len(raw), 1, 3)
    assert header.properties.headers == {"a": "b", "n": 70000}
    assert header.properties.delivery_mode == 2
    assert header.properties.app_id == "app"


@pytest.mark.parametrize("flags", [b"\x00\x01", b"\x00\x02", b"\x00\x03"])
def test_flags_of_no_property_are_passed_over(flags: bytes) -> None:
    payload = b"\x00\x3c\x00\x00" + bytes(8) + flags
    assert decode_properties(payload) == {}
    assert check_properties(payload, flags[1]) == 1


@given(st.sets(st.sampled_from(list(PROPERTIES))), st.data())
def test_properties_are_walked_as_they_are_decoded(chosen: set[str], data: st.DataObject) -> None:
    payload = encode_header(3, {name: PROPERTIES[name] for name in chosen})
    flags = int.from_bytes(payload[12:14], "big")
    assert check_properties(payload, flags) == (2 if "delivery_mode" in chosen else 1)
    end = data.draw(st.integers(14, len(payload)))
    if end < len(payload):
        with pytest.raises(ProtocolError, match="content header"):
            check_properties(payload[:end], flags)
    with pytest.raises(ProtocolError, match="1 bytes too many"):
        check_properties(payload + b"\0", flags)


def test_second_word_of_flags_is_refused() -> None:
    with pytest.raises(ProtocolError, match="2 bytes too many"):
        decode_properties(b"\x00\x3c\x00\x00" + bytes(8) + b"\x00\x01\x00\x00")


@pytest.mark.parametrize("size", [0, 1, 100, 101, 250])
def test_content_is_cut_and_joined(size: int) -> None:
    body = bytes(number % 251 for number in range(size))
    raw = content.make_content(5, body, {"type": "t"}, 100)
    assert content.body(raw) == body
    assert content.properties(raw) == {"type": "t"}
    assert max(len(frame.payload) for frame in frames.split(raw)) <= 100
    again = content.readdress(raw, 6, 0)
    assert {frame.channel for frame in frames.split(again)} == {6}
    assert content.body(again) == body
    assert content.readdress(raw, 5, 100) is raw
    assert content.readdress(raw, 6, 100) == content.make_content(6, body, {"type": "t"}, 100)
    assert content.readdress(raw, 6, 99) == content.make_content(6, body, {"type": "t"}, 99)


UNITS = [
    frames.PROTOCOL_HEADER,
    frames.method(0, "connection.tune-ok", channel_max=1),
    frames.HEARTBEAT_FRAME,
    frames.method(1, "basic.publish", routing_key="q") + content.make_content(1, b"", {}, 0),
    frames.method(1, "basic.publish", routing_key="q") + content.make_content(1, b"12345", {}, 2),
    frames.method(1, "basic.ack", delivery_tag=1),
]


def test_units_come_out_whole_however_they_are_cut() -> None:
    data = b"".join(UNITS)
    for size in range(1, len(data)):
        splitter = units.UnitSplitter()
        found = [
            unit for at in range(0, len(data), size) for unit in splitter.feed(data[at : at + size])
        ]
        assert found == UNITS
        assert splitter.pending == 0


def test_incomplete_unit_is_counted_and_handed_back() -> None:
    for unit in UNITS:
        for end in range(1, len(unit)):
            splitter = units.UnitSplitter()
            assert splitter.feed(unit[:end]) == []
            assert splitter.pending == end
            assert splitter.take() == unit[:end]
            assert splitter.pending == 0


def test_content_without_its_method_comes_out_frame_by_frame() -> None:
    raw = content.make_content(1, b"12345", {}, 2)
    assert units.UnitSplitter().feed(raw) == [frames.frame(*frame) for frame in frames.split(raw)]


def test_bytes_that_are_no_frame_are_an_error() -> None:
    splitter = units.UnitSplitter()
    with pytest.raises(ProtocolError):
        splitter.feed(b"GET / HTTP/1.1\r\n")
    assert splitter.take() == b"GET / HTTP/1.1\r\n"


def test_method_in_the_middle_of_a_content_gives_up_what_came_of_it() -> None:
    method = frames.method(1, "basic.publish", routing_key="q")
    short = frames.frame(2, 1, b"short")
    header = frames.frame(2, 1, encode_header(5, {}))
    other = frames.method(1, "tx.select")
    splitter = units.UnitSplitter()
    assert splitter.feed(method + other) == [method, other]
    assert splitter.feed(method + header + other) == [method, header, other]
    assert splitter.feed(method + short) == [method + short]


def test_units_before_bytes_that_are_no_frame_are_handed_out_first() -> None:
    good = frames.method(1, "channel.open")
    noise = frames.method(1, "channel.close-ok")[:-1] + b"\x00"
    splitter = units.UnitSplitter()
    assert splitter.feed(good + noise) == [good]
    with pytest.raises(ProtocolError, match="no frame"):
        splitter.feed(b"")
    assert splitter.take() == noise


def test_who_changes_a_methods_arguments_changes_no_others() -> None:
    method = methods.BY_NAME["connection.open"]
    payload = methods.encode("connection.open", {"virtual_host": "/"})
    methods.decode(method, payload).clear()
    assert methods.decode(method, payload)["virtual_host"] == "/"
