"""The vocabulary in which `messages/` writes Kafka's message schemas down.

A message is a class whose annotations are wire types and whose fields say from which version on
they exist:

    @response(ApiKey.HEARTBEAT, "0-4", flexible=4)
    class HeartbeatResponse(Message):
        throttle_time_ms: Int32 = field("1+", default=0)
        error_code: Int16

To mypy it is a dataclass with keyword arguments: what every version carries must be given, what
some version lacks has a default. Arrays decode to lists; any sequence encodes.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from types import UnionType
from typing import (
    Annotated,
    Any,
    ClassVar,
    Literal,
    TypeVar,
    Union,
    cast,
    dataclass_transform,
    get_args,
    get_origin,
)

from msgspec import Struct as Record

from ..codes import ApiKey, VersionRange

S = TypeVar("S", bound="Struct")
M = TypeVar("M", bound="Message")

Kind = Literal["request", "response", "data"]


class WireType(Record, frozen=True):
    """A primitive of the protocol; `code` is its struct letter when its size is fixed."""

    name: str
    zero: object
    code: str = ""


class Array(Record, frozen=True):
    """A counted sequence of one wire type or struct."""

    of: WireType | type[Struct]


Bool = Annotated[bool, WireType("bool", False, "?")]
Int8 = Annotated[int, WireType("int8", 0, "b")]
Int16 = Annotated[int, WireType("int16", 0, "h")]
Uint16 = Annotated[int, WireType("uint16", 0, "H")]
Int32 = Annotated[int, WireType("int32", 0, "i")]
Int64 = Annotated[int, WireType("int64", 0, "q")]
Float64 = Annotated[float, WireType("float64", 0.0, "d")]
# Topic ids stay the 16 bytes that they are on the wire: a uuid.UUID costs a microsecond each.
Uuid = Annotated[bytes, WireType("uuid", bytes(16), "16s")]
String = Annotated[str, WireType("string", "")]
Bytes = Annotated[bytes, WireType("bytes", b"")]
# Record batches stay opaque here; `records.py` reads them.
Records = Annotated[bytes, WireType("records", b"")]
# As they lie in a log, to be sent without a copy; read from the wire they are one piece.
Batches = Annotated[bytes | list[bytes], WireType("records", b"")]

ZERO_UUID = bytes(16)
INT32_MIN, INT32_MAX, INT64_MAX = -(2**31), 2**31 - 1, 2**63 - 1


class Struct:
    """What all messages and their parts have; `unknown_tags` keeps tagged fields of newer peers."""

    __slots__ = ("unknown_tags",)
    fields: ClassVar[tuple[Field, ...]] = ()
    unknown_tags: dict[int, bytes] | None

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Struct) or type(self) is not type(other):
            return NotImplemented
        return list(self._values()) == list(other._values())

    def __repr__(self) -> str:
        values = ", ".join(f"{name}={value!r}" for name, value in self._values())
        return f"{type(self).__name__}({values})"

    def _values(self) -> Iterator[tuple[str, object]]:
        for item in self.fields:
            value = getattr(self, item.name)
            # An array that was left out and one that was decoded empty are the same array.
            yield item.name, list(value) if isinstance(value, tuple) else value
        if self.unknown_tags:
            yield "unknown_tags", self.unknown_tags


class Message(Struct):
    """A whole request, response or data structure, with the versions that this table knows."""

    __slots__ = ()
    kind: ClassVar[Kind]
    api_key: ClassVar[ApiKey | None]
    versions: ClassVar[VersionRange]
    flexible: ClassVar[int | None]

    @classmethod
    def is_flexible(cls, version: int) -> bool:
        """Whether this version has compact lengths and tagged fields (KIP-482)."""
        return cls.flexible is not None and version >= cls.flexible


class Field(Record, frozen=True):
    """One row of the table. `tag` is set for tagged fields, which are absent when `default`."""

    name: str
    annotation: Any
    versions: VersionRange
    nullable: VersionRange | None
    tag: int | None
    default: Any


class _Options(Record, frozen=True):
    versions: str
    default: Any
    nullable: str | None
    tag: int | None


_REQUIRED: Any = object()


def field(
    versions: str = "0+",
    *,
    default: Any = _REQUIRED,
    nullable: str | None = None,
    tag: int | None = None,
) -> Any:
    """A field of some versions ("3+", "0-8"). `nullable` narrows the versions that allow None."""
    return _Options(versions, default, nullable, tag)


@dataclass_transform(kw_only_default=True, field_specifiers=(field,))
def struct(cls: type[S]) -> type[S]:
    """A part of a message, with slots for its fields."""
    return _slotted(cls)


@dataclass_transform(kw_only_default=True, field_specifiers=(field,))
def request(
    api_key: ApiKey, versions: str, flexible: int | None = None
) -> Callable[[type[M]], type[M]]:
    return lambda cls: _message(cls, "request", api_key, versions, flexible)


@dataclass_transform(kw_only_default=True, field_specifiers=(field,))
def response(
    api_key: ApiKey, versions: str, flexible: int | None = None
) -> Callable[[type[M]], type[M]]:
    return lambda cls: _message(cls, "response", api_key, versions, flexible)


@dataclass_transform(kw_only_default=True, field_specifiers=(field,))
def data(versions: str, flexible: int | None = None) -> Callable[[type[M]], type[M]]:
    """A structure that travels inside of another message's bytes."""
    return lambda cls: _message(cls, "data", None, versions, flexible)


