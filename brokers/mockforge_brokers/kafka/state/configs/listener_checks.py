"""What Kafka asks of `listeners` and the protocols they speak, in its words: that they can be read,
and that none is missing.

Nothing here acts on it: where clients are accepted is no matter of the broker's values.
"""

import re
from collections.abc import Callable
from itertools import combinations
from typing import Final

from .keys import split_list, unpaired

Value = Callable[[str], str]

_LISTENERS: Final = "listeners"
_MAP: Final = "listener.security.protocol.map"
_UNSET: Final = "SASL_SSL:SASL_SSL,PLAINTEXT:PLAINTEXT,SSL:SSL,SASL_PLAINTEXT:SASL_PLAINTEXT"
"""The map that holds where nobody gave one: the controllers' listeners are plain beside it."""
_PROTOCOLS: Final = frozenset(("PLAINTEXT", "SSL", "SASL_PLAINTEXT", "SASL_SSL"))
_ADVERTISED: Final = "advertised.listeners"
_CONTROLLERS: Final = "controller.listener.names"
_CONTROLLER: Final = "CONTROLLER"
_ENDPOINT: Final = re.compile(r"(.*)://\[?([0-9a-zA-Z\-%._:]*)\]?:(-?[0-9]+)")


def mismapped(after: Value) -> str:
    """Why listeners' names cannot be mapped to protocols; empty if they can."""
    text = after(_MAP).strip()
    # Between two commas Kafka reads a line that is empty, and so no line of a map.
    entries = [one.strip() for one in text.split(",")] if text else []
    if text := unpaired(_MAP, entries):
        return text
    for one in entries:
        name, _, protocol = map(str.strip, one.rpartition(":"))
        if not name:
            return "The provided listener name is null or empty string"
        if protocol.upper() not in _PROTOCOLS:
            return f"Invalid security protocol `{protocol}` defined in {_MAP}"
    return ""


def misread(after: Value) -> str:
    """Why they are none; empty if they are."""
    lines = split_list(after(_LISTENERS))
    problem = next(filter(None, (_problem(line, after) for line in lines)), "") or _clash(lines)
    if not problem:
        return ""
    return f"Error creating broker listeners from '[{', '.join(lines)}]': {problem}"


def lacking(after: Value) -> str:
    """What they cannot do without, of those that can be read."""
    names = [_parts(line)[0] for line in split_list(after(_LISTENERS))]
    controllers = _controllers(after)
    if controllers.isdisjoint(names):
        return (
            f"requirement failed: {_CONTROLLERS} must contain at least one value appearing in the"
            f" '{_LISTENERS}' configuration when running the KRaft controller role"
        )
    advertised = [_parts(line)[0] for line in split_list(after(_ADVERTISED))]
    if not set(advertised) <= set(names):
        found, possible = ",".join(advertised), ",".join(names)
        return (
            f"requirement failed: {_ADVERTISED} listener names must be equal to or a subset of the"
            f" ones defined in {_LISTENERS}. Found {found}. The valid options based on the current"
            f" configuration are {possible}"
        )
    return ""


def _controllers(after: Value) -> set[str]:
    return set(split_list(after(_CONTROLLERS))) or {_CONTROLLER}


def _parts(line: str) -> tuple[str, str, int]:
    """Name, host and port; all empty where it cannot be read."""
    found = _ENDPOINT.fullmatch(line)
    return (found[1].upper(), found[2], int(found[3])) if found else ("", "", 0)


def _problem(line: str, after: Value) -> str:
    if not _ENDPOINT.fullmatch(line):
        return f"Unable to parse {line} to a broker endpoint"
    name = _parts(line)[0]
    mapped = after(_MAP)
    known = {one.rpartition(":")[0].strip().upper() for one in split_list(mapped)}
    if mapped == _UNSET:
        known |= _controllers(after)
    return "" if name in known else f"No security protocol defined for listener {name}"


def _clash(lines: list[str]) -> str:
    """Names and ports are each one's own, but for a port of both versions of IP."""
    listed = ", ".join(lines)
    for one, other in combinations(map(_parts, lines), 2):
        if one[0] == other[0]:
            return f"Each listener must have a different name, listeners: [{listed}]"
        if one[2] == other[2] and one[2]:
            hosts = (":" in one[1]) + (":" in other[1])
            if hosts == 2:
                return (
                    "If you have two listeners on the same port then one needs to be IPv4 and the"
                    f" other IPv6, listeners: [{listed}], port: {one[2]}"
                )
            if not hosts:
                return f"Each listener must have a different port, listeners: [{listed}]"
    return ""
