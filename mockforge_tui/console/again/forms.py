"""Exported messages as command lines of each protocol's usual client, and as a fixture file."""

import json
import re
from collections.abc import Mapping
from typing import Any, Final

from mockforge_brokers.journal import Row

from ...text import clean
from ..results import to_json
from . import amqp, kafka, mqtt
from .spelling import Unspeakable

_PROTOCOLS: Final = {module.__name__.rpartition(".")[2]: module for module in (kafka, mqtt, amqp)}
_BRACES: Final = "{{"
_UNPRINTED: Final = re.compile("[\x7f-\x9f\u2028\u2029\ufeff]")
"""What JSON has as it is and YAML does not."""


class CommandLines:
    """A line for each message; a comment where the client cannot send it.

    `addresses` are where each protocol's plain listener is.
    """

    def __init__(self, addresses: Mapping[str, str]) -> None:
        self._addresses = addresses

    def __call__(self, row: Row) -> bytes:
        if row.kind != "message":
            return b""
        written = _PROTOCOLS[row.protocol]
        try:
            line = written.command_line(row, self._addresses.get(row.protocol, ""))
        except Unspeakable as why:
            line = _left_out(row, why)
        return f"{line}\n".encode()


class FixtureFile:
    """A file of fixtures: one for each message, which `play` sends as it was."""

    def __init__(self) -> None:
        self._count = 0
        self._begun = False

    def __call__(self, row: Row) -> bytes:
        if row.kind != "message":
            return b""
        head = b"" if self._begun else b"mockforge: 1\ngenerators:\n"
        self._begun = True
        return head + self._entry(row).encode()

    def _entry(self, row: Row) -> str:
        try:
            to = _yaml(_PROTOCOLS[row.protocol].target(row))
            value = _yaml(_value(row))
        except Unspeakable as why:
            return f"  {_left_out(row, why)}\n"
        self._count += 1
        return f"  - id: captured-{self._count}\n    to: {to}\n    value: {value}\n"


def _left_out(row: Row, why: Unspeakable) -> str:
    which = f"#{row.seq}" if row.seq else clean(row.destination, 80)
    return f"# left out: {which}, {clean(str(why), 200)}"


def _value(row: Row) -> Any:
    """Objects and arrays as they are written, to be changed there; else exactly the text."""
    if row.payload is None:
        return None
    try:
        text = row.payload.decode()
    except UnicodeDecodeError:
        raise Unspeakable(
            "a fixture holds no bytes that are no text: --as recording does"
        ) from None
    try:
        value = json.loads(text)
    except (ValueError, RecursionError):
        return text
    return value if isinstance(value, dict | list) and _is_plain(value) else text


def _is_plain(value: dict[str, Any] | list[Any]) -> bool:
    """Whether a file's value would become this JSON again."""
    return (
        json.loads(to_json(value)) == value
        and "NaN" not in (shown := to_json(value))
        and ("Infinity" not in shown)
    )


def _yaml(value: Any) -> str:
    """In one line; what looks like a template is none."""
    shown = to_json(_escaped(value))
    return _UNPRINTED.sub(lambda found: f"\\u{ord(found[0]):04x}", shown)


def _escaped(value: Any) -> Any:
    match value:
        case str():
            return value.replace(_BRACES, f"\\{_BRACES}")
        case dict():
            return {name: _escaped(each) for name, each in value.items()}
        case list() | tuple():
            return [_escaped(each) for each in value]
    return value
