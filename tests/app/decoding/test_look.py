"""Binary payloads are known by their bytes, and damaged ones are left as bytes."""

import struct
from typing import Any

import msgspec
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from mockforge_tui.decoding import Decoded, look
from mockforge_tui.leaves import changes, describe, numbers

# Of RFC 8949, appendix A, those that are arrays, maps or tagged; and what it leaves open.
CBOR: dict[str, Any] = {
    "83010203": [1, 2, 3],
    "8301820203820405": [1, [2, 3], [4, 5]],
    "98190102030405060708090a0b0c0d0e0f101112131415161718181819": list(range(1, 26)),
    "a201020304": {"1": 2, "3": 4},
    "a26161016162820203": {"a": 1, "b": [2, 3]},
    "826161a161626163": ["a", {"b": "c"}],
    "9f018202039f0405ffff": [1, [2, 3], [4, 5]],
    "83018202039f0405ff": [1, [2, 3], [4, 5]],
    "bf61610161629f0203ffff": {"a": 1, "b": [2, 3]},
    "826161bf61626163ff": ["a", {"b": "c"}],
    "c074323031332d30332d32315432303a30343a30305a": "2013-03-21T20:04:00Z",
    "c11a514b67b0": {"tag 1": 1363896240},
    "c1fb41d452d9ec200000": {"tag 1": 1363896240.5},
    "d74401020304": {"tag 23": "h'01020304'"},
    "d818456449455446": {"tag 24": "h'6449455446'"},
    "d82076687474703a2f2f7777772e6578616d706c652e636f6d": "http://www.example.com",
    "d9d9f7a16161f5": {"a": True},
    "c249010000000000000000": "18446744073709551616",
    "c349010000000000000000": "-18446744073709551617",
    "821bffffffffffffffff3bffffffffffffffff": [18446744073709551615, "-18446744073709551616"],
    "85f90000f93c00f97bfff9c400f90001": [0.0, 1.0, 65504.0, -4.0, 5.960464477539063e-8],
    "83f97c00f97e00f9fc00": ["inf", "nan", "-inf"],
    "84f4f5f6f7": [False, True, None, "undefined"],
    "827f657374726561646d696e67ff5f42010243030405ff": ["streaming", "h'0102030405'"],
    "a1f5626a61": {"True": "ja"},
    "a1820102f6": {"[1, 2]": None},
}  # fmt: skip


@pytest.mark.parametrize("data", CBOR)
def test_cbor(data: str) -> None:
    assert look(bytes.fromhex(data)) == Decoded("CBOR", CBOR[data], True)


# Ends too early, goes on behind its end, a break where none may be, text that is none, reserved
# values, an odd map, a length that lies, and nesting without end.
@pytest.mark.parametrize(
    "data",
    ["8301", "8301020304", "83ff", "8161ff", "81fc", "bf0102", "bf01ff", "9bffffffffffffffff00",
     "81" * 40 + "00", "9f01", "7f01ff", "a16161", "81f818", "5f4101ff"],
)  # fmt: skip
def test_damaged_cbor_is_none(data: str) -> None:
    found = look(bytes.fromhex(data))
    assert found is None or found.form != "CBOR"


def tagged(field: int, wire: int) -> bytes:
    return varint(field << 3 | wire)


def varint(value: int) -> bytes:
    data = bytearray()
    value &= (1 << 64) - 1
    while value > 0x7F:
        data.append(value & 0x7F | 0x80)
        value >>= 7
    return bytes((*data, value))


def field(number: int, value: bytes | int | float) -> bytes:
    """Of bytes with their length, of a float as four bytes, else a varint."""
    if isinstance(value, bytes):
        return tagged(number, 2) + varint(len(value)) + value
    if isinstance(value, float):
        return tagged(number, 5) + struct.pack("<f", value)
    return tagged(number, 0) + varint(value)


# The examples of protobuf.dev/programming-guides/encoding, and each kind of value.
PROTOBUF: list[tuple[bytes, dict[str, Any]]] = [
    (bytes.fromhex("089601"), {"1": 150}),
    (bytes.fromhex("120774657374696e67"), {"2": "testing"}),
    (bytes.fromhex("1a03089601"), {"3": {"1": 150}}),
    (bytes.fromhex("220568656c6c6f280128022803"), {"4": "hello", "5": [1, 2, 3]}),
    (bytes.fromhex("3206038e029ea705"), {"6": "h'038e029ea705'"}),
    (field(1, -2), {"1": -2}),
    (field(1, 21.5), {"1": 21.5}),
    (tagged(1, 1) + struct.pack("<d", -0.1), {"1": -0.1}),
    (tagged(1, 5) + struct.pack("<i", 7), {"1": 7}),
    (tagged(1, 1) + struct.pack("<q", -1), {"1": -1}),
    (field(1, b"") + field(2, "grün".encode()), {"1": "", "2": "grün"}),
    (field(1, b"\xff\xfe"), {"1": "h'fffe'"}),
]


