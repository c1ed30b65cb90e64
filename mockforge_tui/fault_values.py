"""What faults and holds match, and how their parameters are written: at the prompt and in files."""

import re
import time
from collections.abc import Callable, Collection
from functools import partial
from typing import Any, Final

from mockforge_brokers.journal import Row
from mockforge_brokers.listener import Listener
from mockforge_brokers.misbehaviour.actions import PARTS, Parameter
from mockforge_brokers.misbehaviour.rules import Match
from mockforge_brokers.protocols import PROTOCOLS

from .filters import compile_filter, conditions, reduced
from .nearest import get_close_matches
from .rule_words import (
    check_fields,
    check_served,
    check_words,
    kinds_about,
    protocols_about,
)
from .units import parse_duration, parse_rate, parse_size

_PLACED = frozenset(("proto", "conn", "client", "address", "listener"))
_ORIGIN = _PLACED | {"user", "vhost"}
# A user logs in, and opens a virtual host, amid a connection: what was found out of its frames
# before must hold after, too.
_OPERATION = _PLACED | {"op", "dir"}
_PLACE = _OPERATION | {"topic"}
_PROTOCOL = frozenset(("proto",))
_COMMON_OPERATION = frozenset(("proto", "op", "dir"))
_COMMON_PLACE = _COMMON_OPERATION | {"topic"}

_HEX: Final = re.compile(r"(?:[0-9a-f]{2})+")


def read_quantity(parameter: Parameter, text: str) -> Any:
    """What people write for a count, a size (also a second), a rate, ...; raises ValueError."""
    match parameter.kind:
        case "count":
            return _read_count(text)
        case "size":
            return parse_size(text.removesuffix("/s"))
        case "rate":
            return parse_rate(text)
        case "part":
            if text not in PARTS:
                raise ValueError(f"{text!r} is none of {', '.join(PARTS)}")
            return text
        case "fields":
            return _read_fields(text)
        case "packet":
            return read_packet(text)
        case "duration":
            return parse_duration(text)
        case _:
            return text


def _read_count(text: str) -> int:
    if not text.isdecimal():
        raise ValueError(f"{text!r} is no whole number")
    return int(text)


def _read_fields(text: str) -> dict[str, str]:
    pairs = [each.partition("=") for each in text.split(",")]
    if not all(name and equals for name, equals, _ in pairs):
        raise ValueError(f"{text!r} is not NAME=VALUE,...")
    return {name.strip().replace("-", "_"): value for name, _, value in pairs}


def read_packet(text: str) -> str:
    """A malformed packet's name as it is known, or bytes in hex behind 0x; raises ValueError."""
    name = text.lower()
    if name.startswith("0x"):
        if not _HEX.fullmatch(name, 2):
            raise ValueError(f"{text!r} is no bytes: 0x and two hex digits for each")
        return name
    known = [each for protocol in PROTOCOLS.values() for each in protocol.malformed]
    if name not in known:
        near = get_close_matches(name, known, n=3, cutoff=0.4)
        hint = f"; nearest: {', '.join(near)}" if near else ""
        raise ValueError(f'{text!r} is no malformed packet, and no bytes ("0xC000"){hint}')
    return name


def _of_protocols(
    protocols: Collection[str], origin: Callable[[Row], bool] | None
) -> Callable[[Row], bool] | None:
    """As `origin`, and of one of these: `op:SUBSCRIBE` costs Kafka's clients nothing."""
    if not protocols or len(protocols) == len(PROTOCOLS):
        return origin
    if origin is None:
        return lambda row: row.protocol in protocols
    return lambda row: row.protocol in protocols and origin(row)


def frame_match(
    text: str,
    direction: int | None = None,
    *,
    name: str = "",
    wall: Callable[[], float] = time.time,
    journaled: bool = False,
    listeners: Collection[Listener] = (),
) -> Match:
    """What a filter matches of frames; raises FilterError. `name` is what people see of it.

    `listeners` are all that are open, where that is known.

    `journaled`: it is for who looks into the journal, which has frames that no rule sees.
    """
    whole = compile_filter(text, wall=wall)
    terms = conditions(text, wall=wall)
    protocol = reduced(terms, _PROTOCOL)
    is_about = reduced(terms, _COMMON_OPERATION)
    check_words(text, protocol, is_about, journaled=journaled)
    if not journaled:
        check_fields(text, direction, protocol, is_about)
        if listeners:
            check_served(text, direction, protocol, is_about, listeners)
    return Match(
        name or text,
        whole.matches,
        direction,
        tuple((each.text, each.matches) for each in terms),
        _of_protocols(protocols_about(text, protocol, is_about), reduced(terms, _ORIGIN)),
        reduced(terms, _OPERATION),
        reduced(terms, _PLACE),
        is_about,
        reduced(terms, _COMMON_PLACE),
        partial(kinds_about, text, protocol, is_about),
        contents=not all(each.is_about(_PLACE) for each in terms),
        common=all(each.is_about(_COMMON_PLACE) for each in terms),
        ends=any(each.fields is None or "op" in each.fields for each in terms),
    )
