"""Which filters of a source are in force, and what its queue makes of them.

Stream filters are arguments of the consumer. Property filters and the SQL filter are those of
"AMQP Filter Expressions" as RabbitMQ reads them (rabbit_amqp_filter_prop, rabbit_amqp_filter_sql).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final, Protocol
from uuid import UUID

from msgspec import Struct

from ..records import Field, Table
from ..state.message import Message
from .mapping import from_content
from .sql.parser import Evaluate, parse
from .sql.tokens import Malformed
from .wire import message
from .wire.values import Char, Described, Symbol, Timestamp, UInt, ULong

PROPERTIES: Final = "amqp:properties-filter"
APPLICATION: Final = "amqp:application-properties-filter"
SQL: Final = "amqp:sql-filter"
_SQL_NAME: Final = "sql-filter"
"""The key under which a source has its SQL filter: as all else RabbitMQ does not know it."""
_USUAL_PRIORITY: Final = 4
_CODES: Final = {0x120: SQL, 0x173: PROPERTIES, 0x174: APPLICATION}
_MOST_FIELDS: Final = 16
_STREAM: Final = "rabbitmq:stream-"
_TEXTS: Final = ("to", "subject", "reply_to", "group_id", "reply_to_group_id")
_SYMBOLS: Final = ("content_type", "content_encoding")
_MOMENTS: Final = ("absolute_expiry_time", "creation_time")
_IDENTITIES: Final = ("message_id", "correlation_id")

Scalar = bool | int | float | bytes | None


class Affix(Struct, frozen=True):
    """How a text begins (`&p:`) or ends (`&s:`)."""

    text: bytes
    ends: bool

    def holds(self, value: Scalar) -> bool:
        if not isinstance(value, bytes):
            return False
        return value.endswith(self.text) if self.ends else value.startswith(self.text)


Wanted = dict[str, Affix | Scalar]


class Expression(Protocol):
    def passes(self, found: Message) -> bool: ...


class ByProperties(Struct, frozen=True):
    """What a message's properties and application properties must be, by name."""

    properties: Wanted
    application: Wanted

    def passes(self, found: Message) -> bool:
        sections = _sections(found)
        return all(
            _holds(wanted, sections.properties.get(name))
            for name, wanted in self.properties.items()
        ) and all(
            name in sections.application and _holds(wanted, sections.application[name])
            for name, wanted in self.application.items()
        )


class BySql(Struct, frozen=True):
    """`wall` is the clock that UTC() reads, in seconds since 1970."""

    evaluate: Evaluate
    wall: Callable[[], float]

    def passes(self, found: Message) -> bool:
        return self.evaluate(_Facts(_sections(found), self.wall)) is True


class _Facts(Struct, frozen=True):
    """What an SQL filter asks of one message."""

    sections: message.Sections
    wall: Callable[[], float]

    def field(self, name: str) -> Scalar:
        if name != "priority":
            return _known(self.sections.properties.get(name))
        given = self.sections.header.get("priority")
        return _USUAL_PRIORITY if given is None else _known(given)

    def application_property(self, name: str) -> Scalar:
        return _known(self.sections.application.get(name))

    def now(self) -> int:
        return int(self.wall() * 1000)


def _sections(found: Message) -> message.Sections:
    content, route = found.content, found.route
    data = from_content(content, route.exchange.name, route.routing_key, redelivered=False)
    return message.read(data)


class Filters(Struct, frozen=True):
    """`kept` is what the answer to an attach names as in force, `malformed` why SQL is not."""

    kept: dict[Any, Any] | None
    arguments: Table
    expression: Expression | None
    malformed: str = ""


def read(
    asked: Mapping[Any, Any] | None, wall: Callable[[], float], *, undescribed: bool = True
) -> Filters:
    """What is not understood is not in force, and not an error (3.5.3).

    `undescribed`: a stream filter may do without its descriptor.
    """
    if asked is None:
        return Filters(None, {}, None)
    kept: dict[Any, Any] = {}
    arguments: Table = {}
    sections: dict[str, Wanted] = {}
    by_sql: BySql | None = None
    malformed = ""
    # Of two expressions about one section, and of SQL and properties, RabbitMQ keeps the last one.
    for key, given in reversed(tuple(asked.items())):
        described = _described(key, given, undescribed=undescribed)
        argument = _argument(described)
        if argument is not None:
            arguments[argument[0]] = argument[1]
        elif key == _SQL_NAME and _is_sql(described):
            if sections or by_sql:
                continue
            try:
                by_sql = BySql(parse(described.value), wall)
            except Malformed as error:
                malformed = str(error)
                continue
        elif by_sql or not _take_section(described, sections):
            continue
        kept[key] = described
    expression: Expression | None = by_sql
    if sections:
        expression = ByProperties(sections.get(PROPERTIES, {}), sections.get(APPLICATION, {}))
    return Filters(dict(reversed(tuple(kept.items()))), arguments, expression, malformed)


