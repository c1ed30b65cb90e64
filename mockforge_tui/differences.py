"""What clients did differently in two recordings, or in two exports of traffic.

Connections are aligned by their client's name, the second one of a name with the second one; those
that are left by their order. Their packets are aligned by type and place as `diff` aligns lines,
and two that stand beside each other are compared field by field. Times, and numbers that are given
out as they come (packet identifiers, offsets), are no differences.
"""

import base64
import json
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from difflib import SequenceMatcher
from typing import Any, Final, NamedTuple

from mockforge_brokers.errors import InvalidInput

from . import leaves

MOST: Final = 20_000
"""Packets of one connection that are aligned."""

_PASSING: Final = frozenset(
    {
        "time", "t", "size", "connection", "client", "protocol", "p", "direction", "operation",
        "op", "destination", "packet_id", "correlation_id", "correlation", "offset", "off",
        "timestamp",
        "delivery_tag", "payload", "payload_b64", "payload_form", "payload_value", "value", "enc",
        "text", "seq", "base_sequence", "producer_id", "reply_to", "consumer_tag", "frame",
    }
)  # fmt: skip
"""What is compared in another way, or is another one each time."""


class Packet(NamedTuple):
    """`kind` and `place` align it; `fields` and `payload` are what may differ."""

    kind: str
    place: str
    fields: Mapping[str, Any]
    payload: bytes | None


class Conversation(NamedTuple):
    """One connection's packets in their order; `turn` tells those of one client apart."""

    protocol: str
    client: str
    turn: int
    packets: list[Packet]

    @property
    def name(self) -> str:
        again = f" #{self.turn}" if self.turn > 1 else ""
        return f"{self.client or '(no name)'}{again}"


class Difference(NamedTuple):
    """`sign`: - is only in the older one, + only in the newer one, ~ in both and not the same."""

    client: str
    protocol: str
    sign: str
    packet: str
    times: int
    what: str

    def as_record(self) -> dict[str, Any]:
        return self._asdict()


def conversations(content: bytes, name: str, *, both_ways: bool = False) -> list[Conversation]:
    """Those of a recording or of `export (FILTER) --as jsonl`; `both_ways`: brokers' packets too.

    Raises InvalidInput with the line.
    """
    found: dict[tuple[str, str, Any], list[Packet]] = {}
    for number, line in enumerate(content.split(b"\n"), 1):
        if not line.strip():
            continue
        try:
            event = json.loads(line)
            if not isinstance(event, dict):
                raise ValueError("an object a line is wanted")
            if event.get("type") == "header":
                continue
            protocol, packet = _packet(event)
        except (KeyError, ValueError, TypeError) as error:
            what = f"no {error}" if isinstance(error, KeyError) else str(error)
            text = f"{name}:{number}: neither a recording nor an export: {what}"
            raise InvalidInput(text) from None
        if both_ways or event.get("direction", "in") == "in":
            key = protocol, str(event.get("client") or ""), event.get("connection")
            found.setdefault(key, []).append(packet)
    turns: dict[tuple[str, str], int] = defaultdict(int)
    made = []
    for (protocol, client, _), packets in found.items():
        turns[protocol, client] += 1
        made.append(Conversation(protocol, client, turns[protocol, client], packets))
    return made


def _packet(event: Mapping[str, Any]) -> tuple[str, Packet]:
    """Of a record (`protocol`, `operation`, ...) or of a recording's event (`p`, `op`, ...)."""
    protocol = str(event["protocol"] if "protocol" in event else event["p"])
    kind = str(event["operation"] if "operation" in event else event["op"])
    place = event.get("destination")
    if place is None:
        place = event.get("topic") or "/".join(
            str(event[each]) for each in ("exchange", "routing_key", "queue") if event.get(each)
        )
    if event.get("direction") == "out":
        kind = f"← {kind}"
    fields = {name: each for name, each in event.items() if name not in _PASSING}
    return protocol, Packet(kind, str(place), fields, _payload(event))


def _payload(event: Mapping[str, Any]) -> bytes | None:
    if "payload_b64" in event:
        return base64.b64decode(event["payload_b64"])
    value = event["payload"] if "payload" in event else event.get("value")
    match event.get("enc"):
        case "json":
            return json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode()
        case "b64":
            return base64.b64decode(str(value), validate=True)
    return None if value is None else str(value).encode("utf-8", "surrogateescape")


def compare(old: Sequence[Conversation], new: Sequence[Conversation]) -> list[Difference]:
    """What is other in `new`, connection by connection."""
    found: list[Difference] = []
    for before, after in _aligned(old, new):
        if before is None or after is None:
            only = before or after
            assert only is not None
            packet = f"the whole connection: {_counted(only.packets)}"
            found.append(_of(only, "+" if before is None else "-", packet, len(only.packets), ""))
        else:
            found += _folded(_differences(before, after))
    return found


def _aligned(
    old: Sequence[Conversation], new: Sequence[Conversation]
) -> Iterator[tuple[Conversation | None, Conversation | None]]:
    newer = {each[:3]: each for each in new}
    by_name = {each[:3]: newer.pop(each[:3], None) for each in old}
    # Names that are made anew at each start: the rest is aligned by its order, within a protocol.
    rest: dict[str, list[Conversation]] = defaultdict(list)
    for each in newer.values():
        rest[each.protocol].append(each)
    for before in old:
        after = by_name[before[:3]]
        if after is None and rest[before.protocol]:
            after = rest[before.protocol].pop(0)
        yield before, after
    for after in (each for left in rest.values() for each in left):
        yield None, after


def _differences(before: Conversation, after: Conversation) -> Iterator[Difference]:
    old, new = before.packets[:MOST], after.packets[:MOST]
    before_keys, after_keys = ([each[:2] for each in side] for side in (old, new))
    matcher = SequenceMatcher(None, before_keys, after_keys, autojunk=False)
    for tag, old_from, old_to, new_from, new_to in matcher.get_opcodes():
        if tag == "equal":
            for one, other in zip(old[old_from:old_to], new[new_from:new_to], strict=True):
                what = _changes(one, other)
                if what:
                    yield _of(before, "~", _named(one), 1, what)
            continue
        for packet in old[old_from:old_to]:
            yield _of(before, "-", _named(packet), 1, "")
        for packet in new[new_from:new_to]:
            yield _of(before, "+", _named(packet), 1, "")


def _changes(old: Packet, new: Packet) -> str:
    """`keep_alive 60 → 30, t 21 → 22`; empty where they are the same."""
    found = leaves.changes(_as_json(old.fields), _as_json(new.fields))
    if old.payload != new.payload:
        found += leaves.changes(old.payload or b"", new.payload or b"") or [
            leaves.Change("payload", len(old.payload or b""), len(new.payload or b""))
        ]
    return leaves.describe(found) if found else ""


def _as_json(fields: Mapping[str, Any]) -> bytes:
    return json.dumps(fields).encode()


def _folded(differences: Iterator[Difference]) -> list[Difference]:
    """The same one after the other as one, with how many they are."""
    found: list[Difference] = []
    for each in differences:
        if found and found[-1]._replace(times=1) == each:
            found[-1] = found[-1]._replace(times=found[-1].times + 1)
        else:
            found.append(each)
    return found


def _of(found: Conversation, sign: str, packet: str, times: int, what: str) -> Difference:
    return Difference(found.name, found.protocol, sign, packet, times, what)


def _named(packet: Packet) -> str:
    return f"{packet.kind} {packet.place}".rstrip()


def _counted(packets: Sequence[Packet]) -> str:
    count = len(packets)
    return f"{count} packet{'' if count == 1 else 's'}"