@pytest.mark.parametrize(("data", "value"), PROTOBUF)
def test_protobuf(data: bytes, value: dict[str, Any]) -> None:
    assert look(data) == Decoded("Protobuf", value, False)


# Field 0, wire types 3, 4, 6 and 7, cut off, eleven bytes of a number, more bytes than it needs, a
# field number that nobody has.
@pytest.mark.parametrize(
    "data",
    ["0001", "0b0c", "0c00", "0e00", "0f00", "0896", "0a05616263", "0d0000",
     "08" + "ff" * 10 + "01", "08968000", "f8ffffff0f01"],
)  # fmt: skip
def test_what_is_no_protobuf_is_none(data: str) -> None:
    assert look(bytes.fromhex(data)) is None


def metric(name: str, kind: int, *more: bytes, alias: int | None = None) -> bytes:
    head = field(1, name.encode()) if name else b""
    head += b"" if alias is None else field(2, alias)
    return field(2, head + field(3, 1_486_144_502_122) + field(4, kind) + b"".join(more))


PAYLOAD = b"".join(
    (
        field(1, 1_486_144_502_122),
        metric("Temperature", 9, field(12, 21.5)),
        metric("Off by", 3, field(10, -4 & 0xFFFF_FFFF)),
        metric("Small", 1, field(10, 0xFF)),
        metric("Big", 4, field(11, -5)),
        metric("On", 11, field(14, 1)),
        metric("Mode", 12, field(15, b"eco")),
        metric("Lost", 9, field(7, 1)),
        metric("", 7, field(10, 3), alias=7),
        metric("Mode", 12, field(15, b"again"), field(5, 1)),
        metric("Raw", 17, field(16, b"\x00\xff")),
        metric("Shorts", 23, field(16, struct.pack("<3h", 1, -2, 3))),
        metric("Bits", 32, field(16, b"\x03\0\0\0\xa0")),
        metric("Texts", 33, field(16, b"a\0bc\0")),
        metric(
            "Table",
            16,
            field(
                17,
                field(1, 2)
                + field(2, b"id")
                + field(2, b"name")
                + field(3, b"\x07\x0c")
                + field(4, field(1, field(1, 1)) + field(1, field(6, b"one"))),
            ),
        ),
        metric(
            "Motor",
            19,
            field(
                18,
                field(1, b"v1")
                + metric("RPM", 3, field(10, 900))
                + field(3, field(1, b"max") + field(2, 7) + field(3, 1000)),
            ),
        ),
        metric(
            "Unit",
            9,
            field(9, field(1, b"engUnit") + field(2, field(1, 12) + field(8, b"C"))),
            field(12, 1.0),
        ),
        field(3, 0),
    )
)


def test_sparkplug_b_has_its_metrics_by_name_with_type_and_value() -> None:
    found = look(PAYLOAD)
    assert found is not None
    assert (found.form, found.sure) == ("Sparkplug B", True)
    value = found.value
    assert (value["timestamp"], value["seq"]) == (1_486_144_502_122, 0)
    shown = {
        name: (each.pop("value", "none"), each.pop("type"))
        for name, each in value["metrics"].items()
    }
    assert shown == {
        "Temperature": (21.5, "Float"),
        "Off by": (-4, "Int32"),
        "Small": (-1, "Int8"),
        "Big": (-5, "Int64"),
        "On": (True, "Boolean"),
        "Mode": ("eco", "String"),
        "Lost": (None, "Float"),
        "alias 7": (3, "UInt32"),
        "Mode #2": ("again", "String"),
        "Raw": ("h'00ff'", "Bytes"),
        "Shorts": ([1, -2, 3], "Int16Array"),
        "Bits": ([True, False, True], "BooleanArray"),
        "Texts": (["a", "bc"], "StringArray"),
        "Table": ({"columns": {"id": "UInt32", "name": "String"}, "rows": [[1, "one"]]}, "DataSet"),
        "Motor": (
            {
                "version": "v1",
                "metrics": {"RPM": {"value": 900, "type": "Int32", "timestamp": 1_486_144_502_122}},
                "parameters": {"max": {"value": 1000, "type": "UInt32"}},
            },
            "Template",
        ),
        "Unit": (1.0, "Float"),
    }
    left = {name: each for name, each in value["metrics"].items() if len(each) > 1}
    assert left["Mode #2"] == {"timestamp": 1_486_144_502_122, "is_historical": True}
    assert left["Unit"]["properties"] == {"engUnit": "C"}
    assert left["alias 7"]["alias"] == 7


