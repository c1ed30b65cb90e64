"""What queues ask of a message's content, and how a death is written into its headers."""

from collections.abc import Mapping
from typing import Any, Final

from ..profiles import CLIENTS_DEATHS, DEFAULT, PROFILES, Profile
from ..records import Buried, Converted, Field, Table, text_of
from ..state.dead_letters import Death, Rewritten
from ..wire.content import header_payload
from ..wire.frames import HEADER, OVERHEAD, content_head, frame, head
from ..wire.properties import (
    FLAG_EXPIRATION,
    FLAG_PRIORITY,
    decode_properties,
    encode_header,
    place_of,
)
from .headers import INTEGER, read_headers

_DEATHS: Final = "x-death"
_CC: Final = "CC"
_TOLD_BY: Final = ("queue", "reason")
"""What deaths are told apart by."""


class Contents:
    """The port of a queue (state/queues/governed.py) and of dead letters to the wire's codec."""

    def __init__(self, profile: Profile = PROFILES[DEFAULT]) -> None:
        self._profile = profile

    def priority(self, content: bytes, usual: int = 0) -> int:
        """`usual` for a message without one."""
        flags = content_head.unpack_from(content)[6]
        return content[place_of(content, flags, FLAG_PRIORITY)] if flags & FLAG_PRIORITY else usual

    def expiration(self, content: bytes) -> int:
        """In milliseconds; -1 for a message without one."""
        flags = content_head.unpack_from(content)[6]
        if not flags & FLAG_EXPIRATION:
            return -1
        at = place_of(content, flags, FLAG_EXPIRATION)
        text = content[at + 1 : at + 1 + content[at]].decode("utf-8", "surrogateescape")
        return int(text) if INTEGER.fullmatch(text) else -1

    def size(self, content: bytes) -> int:
        return int(content_head.unpack_from(content)[5])

    def headers(self, content: bytes) -> Mapping[str, Field]:
        return read_headers(content)

    def header(self, content: bytes, name: str) -> Field | None:
        raw = header_payload(content)
        if name.encode() not in raw:
            return None
        headers: Mapping[str, Field] = decode_properties(raw).get("headers", {})
        return headers.get(name)

    def more_keys(self, headers: Mapping[str, Field]) -> tuple[str, ...]:
        return _texts(headers.get(_CC))

    def with_headers(self, content: bytes, more: Mapping[str, Field]) -> bytes:
        properties = decode_properties(header_payload(content))
        headers = {**properties.get("headers", {}), **more}
        properties["headers"] = dict(sorted(headers.items()))
        return _replace(content, properties)

    def bury(self, content: bytes, death: Death, *, keep_cc: bool) -> Rewritten:
        """RabbitMQ's rabbit_dead_letter: x-death, the first death's headers, no expiration."""
        properties = decode_properties(header_payload(content))
        headers: Table = dict(properties.get("headers", {}))
        clients = self._look_at_clients(content, headers)
        cc = _texts(headers.get(_CC))
        keys = (death.routing_key, *cc)
        expiration = properties.pop("expiration", None)
        entry = _entry(death, keys, expiration)
        if self._profile.names_last_death:
            headers |= _named("last", entry)
        headers = _with_death(headers, entry)
        if not keep_cc:
            cc = ()
            if not self._profile.dead_letters_keep_cc:
                headers.pop(_CC, None)
        properties["headers"] = headers
        made = _replace(content, properties)
        buried = made if isinstance(made, Converted) else Buried(made)
        return Rewritten(buried, headers, cc, _deaths(headers), clients)

    def _look_at_clients(self, content: bytes, headers: Table) -> bool:
        """An x-death that a client sent counts on up to 3.13, and is nothing from 4.0 on.

        Returns whether there is one.
        """
        sent = headers.get(_DEATHS)
        if sent is None or isinstance(content, Buried | Converted):
            return False
        if self._profile.refuses(CLIENTS_DEATHS):
            del headers[_DEATHS]
        return True


def _named(which: str, entry: Table) -> Table:
    """The headers that say where a message died first or last."""
    return {f"x-{which}-death-{name}": entry[name] for name in ("reason", "queue", "exchange")}


def _entry(death: Death, keys: tuple[str, ...], expiration: str | None) -> Table:
    entry = {
        "count": Field("l", 1),
        "reason": Field("S", death.reason),
        "queue": Field("S", death.queue),
        "time": Field("T", death.time),
        "exchange": Field("S", death.exchange),
        "routing-keys": Field("A", tuple(Field("S", key) for key in keys)),
    }
    if expiration is not None:
        entry["original-expiration"] = Field("S", expiration)
    return entry


def _with_death(headers: Table, entry: Table) -> Table:
    """The newest death comes first; one of the same queue and reason is counted."""
    before = headers.get(_DEATHS)
    newest, others = entry, []
    if before is None:
        # The first death of all has headers of its own (rabbitmq-server#1332).
        headers = headers | _named("first", entry)
    elif before.type == "A":
        grouped = _grouped([one.value for one in before.value if one.type == "F"])
        same = [one for one in grouped if _same(one, entry)]
        others = [Field("F", one) for one in grouped if one not in same]
        if same:
            count = same[0].get("count", Field("l", 0))
            newest = {**same[0], "count": Field("l", int(count.value) + 1)}
        newest = dict(sorted(newest.items()))
    deaths = Field("A", (Field("F", newest), *others))
    return dict(sorted({**headers, _DEATHS: deaths}.items()))


def _grouped(deaths: list[Table]) -> list[Table]:
    """One for each queue and reason, with its count: a client may have sent others.

    Several come out in reverse, with each death anew, since RabbitMQ's group_by_queue_and_reason
    folds them so (asked of 3.10.8).
    """
    if len(deaths) < 2:
        return deaths
    counts: dict[tuple[str, str], int] = {}
    first: dict[tuple[str, str], Table] = {}
    for death in deaths:
        key = str(death.get("queue")), str(death.get("reason"))
        counts[key] = counts.get(key, 0) + 1
        first.setdefault(key, death)
    return [{"count": Field("l", counts[key]), **first[key]} for key in reversed(first)]


def _same(table: Table, entry: Table) -> bool:
    return all(name in table and text_of(table[name]) == text_of(entry[name]) for name in _TOLD_BY)


def _deaths(headers: Mapping[str, Field]) -> tuple[tuple[str, str], ...]:
    return tuple(
        (text_of(one.value["queue"]), text_of(one.value["reason"]))
        for one in headers[_DEATHS].value
        if one.type == "F" and {"queue", "reason"} <= one.value.keys()
    )


def _texts(field: Field | None) -> tuple[str, ...]:
    if field is None or field.type != "A":
        return ()
    return tuple(text_of(item) for item in field.value if item.type == "S")


def _replace(content: bytes, properties: Mapping[str, Any]) -> bytes:
    """The content with another header frame in front of the same body frames."""
    _, channel, length = head.unpack_from(content)
    size = content_head.unpack_from(content)[5]
    made = frame(HEADER, channel, encode_header(size, properties)) + content[length + OVERHEAD :]
    if isinstance(content, Converted):
        return content.with_frames(made)
    return Buried(made) if isinstance(content, Buried) else made
