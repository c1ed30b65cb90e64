"""Avro by a schema, framed in each way, and in files that bring their own.

The bytes were written by fastavro 1.13.1.
"""

import asyncio
import zlib
from collections.abc import Coroutine, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import cramjam
import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from mockforge_brokers.errors import InvalidInput
from mockforge_brokers.journal import Row

from mockforge_tui.config import Config, ConfigError
from mockforge_tui.console.rows import record_of
from mockforge_tui.decoding import Decoded, look
from mockforge_tui.decoding.avro import LARGEST, Schema, SchemaError
from mockforge_tui.decoding.schemas import SCHEMAS, Schemas
from mockforge_tui.filters import compile_filter
from mockforge_tui.runtime import Runtime
from mockforge_tui.schemas import give

LINE = {"type": "record", "name": "Line", "fields": [
    {"name": "sku", "type": "string"},
    {"name": "n", "type": "int"},
    {"name": "price", "type": "double"},
]}  # fmt: skip
ORDER = {"type": "record", "name": "Order", "namespace": "shop", "fields": [
    {"name": "id", "type": "long"},
    {"name": "customer", "type": ["null", "string"], "default": None},
    {"name": "total", "type": {"type": "bytes", "logicalType": "decimal", "scale": 2}},
    {"name": "paid", "type": "boolean"},
    {"name": "at", "type": {"type": "long", "logicalType": "timestamp-millis"}},
    {"name": "state", "type": {"type": "enum", "name": "State", "symbols": ["NEW", "DONE"]}},
    {"name": "lines", "type": {"type": "array", "items": LINE}},
    {"name": "tags", "type": {"type": "map", "values": "float"}},
    {"name": "hash", "type": {"type": "fixed", "name": "Hash", "size": 2}},
    {"name": "before", "type": ["null", "Order"], "default": None},
    {"name": "old", "type": "State"},
]}  # fmt: skip
ENDLESS = {"type": "record", "name": "R", "fields": [{"name": "r", "type": ["null", "R"]}]}
_START = (
    "0d0208c3a46e6e04fb1e0180f0bc8c8064020404413106000000000000234004423201000000000000d03f"
    "000202780000c03f0001ff"
)
PAYLOAD = bytes.fromhex(f"{_START}0000")
NESTED = bytes.fromhex(f"{_START}02{_START}000000")
VALUE: dict[str, Any] = {
    "id": -7, "customer": "änn", "total": "-12.50", "paid": True, "at": 1718000000000,
    "state": "DONE", "tags": {"x": 1.5}, "hash": "h'01ff'", "before": None, "old": "NEW",
    "lines": [{"sku": "A1", "n": 3, "price": 9.5}, {"sku": "B2", "n": -1, "price": 0.25}],
}  # fmt: skip
_ABOUT = (
    "166176726f2e736368656d6192017b2274797065223a20227265636f7264222c20226e616d65223a202252222c2022"
    "6669656c6473223a205b7b226e616d65223a20226e222c202274797065223a2022696e74227d5d7d00"
)
_SYNC = b"0123456789abcdef".hex()
FILES = {
    codec: bytes.fromhex(f"4f626a0104146176726f2e636f646563{name}{_ABOUT}{_SYNC}{block}{_SYNC}")
    for codec, name, block in (
        ("null", "086e756c6c", "04040204"),
        ("deflate", "0e6465666c617465", "040e63620100000a00"),
        ("snappy", "0c736e61707079", "0410020402047482b464"),
    )
}


@pytest.fixture
def orders() -> Iterator[Schema]:
    schema = Schema(msgspec.json.encode(ORDER))
    forget = SCHEMAS.give("orders*", schema)
    yield schema
    forget()


@pytest.mark.parametrize(
    "frame", [b"", b"\0\0\0\0\7", b"\xc3\1" + b"8bytes--"], ids=["bare", "Confluent", "single"]
)
def test_a_payload_is_read_by_the_schema_of_its_destination(orders: Schema, frame: bytes) -> None:
    assert look(frame + PAYLOAD, "orders.eu") == Decoded("Avro", VALUE, True)
    assert look(frame + NESTED, "orders") == Decoded("Avro", VALUE | {"before": VALUE}, True)
    for elsewhere in ("", "order", "my.orders"):
        found = look(frame + PAYLOAD, elsewhere)
        assert found is None or found.form != "Avro"


