"""Values that wire reads and state keeps: typed fields of tables."""

import struct
from collections.abc import Mapping, Sequence
from typing import Any, Final, NamedTuple

from ..errors import InvalidInput

TYPE_NAMES: Final[dict[str, str]] = {
    "t": "bool",
    "b": "byte",
    "B": "unsignedbyte",
    "s": "short",
    "u": "unsignedshort",
    "I": "signedint",
    "i": "unsignedint",
    "l": "long",
    "L": "long",
    "f": "float",
    "d": "double",
    "D": "decimal",
    "S": "longstr",
    "A": "array",
    "T": "timestamp",
    "F": "table",
    "V": "void",
    "x": "binary",
}
"""The type octets that RabbitMQ reads, with the names that its texts use."""

INTEGER_TYPES: Final = frozenset("bBsuIilL")
_FLOAT_TYPES: Final = frozenset("fd")
_NUMBERS: Final = INTEGER_TYPES | _FLOAT_TYPES | {"T"}


class Field(NamedTuple):
    """One value of a field table with the type octet that it came with.

    Types are kept since RabbitMQ compares and prints them (`of type 'signedint'`).
    """

    type: str
    value: Any

    @property
    def type_name(self) -> str:
        return TYPE_NAMES[self.type]

    @property
    def family(self) -> str:
        """Types of one family compare by value: all integers, both floats."""
        if self.type in INTEGER_TYPES:
            return "integer"
        return "float" if self.type in _FLOAT_TYPES else self.type_name

    def equals(self, other: "Field") -> bool:
        """Equal as RabbitMQ sees it: one family, one value."""
        return self.family == other.family and bool(self.value == other.value)

    @property
    def alike(self) -> object:
        """Equal for fields that a headers exchange takes for equal.

        RabbitMQ compares Erlang's terms: numbers and timestamps by value (1 is 1.0), texts and
        byte arrays by their bytes, an empty table and an empty array are both the empty list;
        inside tables and arrays the types count too.
        """
        value = self.value
        if self.type in _NUMBERS:
            return ("number", value)
        if self.type in ("S", "x"):
            return ("bytes", octets_of(value))
        if self.type == "D":
            return ("decimal", value.as_tuple())
        if self.type == "F":
            items = sorted((name, item.type, item.alike) for name, item in value.items())
            return ("list", tuple(items))
        if self.type == "A":
            return ("list", tuple((item.type, item.alike) for item in value))
        return (self.type, value)


Table = dict[str, Field]


def octets_of(value: str | bytes) -> bytes:
    """A text's bytes on the wire, whether or not they are UTF-8."""
    return value.encode("utf-8", "surrogateescape") if isinstance(value, str) else bytes(value)


def text_of(field: Field) -> str:
    """What a field names, as names are kept: bytes that are no UTF-8 stand in it as surrogates.

    A table's text is bytes where it is no UTF-8 (wire/field_table.py), a short string never is: a
    queue that an x-death names would not be the one that is called so.
    """
    value = field.value
    return value.decode("utf-8", "surrogateescape") if isinstance(value, bytes) else str(value)


class Headers(dict[str, Field]):
    """A message's headers, with its other properties for exchanges that ask for them."""

    def __init__(self, headers: Mapping[str, Field], properties: Mapping[str, Any]) -> None:
        super().__init__(headers)
        self.properties = properties


def plain(value: Any) -> Any:
    """A field, table or array without its types, for people."""
    if isinstance(value, Field):
        value = value.value
    if isinstance(value, dict):
        return {key: plain(item) for key, item in value.items()}
    if isinstance(value, tuple):
        return [plain(item) for item in value]
    return value


_LONGEST_NAME: Final = 255
_SCALARS: Final = {type(None): "V", bool: "t", float: "d", str: "S", bytes: "x"}