def _message(
    cls: type[M], kind: Kind, api_key: ApiKey | None, versions: str, flexible: int | None
) -> type[M]:
    made = _slotted(cls)
    made.kind = kind
    made.api_key = api_key
    made.versions = VersionRange.parse(versions)
    made.flexible = flexible
    return made


def _slotted(cls: type[S]) -> type[S]:
    """The class made anew with slots and a constructor, as dataclass(slots=True) does it."""
    body = {n: v for n, v in cls.__dict__.items() if n not in ("__dict__", "__weakref__")}
    notes = dict(cls.__annotations__)
    fields = tuple(_field(name, note, body.pop(name, _REQUIRED)) for name, note in notes.items())
    body.update(fields=fields, __slots__=tuple(notes), __init__=_first_construction)
    return cast(type[S], type(cls.__name__, cls.__bases__, body))


def _first_construction(self: Struct, **values: Any) -> None:
    """Compile the constructor when it is first called: most classes are only ever decoded."""
    type(self).__init__ = _constructor(self.fields)  # type: ignore[method-assign]
    type(self).__init__(self, **values)


def _field(name: str, annotation: Any, options: Any) -> Field:
    if not isinstance(options, _Options):
        options = _Options("0+", options, None, None)
    wire, optional = unwrap(annotation)
    default = options.default
    if default is _REQUIRED:
        default = wire.zero if isinstance(wire, WireType) else ()
    versions = VersionRange.parse(options.versions)
    nullable = None
    if optional:
        nullable = VersionRange.parse(options.nullable) if options.nullable else versions
    return Field(name, annotation, versions, nullable, options.tag, default)


def unwrap(annotation: Any) -> tuple[WireType | Array | type[Struct], bool]:
    """What an annotation of the table stands for, and whether it may be None."""
    origin = get_origin(annotation)
    if origin in (Union, UnionType):
        return unwrap(get_args(annotation)[0])[0], True
    if origin is Sequence:
        return Array(_single(get_args(annotation)[0])), False
    return _single(annotation), False


def _single(annotation: Any) -> WireType | type[Struct]:
    wire = get_args(annotation)[1] if get_origin(annotation) is Annotated else annotation
    return cast(WireType | type[Struct], wire)


def _constructor(fields: tuple[Field, ...]) -> Callable[..., None]:
    """`__init__` with a keyword for each field, all of them with the protocol's default."""
    parameters = ", ".join(f"{f.name}=defaults[{i}]" for i, f in enumerate(fields))
    lines = [f"def __init__(self, {'*, ' if fields else ''}{parameters}):"]
    lines += [f"    self.{f.name} = {f.name}" for f in fields]
    lines += ["    self.unknown_tags = None"]
    scope: dict[str, Any] = {"defaults": [f.default for f in fields]}
    exec("\n".join(lines), scope)
    return cast(Callable[..., None], scope["__init__"])