@pytest.mark.parametrize("codec", FILES)
def test_a_file_brings_its_own_schema(codec: str) -> None:
    assert look(FILES[codec]) == Decoded("Avro", [{"n": 1}, {"n": 2}], True)
    for damaged in (
        FILES[codec][:-1],
        FILES[codec] + b"\0",
        FILES[codec].replace(b"record", b"rekord"),
        FILES[codec].replace(codec.encode(), b"x" * len(codec)),
        FILES[codec][:-20] + b"\xff" + FILES[codec][-19:],
    ):
        found = look(damaged)
        assert found is None or found.form != "Avro"


def test_filters_ask_for_its_fields(orders: Schema) -> None:
    row = Row("kafka", 0, "Produce", destination="orders", payload=b"\0\0\0\0\7" + PAYLOAD)
    for text, expected in {
        "json.customer:änn": True,
        "json.total<-12": True,
        "json.lines[1].sku:B2": True,
        "json.lines.sku:A1": True,
        "json.state:NEW": False,
    }.items():
        assert compile_filter(text)(row) is expected, text
        row.destination = "others"
        assert not compile_filter(text)(row)
        row.destination = "orders"
    assert record_of(row)["payload_value"] == VALUE


def test_the_same_bytes_are_read_anew_for_another_destination(orders: Schema) -> None:
    where = compile_filter("json.paid:true")
    rows = [
        Row("kafka", 0, "Produce", destination=each, payload=PAYLOAD) for each in ("x", "orders")
    ]
    assert [where(each) for each in (*rows, *rows)] == [False, True, False, True]


@given(st.binary(max_size=60))
def test_any_bytes_are_read_or_left(data: bytes) -> None:
    schema = Schema(msgspec.json.encode(ORDER))
    forget = SCHEMAS.give("any", schema)
    try:
        for payload in (data, PAYLOAD[: len(data)] + data, FILES["null"][:100] + data):
            found = look(payload, "any")
            assert found is None or msgspec.json.encode(found.value)
    finally:
        forget()


@pytest.mark.parametrize(
    ("schema", "data"),
    [
        # Items of no bytes, a level within a level, and a varint, without end.
        ({"type": "array", "items": "null"}, b"\xfe\xff\xff\xff\x0f\0"),
        (ENDLESS, b"\2" * 99),
        ("long", b"\xff" * 12),
        ("string", b"\1"),
        ("string", b"\2\xff"),
        ("boolean", b"\2"),
        (["null"], b"\2"),
        ({"type": "enum", "name": "E", "symbols": ["A"]}, b"\2"),
    ],
)  # fmt: skip
def test_what_breaks_its_schema_is_none_of_it(schema: object, data: bytes) -> None:
    forget = SCHEMAS.give("any", Schema(msgspec.json.encode(schema)))
    found = look(data, "any")
    forget()
    assert found is None or found.form != "Avro"


WORDS = st.sampled_from(
    ["record", "enum", "fixed", "array", "map", "bytes", "decimal", "null", "long", "R", "", 2, -1]
)
KEYS = ("type", "name", "namespace", "fields", "symbols", "size", "items", "values", "logicalType")
SCHEMAS_OF_ANYBODY = st.recursive(
    WORDS,
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from((*KEYS, "scale")), inner, max_size=5)
    ),
    max_leaves=8,
)


@settings(max_examples=80, deadline=None)
@given(SCHEMAS_OF_ANYBODY, st.binary(max_size=20))
def test_any_schema_of_a_file_is_one_or_none(schema: object, data: bytes) -> None:
    text = msgspec.json.encode(schema)
    try:
        Schema(text)
    except SchemaError:
        pass
    found = look(file_of(text, "null", [(1, data)]))
    assert found is None or msgspec.json.encode(found.value)


def length(count: int) -> bytes:
    """As Avro writes numbers."""
    data = bytearray()
    count *= 2
    while count > 0x7F:
        data.append(count & 0x7F | 0x80)
        count >>= 7
    return bytes((*data, count))


