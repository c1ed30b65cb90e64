"""Every wire type: bytes to value and back, and bytes that are no value."""

from collections.abc import Sequence

import pytest
from mockforge_brokers.errors import ProtocolError
from mockforge_brokers.kafka.wire.codec import decode, encode
from mockforge_brokers.kafka.wire.schema import (
    Bool,
    Bytes,
    Int8,
    Int16,
    Int32,
    Int64,
    Message,
    Records,
    String,
    Struct,
    Uint16,
    Uuid,
    data,
    field,
    struct,
)

CLASSIC, FLEXIBLE = 0, 1


@struct
class Pair(Struct):
    number: Int8
    name: String


@data("0-1", flexible=1)
class Booleans(Message):
    value: Bool


@data("0-1", flexible=1)
class Numbers(Message):
    int8: Int8
    int16: Int16
    uint16: Uint16
    int32: Int32
    int64: Int64


@data("0-1", flexible=1)
class Ids(Message):
    value: Uuid


@data("0-1", flexible=1)
class Strings(Message):
    value: String


@data("0-1", flexible=1)
class NullableStrings(Message):
    value: String | None


@data("0-1", flexible=1)
class ByteStrings(Message):
    value: Bytes


@data("0-1", flexible=1)
class NullableRecords(Message):
    value: Records | None


@data("0-1", flexible=1)
class Int32Arrays(Message):
    value: Sequence[Int32]


@data("0-1", flexible=1)
class StringArrays(Message):
    value: Sequence[String] | None


@data("0-1", flexible=1)
class PairArrays(Message):
    value: Sequence[Pair]


@data("1", flexible=1)
class Tagged(Message):
    number: Int16 = field(default=-1, tag=0)
    pair: Pair | None = field(default=None, tag=2)
    names: Sequence[String] = field(default=(), tag=200)


LONG = "x" * 200
NUMBERS = Numbers(int8=-1, int16=-2, uint16=65535, int32=-3, int64=2**62)
NUMBER_BYTES = "ff fffe ffff fffffffd 4000000000000000"

GOOD: list[tuple[Message, int, str]] = [
    (Booleans(value=True), CLASSIC, "01"),
    (Booleans(value=False), FLEXIBLE, "00 00"),
    (NUMBERS, CLASSIC, NUMBER_BYTES),
    (NUMBERS, FLEXIBLE, NUMBER_BYTES + "00"),
    (Ids(value=bytes(range(16))), CLASSIC, "000102030405060708090a0b0c0d0e0f"),
    (Strings(value=""), CLASSIC, "0000"),
    (Strings(value="é"), CLASSIC, "0002 c3a9"),
    (Strings(value=""), FLEXIBLE, "01 00"),
    (Strings(value="é"), FLEXIBLE, "03 c3a9 00"),
    (Strings(value=LONG), FLEXIBLE, "c901" + "78" * 200 + "00"),
    (NullableStrings(value=None), CLASSIC, "ffff"),
    (NullableStrings(value="a"), CLASSIC, "0001 61"),
    (NullableStrings(value=None), FLEXIBLE, "00 00"),
    (NullableStrings(value="a"), FLEXIBLE, "02 61 00"),
    (ByteStrings(value=b"\0\xff"), CLASSIC, "00000002 00ff"),
    (ByteStrings(value=b"\0\xff"), FLEXIBLE, "03 00ff 00"),
    (NullableRecords(value=None), CLASSIC, "ffffffff"),
    (NullableRecords(value=b""), CLASSIC, "00000000"),
    (NullableRecords(value=None), FLEXIBLE, "00 00"),
    (NullableRecords(value=b"r"), FLEXIBLE, "02 72 00"),
    (Int32Arrays(value=[]), CLASSIC, "00000000"),
    (Int32Arrays(value=[1, -1]), CLASSIC, "00000002 00000001 ffffffff"),
    (Int32Arrays(value=[1, -1]), FLEXIBLE, "03 00000001 ffffffff 00"),
    (StringArrays(value=None), CLASSIC, "ffffffff"),
    (StringArrays(value=["a", ""]), CLASSIC, "00000002 0001 61 0000"),
    (StringArrays(value=None), FLEXIBLE, "00 00"),
    (StringArrays(value=["a", ""]), FLEXIBLE, "03 02 61 01 00"),
    (PairArrays(value=[Pair(number=7, name="a")]), CLASSIC, "00000001 07 0001 61"),
    (PairArrays(value=[Pair(number=7, name="a")]), FLEXIBLE, "02 07 02 61 00 00"),
    (Tagged(), FLEXIBLE, "00"),
    (Tagged(number=5), FLEXIBLE, "01 00 02 0005"),
    (Tagged(pair=Pair(number=7, name="a")), FLEXIBLE, "01 02 04 07 02 61 00"),
    (Tagged(number=5, names=["a"]), FLEXIBLE, "02 00 02 0005 c801 03 02 02 61"),
]