def _described(key: Any, given: Any, *, undescribed: bool) -> Described:
    """Older clients leave a stream filter undescribed: its name says which one it is."""
    if isinstance(given, Described):
        return given
    known = undescribed and isinstance(key, Symbol) and key.startswith(_STREAM)
    name = key if known else Symbol("")
    return Described(name, given)


def _argument(described: Described) -> tuple[str, Field] | None:
    value = described.value
    match str(described.descriptor), value:
        case "rabbitmq:stream-offset-spec", Timestamp():
            return "x-stream-offset", Field("T", value // 1000)
        case "rabbitmq:stream-offset-spec", str():
            return "x-stream-offset", Field("S", str(value))
        case "rabbitmq:stream-offset-spec", int() if value >= 0:
            return "x-stream-offset", Field("l", int(value))
        case "rabbitmq:stream-filter", str():
            return "x-stream-filter", Field("S", str(value))
        case "rabbitmq:stream-filter", list():
            texts = tuple(Field("S", str(each)) for each in value if isinstance(each, str))
            return "x-stream-filter", Field("A", texts)
        case "rabbitmq:stream-match-unfiltered", bool():
            return "x-stream-match-unfiltered", Field("t", value)
    return None


def _name(described: Described) -> str:
    """Of the filter that a descriptor announces, which may be any value; empty for none."""
    match described.descriptor:
        case Symbol() as name:
            return name
        case ULong() as code:
            return _CODES.get(code, "")
    return ""


# SQL filters.


def _is_sql(described: Described) -> bool:
    return _name(described) == SQL and _is_text(described.value)


# Property filters.


def _take_section(described: Described, sections: dict[str, Wanted]) -> bool:
    name = _name(described)
    fields = described.value
    if name not in (PROPERTIES, APPLICATION) or name in sections:
        return False
    if not isinstance(fields, dict) or not 0 < len(fields) <= _MOST_FIELDS:
        return False
    reading = _property if name == PROPERTIES else _application_property
    wanted: Wanted = {}
    try:
        for key, value in fields.items():
            field, reference = reading(key, value)
            wanted[field] = reference
    except _Malformed:
        return False
    sections[name] = wanted
    return True


class _Malformed(Exception):
    """An expression that the draft does not have."""


def _property(key: Any, value: Any) -> tuple[str, Affix | Scalar]:
    name = str(key).replace("-", "_") if isinstance(key, Symbol) else ""
    text = _is_text(value)
    match name:
        case _ if name in _TEXTS and text:
            return name, _text(value)
        case _ if name in _IDENTITIES and text:
            return name, _text(value)
        case _ if name in _IDENTITIES and isinstance(value, (ULong, UUID, bytes)):
            return name, _plain(value)
        case _ if name in _SYMBOLS and isinstance(value, Symbol):
            return name, _plain(value)
        case _ if name in _MOMENTS and isinstance(value, Timestamp):
            return name, _plain(value)
        case "user_id" if isinstance(value, bytes):
            return name, value
        case "group_sequence" if isinstance(value, UInt):
            return name, _plain(value)
    raise _Malformed


def _application_property(key: Any, value: Any) -> tuple[str, Affix | Scalar]:
    if not isinstance(key, str) or isinstance(key, (Symbol, Char)):
        raise _Malformed
    text = _is_text(value)
    return str(key), _text(value) if text else _plain(value)


def _is_text(value: Any) -> bool:
    return isinstance(value, str) and not isinstance(value, (Symbol, Char))


def _text(value: str) -> Affix | bytes:
    """`&p:` and `&s:` begin a prefix and a suffix, `&&` a text that begins with one `&`."""
    if value.startswith(("&s:", "&p:")):
        return Affix(value[3:].encode(), value[1] == "s")
    if value.startswith("&&"):
        return value[1:].encode()
    if value.startswith("&"):
        raise _Malformed
    return value.encode()


def _plain(value: Any) -> Scalar:
    """A value without its type: RabbitMQ compares texts, symbols and binaries by their bytes."""
    match value:
        case str() if not isinstance(value, Char):
            return value.encode("utf-8", "surrogateescape")
        case UUID():
            return value.bytes
        case bool() | bytes() | None:
            return value
        case int() | float():
            return value
        case Char():
            return ord(value)
    raise _Malformed


def _known(value: Any) -> Scalar:
    """As `_plain`; what no filter compares is unknown."""
    try:
        return _plain(value)
    except _Malformed:
        return None


def _holds(wanted: Affix | Scalar, given: Any) -> bool:
    if wanted is None:
        return True
    try:
        value = _plain(given)
    except _Malformed:
        return False
    if isinstance(wanted, Affix):
        return wanted.holds(value)
    # True is no number in AMQP.
    return isinstance(wanted, bool) == isinstance(value, bool) and wanted == value
