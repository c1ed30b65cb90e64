"""The table and the codecs against kio, which is generated from Kafka's own message files."""

import dataclasses
import types
import typing
from collections.abc import Iterator
from typing import Any

import pytest
from kio.schema.errors import ErrorCode as KioErrorCode
from mockforge_brokers.kafka.codes import ErrorCode
from mockforge_brokers.kafka.served import ADVERTISED
from mockforge_brokers.kafka.wire.catalog import REQUESTS, RESPONSES
from mockforge_brokers.kafka.wire.schema import Array, Message, Struct, WireType, unwrap

from .counting import NEWER_THAN_KIO, check, kio_class
from .generated import VERSIONS

# kio reads durations and points in time to Python's own types, and drops their unit.
KIO_TYPES = {
    "error_code": "int16",
    "timedelta_i32": "int32",
    "timedelta_i64": "int64",
    "datetime_i64": "int64",
}
KNOWN = [
    (message, version)
    for message, version in VERSIONS
    if (message.__name__, version) not in NEWER_THAN_KIO
]
KNOWN_IDS = [f"{message.__name__}-v{version}" for message, version in KNOWN]
IN_MILLISECONDS = ("timedelta_i32", "timedelta_i64", "datetime_i64")


@pytest.mark.table
@pytest.mark.parametrize(("message", "version"), KNOWN, ids=KNOWN_IDS)
def test_kio_reads_what_we_write_and_writes_it_the_same(
    message: type[Message], version: int
) -> None:
    check(message, version)


@pytest.mark.table
@pytest.mark.parametrize(("message", "version"), KNOWN, ids=KNOWN_IDS)
def test_table_agrees_with_kio(message: type[Message], version: int) -> None:
    kio = kio_class(message, version)
    assert message.is_flexible(version) == kio.__flexible__
    assert sorted(our_rows(message, version)) == sorted(kio_rows(kio))
    assert [row for row in our_rows(message, version) if row[3] is None] == [
        row for row in kio_rows(kio) if row[3] is None
    ]


@pytest.mark.parametrize("message", [*REQUESTS.values(), *RESPONSES.values()])
def test_all_advertised_versions_are_in_the_table(message: type[Message]) -> None:
    advertised = ADVERTISED[message.api_key]
    # Produce is shown from 0 and served from 3; every other range is the table's.
    first = 3 if message.api_key == 0 else advertised.first
    assert (message.versions.first, message.versions.last) == (first, advertised.last)


def test_every_advertised_api_has_a_request_and_a_response() -> None:
    assert set(ADVERTISED) == set(REQUESTS) == set(RESPONSES)


def test_error_codes_are_kafkas() -> None:
    ours = {(code.name, int(code), code.retriable) for code in ErrorCode}
    theirs = {(code.name.upper(), int(code), code.retriable) for code in KioErrorCode}
    # Later releases of either may know more.
    assert {row for row in theirs if row[1] <= 133} == {row for row in ours if row[1] <= 133}


Row = tuple[str, str, bool, int | None]
"""(path, type, nullable, tag)"""


def our_rows(struct: type[Struct], version: int, path: str = "") -> list[Row]:
    rows: list[Row] = []
    for field in struct.fields:
        if version not in field.versions:
            continue
        wire, _ = unwrap(field.annotation)
        array = "[]" if isinstance(wire, Array) else ""
        if isinstance(wire, Array):
            wire = wire.of
        nullable = field.nullable is not None and version in field.nullable
        name = f"{path}{field.name}"
        if isinstance(wire, WireType):
            rows.append((name, array + wire.name, nullable, field.tag))
        else:
            # A tagged struct that is None here is absent on the wire, not null.
            absent = field.tag is not None and not array
            rows.append((name, f"{array}struct", nullable and not absent, field.tag))
            rows += our_rows(typing.cast(type[Struct], wire), version, f"{name}.")
    return rows


def kio_rows(entity: Any, path: str = "") -> list[Row]:
    rows: list[Row] = []
    for field in dataclasses.fields(entity):
        kind = field.metadata.get("kafka_type", "struct")
        name = f"{path}{field.name}" + ("_ms" if kind in IN_MILLISECONDS else "")
        inner, nullable, array = _parts(field.type)
        # kio gives the zero UUID and the timestamp -1 as None, whatever the schema says.
        if kind in ("uuid", "datetime_i64"):
            nullable = False
        kind = ("[]" if array else "") + KIO_TYPES.get(kind, kind)
        rows.append((name, kind, nullable, field.metadata.get("tag")))
        if dataclasses.is_dataclass(inner):
            rows += kio_rows(inner, f"{name}.")
    return rows


def _parts(annotation: Any) -> tuple[Any, bool, bool]:
    """The innermost type, whether None is allowed, whether it is an array."""
    nullable = False
    if typing.get_origin(annotation) in (types.UnionType, typing.Union):
        nullable = True
        annotation = next(_but_none(annotation))
    if typing.get_origin(annotation) is tuple:
        return typing.get_args(annotation)[0], nullable, True
    return annotation, nullable, False


def _but_none(annotation: Any) -> Iterator[Any]:
    return (part for part in typing.get_args(annotation) if part is not type(None))
