"""The kinds of arguments that commands take."""

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any, Final

from .. import units
from ..filters import Filter, Subject, compile_filter
from .language import Token
from .payloads import parse_payload
from .registry import Type
from .targets import parse_target

_INTEGER: Final = {"type": "integer"}
_NUMBER: Final = {"type": "number"}


def of_text(parse: Callable[[str], Any]) -> Callable[[Token], Any]:
    """Reads a token by its text without quotes."""
    return lambda token: parse(token.value)


def text(name: str, completer: str = "") -> Type:
    """A name or another plain text."""
    return Type(name, of_text(_not_empty), completer)


def choice(name: str, *values: str, notes: Mapping[str, str] = MappingProxyType({})) -> Type:
    """One of a closed set; `notes` say what some of them are."""

    def parse(token: Token) -> str:
        if token.value not in values:
            raise ValueError(f"{token.value!r} is not one of {', '.join(values)}")
        return token.value

    return Type(name, parse, values=values, notes=notes)


def integer(name: str, least: int = 0, most: int | None = None) -> Type:
    def parse(token: Token) -> int:
        try:
            value = int(token.value.removeprefix("#"))
        except ValueError:
            raise ValueError(f"{token.value!r} is not a whole number") from None
        if value < least:
            raise ValueError(f"{name} must be {least} or more, not {value}")
        if most is not None and value > most:
            raise ValueError(f"{name} must be {most} or less, not {value}")
        return value

    return Type(name, parse, schema={**_INTEGER, "minimum": least})


def duration(value: str) -> float:
    """Seconds of `250ms`, `5s`, `1m30s`. A person must say the unit: 100 may mean either."""
    seconds = units.parse_duration(value)
    if value.strip()[-1].isdigit() and seconds:
        raise ValueError(f"{value} of what? Write {value}ms or {value}s")
    return seconds


def filter_of(subject: Subject) -> Type:
    """A filter over the rows of a table."""
    return Type("filter", lambda token: compile_filter(token.text, subject), "table-filter")


def read_filter(token: Token) -> Filter:
    """A filter over rows of traffic."""
    return compile_filter(token.text)


def _not_empty(value: str) -> str:
    if not value:
        raise ValueError("an empty name")
    return value


def _pair(value: str) -> tuple[str, str]:
    name, equals, rest = value.partition("=")
    if not equals or not name:
        raise ValueError(f"{value!r} is not name=value")
    return name, rest


COUNT = integer("n", 1)
PARTITION = integer("partition")
DURATION = Type("dur", of_text(duration))
RATE = Type("rate", of_text(units.parse_rate))
SHARE = Type("p", of_text(units.parse_share), schema=_NUMBER)
PAIR = Type("k=v", of_text(_pair))
CONFIG = Type("k=v", of_text(_pair), "config-keys")
OFFSET = Type("offset", of_text(str))
TEXT = Type("text", of_text(str))
CODE = Type("code", of_text(str), "codes")
GLOB = text("glob")
FILE = text("file")
FILTER = Type("filter", read_filter, "filter", reader="filter")
PAYLOAD = Type("payload", parse_payload)
TARGET = Type("target", of_text(parse_target), "targets")

TOPIC = text("topic", "topics")
QUEUE = text("queue", "queues")
EXCHANGE = text("exchange", "exchanges")
FIXTURE = text("name", "fixtures")
GROUP = text("group", "groups")
CLIENT = text("client", "sessions")
TRANSACTION = text("txn", "transactions")