def field(value: Any, where: str = "value") -> Field:
    """What a person wrote (JSON-like) as a typed field; raises InvalidInput."""
    kind = _SCALARS.get(type(value))
    if kind == "S":
        _check_text(value, where)
    if kind is not None:
        return Field(kind, value)
    match value:
        case Field():
            return value
        case int():
            return _integer(value, where)
        case list() | tuple():
            return Field("A", tuple(field(item, where) for item in value))
        case Mapping():
            return Field("F", table(value, where))
    raise InvalidInput(f"{where}: a field table cannot hold a {type(value).__name__}")


def _check_text(text: str, where: str) -> int:
    """How many bytes a text has; raises InvalidInput for half of a character (JSON's \\ud800)."""
    try:
        return len(octets_of(text))
    except UnicodeEncodeError:
        raise InvalidInput(f"{where}: {text!r} is no legal text") from None


def _integer(value: int, where: str) -> Field:
    if -(2**31) <= value < 2**31:
        return Field("I", value)
    if -(2**63) <= value < 2**63:
        return Field("l", value)
    raise InvalidInput(f"{where}: {value} does not fit into 64 bits")


def table(values: Mapping[str, Any], where: str = "arguments") -> Table:
    """A mapping of plain values as a field table; raises InvalidInput."""
    made = {}
    for key, item in values.items():
        name = str(key)
        if _check_text(name, where) > _LONGEST_NAME:
            raise InvalidInput(f"{where}: {name[:20]!r}... is longer than 255 bytes")
        made[name] = field(item, f"{where}.{name}")
    return made


class Converted(bytes):
    """A message's frames that were made of one of AMQP 1.0, with the parts that they were made of.

    `bare` is what nobody may change on its way (AMQP 1.0 part 3.2), `annotations` the section of
    its message annotations. To all who do not ask it is the frames' bytes.
    """

    bare: bytes
    annotations: bytes

    def __new__(cls, frames: bytes, bare: bytes, annotations: bytes) -> "Converted":
        made = super().__new__(cls, frames)
        made.bare = bare
        made.annotations = annotations
        return made

    @property
    def packed(self) -> bytes:
        """All of it as bytes that are no frames, for `unpacked`."""
        sizes = _sizes.pack(_PACKED, len(self.bare), len(self.annotations))
        return b"".join((sizes, self.bare, self.annotations, self))

    def with_frames(self, frames: bytes) -> "Converted":
        """The same message with other properties or headers."""
        return Converted(frames, self.bare, self.annotations)


class Buried(bytes):
    """A dead letter's frames: their x-death is the broker's own, not one that a client sent."""


_sizes: Final = struct.Struct(">BII")
_PACKED: Final = 0
_BURIED: Final = b"\xff"
"""No frame begins with one of these."""


class Alike(NamedTuple):
    """Contents of one length, and where they lie in what was read: from `at` on, each `stride`
    bytes behind the one before."""

    contents: list[bytes]
    data: bytes
    at: int
    stride: int


KEPT_AT_MOST: Final = 3
"""Times their own bytes that parts may keep of what was read."""


class Parts(NamedTuple):
    """A large content as its frames lie in what was read, all of which that keeps.

    `largest`: bytes of its largest frame's payload.
    """

    pieces: Sequence[bytes | memoryview]
    largest: int


NO_PARTS: Final = Parts((), 0)


def packed(content: bytes) -> bytes:
    """A message's frames, and what stands beside them, as plain bytes to be kept."""
    match content:
        case Converted():
            return content.packed
        case Buried():
            return _BURIED + content
    return content


def unpacked(kept: bytes) -> bytes:
    """What `packed` was given."""
    if kept[:1] == _BURIED:
        return Buried(kept[1:])
    if kept[0] != _PACKED:
        return kept
    _, bare, annotations = _sizes.unpack_from(kept)
    start = _sizes.size
    middle, end = start + bare, start + bare + annotations
    return Converted(kept[end:], kept[start:middle], kept[middle:end])
