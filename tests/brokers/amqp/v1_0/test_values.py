"""The type system: what is written is read again, and bad bytes are an error, never a crash."""

from typing import Any
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st
from mockforge_brokers.amqp.v1_0.wire import performatives, values
from mockforge_brokers.amqp.v1_0.wire.values import (
    Array,
    Byte,
    Char,
    DecodeError,
    Described,
    Float,
    Int,
    Long,
    Opaque,
    Short,
    Symbol,
    Timestamp,
    UByte,
    UInt,
    ULong,
    UShort,
)


def _whole(kind: type, bits: int, *, signed: bool = False) -> st.SearchStrategy[Any]:
    low, high = (-(2 ** (bits - 1)), 2 ** (bits - 1) - 1) if signed else (0, 2**bits - 1)
    return st.integers(low, high).map(kind)


_text = st.text(st.characters(exclude_categories=["Cs"]), max_size=300)
_symbol = st.text(st.characters(max_codepoint=127), max_size=300).map(Symbol)
_scalars = st.one_of(
    st.none(),
    st.booleans(),
    _whole(UByte, 8),
    _whole(UShort, 16),
    _whole(UInt, 32),
    _whole(ULong, 64),
    _whole(Byte, 8, signed=True),
    _whole(Short, 16, signed=True),
    _whole(Int, 32, signed=True),
    _whole(Long, 64, signed=True),
    _whole(Timestamp, 64, signed=True),
    st.floats(width=32, allow_nan=False).map(Float),
    st.floats(allow_nan=False),
    st.characters(exclude_categories=["Cs"]).map(Char),
    st.uuids(),
    st.binary(max_size=300),
    _text,
    _symbol,
    st.binary(min_size=8, max_size=8).map(lambda raw: Opaque(0x84, raw)),
)
_anything = st.recursive(
    _scalars,
    lambda inner: st.one_of(
        st.lists(inner, max_size=5),
        st.dictionaries(_symbol, inner, max_size=5),
        st.builds(Described, _symbol, inner),
    ),
    max_leaves=20,
)


def _same(one: Any, other: Any) -> bool:
    """Equal, and of the same types all the way down."""
    if type(one) is not type(other):
        return False
    if isinstance(one, (list, tuple)):
        return len(one) == len(other) and all(map(_same, one, other))
    if isinstance(one, dict):
        return _same(list(one.items()), list(other.items()))
    return bool(one == other)


@given(_anything)
def test_what_is_written_is_read_again(value: Any) -> None:
    raw = values.write(value)
    assert _same(values.read(raw), (value, len(raw)))


@pytest.mark.parametrize(
    "array",
    [
        Array(0xA3, (Symbol("a"), Symbol("bcd"))),
        Array(0xB3, (Symbol("a"), Symbol("b" * 300))),
        Array(0x70, (UInt(0), UInt(7), UInt(2**32 - 1))),
        Array(0x71, (Int(-1), Int(1))),
        Array(0x56, (True, False)),
        Array(0x41, (True, True)),
        Array(0xD0, ([], [Int(1)], ["x" * 300])),
        Array(0xD1, ({}, {Symbol("k"): "v"})),
        Array(0x98, (UUID(int=1), UUID(int=2))),
        Array(0xB1, ("é", ""), Symbol("kind")),
        Array(0xB1, ()),
    ],
)
def test_arrays_are_written_in_their_constructor(array: Array) -> None:
    raw = values.write(array)
    assert _same(values.read(raw), (array, len(raw)))


@given(st.binary(max_size=200))
def test_any_bytes_are_a_value_or_a_decode_error(data: bytes) -> None:
    try:
        _, end = values.read(data)
    except DecodeError:
        return
    assert 0 < end <= len(data)


@given(_anything, st.data())
def test_a_damaged_value_is_a_value_or_a_decode_error(value: Any, data: st.DataObject) -> None:
    raw = bytearray(values.write(value))
    at = data.draw(st.integers(0, len(raw) - 1))
    raw[at] = data.draw(st.integers(0, 255))
    try:
        values.read(bytes(raw[: data.draw(st.integers(0, len(raw)))]))
    except DecodeError:
        return


@pytest.mark.parametrize(
    ("raw", "why"),
    [
        (b"", "ends too early"),
        (b"\xff", "begins no value"),
        (b"\x00" * 200, "nested more than"),
        (b"\xa1\x05ab", "ends too early"),
        (b"\xa1\x01\xff", "cannot be"),
        (b"\xc1\x02\x01\x40", "a key that has no value"),
        (b"\xc0\x04\x02\x40\x40\x40", "do not take its bytes"),
        (b"\xc1\x03\x02\x45\x40", "key is a list"),
        (b"\xc0\x02\x09\x40", "9 items in 1 bytes"),
        (b"\xf0\x00\x00\x00\x05\xff\xff\xff\xff\x41", "an array of 4294967295 items"),
        (b"\x73\x00\x11\x00\x00", "cannot be"),
    ],
)
def test_bad_bytes_are_named(raw: bytes, why: str) -> None:
    with pytest.raises(DecodeError, match=why):
        values.read(raw)


def test_a_composite_is_read_by_number_or_symbol_and_its_last_nulls_may_be_missing() -> None:
    raw = performatives.write("begin", next_outgoing_id=1, incoming_window=2, outgoing_window=3)
    found, end = performatives.read(raw)
    assert (found.name, end) == ("begin", len(raw))
    assert found.fields == {"next_outgoing_id": 1, "incoming_window": 2, "outgoing_window": 3}
    by_symbol = b"\x00" + values.write(Symbol("amqp:begin:list")) + raw[3:]
    assert performatives.read(by_symbol)[0] == found


def test_a_single_symbol_stands_for_an_array_of_one() -> None:
    raw = values.described(0x40, values.write_list([values.write(Symbol("PLAIN"))]))
    assert performatives.read(raw)[0].get("sasl_server_mechanisms") == ("PLAIN",)


@pytest.mark.parametrize(
    ("raw", "why"),
    [
        (values.described(0x12, values.write_list([b"\xa1\x01n"])), "lacks its field handle"),
        (values.described(0x10, values.write_list([b"\x41"])), "container-id of open is no string"),
        (values.described(0x14, b"\xa1\x01x"), "transfer is no list of fields"),
        (values.described(0x24, values.write_list([b"\x40"])), "accepted has 1 fields"),
        (values.described(0x7F, b"\x45"), "describes nothing"),
        (b"\x45", "begins with no performative"),
    ],
)
def test_a_performative_of_wrong_fields_is_named(raw: bytes, why: str) -> None:
    with pytest.raises(DecodeError, match=why):
        performatives.read(raw)


def test_many_items_of_no_bytes_are_refused() -> None:
    many = b"\xf0" + (5).to_bytes(4, "big") + (2**16).to_bytes(4, "big") + b"\x40"
    with pytest.raises(DecodeError, match="an array of 65536 items"):
        values.read(many)