def file_of(schema: bytes, codec: str, blocks: list[tuple[int, bytes]]) -> bytes:
    """A container file: of each block how many values it has, and its bytes."""
    about = b"\x16avro.schema" + length(len(schema)) + schema
    about += b"\x14avro.codec" + length(len(codec)) + codec.encode()
    made = bytearray(b"Obj\1\4" + about + b"\0" + b"s" * 16)
    for count, data in blocks:
        made += length(count) + length(len(data)) + data + b"s" * 16
    return bytes(made)


NULLS = b'{"type": "array", "items": "null"}'


@pytest.mark.parametrize(
    ("number", "items", "known"), [(3, 6_000, True), (4, 6_000, False), (20_000, 19_000, False)]
)
def test_a_file_has_as_many_values_in_all_blocks_as_in_one(
    number: int, items: int, known: bool
) -> None:
    made = file_of(NULLS, "null", [(1, length(items) + b"\0")] * number)
    assert len(made) < LARGEST
    found = look(made)
    assert (found is not None and found.form == "Avro") is known
    assert found is None or found.value == [[None] * items] * number


@pytest.mark.parametrize(
    ("sizes", "known"),
    [
        ([LARGEST // 2 - 5, LARGEST // 2 - 5], True),
        ([LARGEST // 2 - 5, LARGEST // 2 + 5], False),
        # The first leaves no room at all.
        ([LARGEST - 3], True),
        ([LARGEST - 3, 1], False),
        ([LARGEST // 2] * 20, False),
    ],
)
@pytest.mark.parametrize("codec", ["deflate", "snappy"])
def test_a_file_unpacks_to_as_many_bytes_in_all_blocks_as_in_one(
    codec: str, sizes: list[int], known: bool
) -> None:
    packed = {size: (1, _packed(codec, length(size) + bytes(size))) for size in set(sizes)}
    found = look(file_of(b'"bytes"', codec, [packed[size] for size in sizes]))
    assert (found is not None and found.form == "Avro") is known


def _packed(codec: str, data: bytes) -> bytes:
    if codec == "snappy":
        return bytes(cramjam.snappy.compress_raw(data)) + zlib.crc32(data).to_bytes(4, "big")
    return zlib.compress(data, wbits=-15)


DECIMALS = {
    ("05", 0): "5", ("05", 3): "0.005", ("fb1e", 2): "-12.50", ("00", 2): "0.00", ("ff", 1): "-0.1",
    # What would be a number of any length.
    ("05", -1): "h'05'", ("05", 10**9): "h'05'", ("05", "2"): "h'05'",
    # 2.0 is in a range, and no number of digits; nor is true.
    ("05", 2.0): "h'05'", ("05", True): "h'05'",
    ("01" * 65, 0): f"h'{'01' * 65}'",
}  # fmt: skip


@pytest.mark.parametrize(("data", "scale"), DECIMALS)
def test_decimals_are_their_digits(data: str, scale: object) -> None:
    size = len(data) // 2
    kind = {"name": "D", "size": size, "logicalType": "decimal", "scale": scale}
    schema = Schema(msgspec.json.encode(kind | {"type": "fixed"}))
    assert schema.read(bytes.fromhex(data)) == DECIMALS[data, scale]


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("{", "it is no JSON"),
        ('"strin"', "no type is called 'strin'"),
        ("7", "7 is no type"),
        ('{"type": "record", "fields": []}', "a type record has no name"),
        ('{"type": "record", "name": "R", "fields": 7}', '{"type":"record","name":"R"'),
        ('{"type": "record", "name": "R", "fields": [{"name": "a"}]}', "a field of R has no name"),
        ('{"type": "array"}', '{"type":"array"} is no type'),
        ("[" * 5000 + "]" * 5000, "it is"),
        (b'"\xff\xfe"', "it is no JSON"),
    ],
)  # fmt: skip
def test_what_is_no_schema_is_refused_with_its_place(text: str | bytes, problem: str) -> None:
    with pytest.raises(SchemaError, match="^" + problem.replace("{", r"\{").replace("}", r"\}")):
        Schema(text)


def test_schemas_of_a_config_name_a_destination_and_a_file(tmp_path: Path) -> None:
    right, wrong = tmp_path / "order.avsc", tmp_path / "wrong.avsc"
    latin = tmp_path / "latin.avsc"
    latin.write_bytes(b'"\xff"')
    right.write_bytes(msgspec.json.encode(ORDER))
    wrong.write_text('"strin"')
    forget = give([f"orders={right}", f"*.dlq={right}"])
    assert look(PAYLOAD, "shop.dlq") == Decoded("Avro", VALUE, True)
    forget()
    assert SCHEMAS.of("shop.dlq") is None
    for text, problem in {
        "orders": "write DESTINATION=FILE",
        f"orders={tmp_path / 'none'}": "cannot be read: No such file",
        f"a={right},orders={wrong}".partition(",")[2]: "is no schema of Avro: no type is called",
        f"orders={latin}": "latin.avsc is no schema of Avro: it is no JSON",
    }.items():
        with pytest.raises(ConfigError, match=problem):
            give([text])


def test_a_file_whose_schema_is_no_utf8_is_none() -> None:
    found = look(file_of(b'"\xff"', "null", [(1, b"\0")]))
    assert found is None or found.form != "Avro"


def test_who_gives_a_schema_takes_back_that_one_alone() -> None:
    schemas, first, second = Schemas(), Schema('"int"'), Schema('"long"')
    forget_first = schemas.give("orders", first)
    forget_all = schemas.give("*", Schema('"string"'))
    forget_second = schemas.give("orders", second)
    forget_same = schemas.give("orders", second)
    assert schemas.of("orders") is second
    forget_same()
    forget_same()
    assert schemas.of("orders") is second
    forget_first()
    # Where the pattern stands is by its own first that is left.
    assert schemas.of("orders") is not second
    forget_all()
    assert schemas.of("orders") is second
    forget_second()
    assert schemas.of("orders") is None


def test_what_ends_first_leaves_the_others_schema_of_the_same_pattern(tmp_path: Path) -> None:
    file = tmp_path / "order.avsc"
    file.write_bytes(msgspec.json.encode(ORDER))
    one, other = (give([f"orders={file}"]) for _ in range(2))
    one()
    assert look(PAYLOAD, "orders") == Decoded("Avro", VALUE, True)
    other()
    assert SCHEMAS.of("orders") is None


def test_each_instance_reads_by_its_own_schema() -> None:
    """By its loop; who has none knows them all, the newest first."""
    found: list[object] = []

    async def reading(schema: Schema, then: Coroutine[Any, Any, None] | None) -> None:
        forget = SCHEMAS.give("orders", schema)
        if then is not None:
            with ThreadPoolExecutor() as elsewhere:
                elsewhere.submit(asyncio.run, then).result()
            found.append(SCHEMAS.of("others"))
        found.append(SCHEMAS.of("orders"))
        forget()

    one, other = Schema('"int"'), Schema('"long"')
    forget = SCHEMAS.give("others", one)
    asyncio.run(reading(one, reading(other, None)))
    assert found == [other, None, one]
    assert (SCHEMAS.of("others"), SCHEMAS.of("orders")) == (one, None)
    forget()


def test_an_instance_that_does_not_get_its_data_folder_leaves_no_schemas(tmp_path: Path) -> None:
    file = tmp_path / "order.avsc"
    file.write_bytes(msgspec.json.encode(ORDER))

    async def begin() -> None:
        Runtime(Config(schemas=(f"*={file}",), data_dir=str(file)))

    with pytest.raises(InvalidInput, match="--data-dir"):
        asyncio.run(begin())
    assert SCHEMAS.of("orders") is None


def test_an_instance_without_schemas_reads_by_no_other_s(tmp_path: Path) -> None:
    """Also where the other one runs beside it, and gave its schema for all destinations."""
    file = tmp_path / "order.avsc"
    file.write_bytes(msgspec.json.encode(ORDER))

    async def reads() -> object:
        Runtime(Config())
        return look(PAYLOAD, "orders")

    async def of_no_instance() -> object:
        return look(PAYLOAD, "orders")

    forget = give([f"*={file}"])
    try:
        assert asyncio.run(reads()) != Decoded("Avro", VALUE, True)
        # A test with a loop of its own asks about what an instance in another thread got.
        assert asyncio.run(of_no_instance()) == Decoded("Avro", VALUE, True)
    finally:
        forget()