BAD: list[tuple[type[Message], int, str, str]] = [
    (Strings, CLASSIC, "ffff", "value at byte 2: null where the protocol has no null"),
    (Strings, FLEXIBLE, "00 00", "value at byte 1: null where the protocol has no null"),
    (Strings, CLASSIC, "0002 61", "value at byte 2: a length or count of 2 with 1 bytes left"),
    (Strings, CLASSIC, "0001 ff", "value at byte 2: not UTF-8 (invalid start byte)"),
    (ByteStrings, CLASSIC, "80000000", "value at byte 4: null where the protocol has no null"),
    (ByteStrings, CLASSIC, "7fffffff", "value at byte 4: a length or count of 2147483647"),
    (ByteStrings, FLEXIBLE, "ffffffff0f", "value at byte 5: a length or count of 4294967294"),
    (ByteStrings, FLEXIBLE, "ffffffffff01", "value at byte 1: a varint of more than 5 bytes"),
    (Int32Arrays, CLASSIC, "ffffffff", "value at byte 4: null where the protocol has no null"),
    (Int32Arrays, CLASSIC, "00000002 00000001", "value at byte 4: a length or count of 2"),
    (StringArrays, CLASSIC, "00000002 00", "value at byte 4: a length or count of 2 with 1"),
    (PairArrays, CLASSIC, "00000001 07", "value.name at byte 4: the message ends too early"),
    (
        Tagged,
        FLEXIBLE,
        "01 00 03 000500",
        "tagged fields at byte 5: a tagged field of another size",
    ),
    (Tagged, FLEXIBLE, "01 00 03 0005", "tagged fields at byte 3: a length or count of 3 with 2"),
    (Tagged, FLEXIBLE, "01 07 02 00", "tagged fields at byte 3: a length or count of 2 with 1"),
    (Strings, FLEXIBLE, "01 01 07 02 00", "tagged fields at byte 2: a length or count of 2 with 1"),
]


@pytest.mark.parametrize(("value", "version", "text"), GOOD)
def test_bytes_and_value_are_the_same_thing(value: Message, version: int, text: str) -> None:
    raw = bytes.fromhex(text)
    assert encode(value, version) == raw
    assert decode(type(value), version, raw) == value


@pytest.mark.parametrize(("value", "version", "text"), GOOD)
def test_every_proper_prefix_is_refused(value: Message, version: int, text: str) -> None:
    raw = bytes.fromhex(text)
    for end in range(len(raw)):
        with pytest.raises(ProtocolError, match=type(value).__name__):
            decode(type(value), version, raw[:end])


@pytest.mark.parametrize(("message", "version", "text", "reason"), BAD)
def test_malformed_bytes_name_field_and_offset(
    message: type[Message], version: int, text: str, reason: str
) -> None:
    with pytest.raises(ProtocolError) as caught:
        decode(message, version, bytes.fromhex(text))
    assert caught.value.text.startswith(f"{message.__name__} v{version}: {reason}")


def test_any_sequence_encodes_like_a_list() -> None:
    assert encode(Int32Arrays(value=(1, -1)), 0) == encode(Int32Arrays(value=[1, -1]), 0)
    assert encode(Tagged(names=[]), 1) == encode(Tagged(names=()), 1)


def test_any_byte_but_zero_is_true() -> None:
    assert decode(Booleans, CLASSIC, b"\7").value is True


def test_bytes_after_a_message_are_left_alone() -> None:
    assert decode(Strings, CLASSIC, bytes.fromhex("ee 0001 61 ee"), 1).value == "a"