@pytest.mark.parametrize(
    "data",
    [
        # No metric; a metric without type; a field that there is not; a type that is another.
        field(1, 5),
        field(2, field(1, b"name")),
        PAYLOAD + field(6, 1),
        PAYLOAD + field(3, b"x"),
        metric("", 9, field(12, 5)),
        field(2, field(1, b"\xff") + field(4, 1)),
    ],
)
def test_what_is_no_sparkplug_is_at_most_protobuf(data: bytes) -> None:
    found = look(data)
    assert found is not None
    assert found.form == "Protobuf"


@pytest.mark.parametrize(
    "payload",
    [b"", b"x", b"\x80", b"21.5", b'{"t": 1}', b"[1]", "grün".encode(), b"line\r\n\tline",
     b"\x1b[0m", b"\xff\xfe\x00", b"\x80" * 3, bytes((1 << 20) + 1)],
)  # fmt: skip
def test_text_and_what_is_nothing_of_it_is_none(payload: bytes) -> None:
    assert look(payload) is None


@pytest.mark.parametrize("value", [{"t": 21.5, "on": True}, [1, [None, "x"], -7], {"b": b"\0"}])
def test_message_pack(value: Any) -> None:
    found = look(msgspec.msgpack.encode(value))
    assert found is not None
    assert found.form == "MessagePack"
    assert found.value == ({"b": "h'00'"} if value == {"b": b"\0"} else value)


@given(
    st.one_of(st.binary(max_size=80), st.binary(max_size=20).map(lambda end: PAYLOAD[:60] + end))
)
@example(b"\x9f" * 5000)
@example(b"\x0a\x80\x80\x80\x80\x80\x80\x80\x80\x80\x01")
@example(field(1, field(1, field(1, b"\x08\x01"))) * 3)
def test_any_bytes_are_a_value_that_json_has_or_none(payload: bytes) -> None:
    found = look(payload)
    if found is not None:
        assert msgspec.json.decode(msgspec.json.encode(found.value)) is not None


def nested(levels: int) -> bytes:
    data = b"\x08\x01"
    for _ in range(levels):
        data = field(1, data)
    return data


def test_what_is_nested_too_deep_stays_bytes() -> None:
    found = look(nested(40))
    assert found is not None
    depth, value = 0, found.value
    while isinstance(value, dict):
        depth, value = depth + 1, value["1"]
    assert depth == 33
    assert value.startswith("h'")


def test_values_by_path_of_binary_payloads_are_compared_and_charted() -> None:
    one, two = (bytes.fromhex(text) for text in ("a16174182a", "a16174182b"))
    assert numbers(one) == {"t": 42.0}
    assert describe(changes(one, two)) == "t 42 → 43"
    assert numbers(PAYLOAD)["metrics.Temperature.value"] == 21.5


def test_a_number_of_any_size_is_written() -> None:
    found = look(b"\xc2\x59\x08\x00" + b"\xff" * 2048)
    assert found is not None
    assert found.value == "0x" + "ff" * 2048


@pytest.mark.parametrize(
    "more",
    [
        field(4, 32) + field(16, (200_000).to_bytes(4, "little") + b"\x55" * 25_000),
        field(4, 33) + field(16, b"\0" * 20_001),
        field(4, 22) + field(16, b"\1" * 20_001),
        field(4, 16) + field(17, field(3, b"\1" * 20_001)),
    ],
    ids=["booleans", "texts", "numbers", "packed"],
)
def test_what_has_more_values_than_are_looked_at_stays_bytes(more: bytes) -> None:
    found = look(field(2, field(1, b"m") + more))
    assert found is not None
    if found.form == "Sparkplug B":
        assert found.value["metrics"]["m"]["value"].startswith("h'")
    else:
        assert (found.form, found.sure) == ("Protobuf", False)
