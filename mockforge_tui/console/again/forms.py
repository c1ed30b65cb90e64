"""Exported messages as command lines of each protocol's usual client, and as a fixture file."""

import json
import re
from collections.abc import Iterable, Mapping
from typing import Any, Final

from mockforge_brokers.journal import Row

from ..results import to_json
from . import amqp, kafka, mqtt
from .spelling import Unspeakable, left_out

_PROTOCOLS: Final = {module.__name__.rpartition(".")[2]: module for module in (kafka, mqtt, amqp)}
_BRACES: Final = "{{"
_UNPRINTED: Final = re.compile("[\x7f-\x9f\u2028\u2029\ufeff\ufffe\uffff]")
"""What JSON has as it is and YAML does not."""
_ESCAPE: Final = re.compile(r"\\(?:u(d[89ab]..)\\u(d[c-f]..)|.)")
"""An escape of JSON; one of two halves has no meaning in YAML."""
_ACTED_ON: Final = ("$maybe", "$repeat")
_LONGEST_NAME: Final = 1_000
"""Of 1,024 characters that a name of YAML may have as it is written."""
_DEEPEST: Final = 40
_MOST_VALUES: Final = 150_000
"""Of the 60 levels and 200,000 values that a document of fixtures may have."""


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
            line = left_out(row, why)
        return f"{line}\n".encode()


class FixtureFile:
    """A file of fixtures: one for each message, which `play` sends as it was."""

    def __init__(self) -> None:
        self._count = 0
        self._values: int | None = None
        """Those of the document so far."""

    def __call__(self, row: Row) -> bytes:
        if row.kind != "message":
            return b""
        entry = self._entry(row)
        return (self._head(_values_in(entry)) + entry).encode()

    def _head(self, values: int) -> str:
        """What stands before an entry: the first one, or one for which there is no more room."""
        before = self._values
        if before is not None and before + values < _MOST_VALUES:
            self._values = before + values
            return ""
        self._values = values
        return ("" if before is None else "---\n") + "mockforge: 1\ngenerators:\n"

    def _entry(self, row: Row) -> str:
        try:
            to = _yaml(_addressed(_PROTOCOLS[row.protocol].target(row)))
            value = _yaml(_value(row))
        except Unspeakable as why:
            return f"  {left_out(row, why)}\n"
        self._count += 1
        return f"  - id: captured-{self._count}\n    to: {to}\n    value: {value}\n"


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
        value = json.loads(text, object_pairs_hook=_object)
    except (ValueError, RecursionError):
        return text
    return value if isinstance(value, dict | list) and _is_same_json(value, text) else text


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """Raises ValueError where a name comes twice, of which a file would keep one."""
    found = dict(pairs)
    if len(found) < len(pairs):
        raise ValueError("a name comes twice")
    return found


def _is_same_json(value: dict[str, Any] | list[Any], text: str) -> bool:
    """Whether a file's value would become this JSON again."""
    return (
        _values_in(text) < _MOST_VALUES
        and _is_plain(value)
        and json.loads(shown := to_json(value)) == value
        and "NaN" not in shown
        and "Infinity" not in shown
    )


def _values_in(text: str) -> int:
    """No fewer than JSON or a fixture has: one stands behind each of these, names too."""
    return sum(map(text.count, "[{,:-"))


def _is_plain(value: Any, depth: int = 0) -> bool:
    """Whether a file can have this value as YAML in which nothing is acted on."""
    inner: Iterable[Any]
    match value:
        case dict():
            inner = value.values()
            if any(_is_too_long(name) or _is_acted_on(name) for name in value):
                return False
        case list() | tuple():
            inner = value
        case _:
            return True
    return depth < _DEEPEST and all(_is_plain(each, depth + 1) for each in inner)


def _is_acted_on(name: str) -> bool:
    return name in _ACTED_ON or _BRACES in name


def _is_too_long(name: str) -> bool:
    # The longest escape has ten characters.
    return len(name) * 10 > _LONGEST_NAME and len(_yaml(name)) > _LONGEST_NAME


def _addressed(to: Mapping[str, Any]) -> Mapping[str, Any]:
    """The same. Raises Unspeakable at a header that YAML has not, or a fixture not as it is."""
    for named in to.values():
        for name, value in named.items() if isinstance(named, dict) else ():
            if _is_too_long(name):
                raise Unspeakable(f"a name is too long for a fixture: {name}")
            if not _is_plain(value):
                raise Unspeakable(f"a fixture would not send {name} as it is")
    return to


def _yaml(value: Any) -> str:
    """In one line; what looks like a template is none."""
    shown = _ESCAPE.sub(_joined, to_json(_escaped(value)))
    return _UNPRINTED.sub(lambda found: f"\\u{ord(found[0]):04x}", shown)


def _joined(escape: re.Match[str]) -> str:
    if escape[1] is None:
        return escape[0]
    high, low = (int(half, 16) & 0x3FF for half in escape.groups())
    return f"\\U{0x10000 + (high << 10 | low):08x}"


def _escaped(value: Any) -> Any:
    match value:
        case str():
            return value.replace(_BRACES, f"\\{_BRACES}")
        case dict():
            return {name: _escaped(each) for name, each in value.items()}
        case list() | tuple():
            return [_escaped(each) for each in value]
    return value
