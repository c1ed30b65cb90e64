"""A Kafka group's members and offsets, a topic's partitions, as tables for prompt and screen."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from mockforge_brokers.access import Access
from mockforge_brokers.kafka.acls import WILDCARD, Acl, listed
from mockforge_brokers.kafka.snapshots import (
    MemberView,
    OffsetView,
    PartitionView,
    PendingOffsetView,
    RebalanceView,
)
from mockforge_brokers.permissions import PREFIXED
from mockforge_brokers.snapshots import DestinationView, GroupView
from msgspec.structs import asdict

from ..units import clock_time
from .results import Column, count, duration

Rows = list[dict[str, Any]]
Tables = Mapping[str, tuple[Sequence[Column], Rows]]
"""By what is in it."""


def _known(value: int | None) -> str:
    return "–" if value is None else count(value)


_MEMBERS = (
    Column("client", "member"),
    Column("speaks", "speaks"),
    Column("lag", "lag", _known, right=True),
    Column("reads", "reads"),
    Column("note", ""),
)
_OFFSETS = (
    Column("place", "partition"),
    Column("committed", "committed", _known, right=True),
    Column("end", "end", _known, right=True),
    Column("lag", "lag", _known, right=True),
    Column("member", "read by"),
    Column("note", ""),
)
_REBALANCES = (
    Column("time", "rebalanced", clock_time),
    Column("generation", "generation", right=True),
    Column("members", "members", right=True),
    Column("took", "took", lambda took: "" if took is None else duration(took), right=True),
    Column("reason", "because"),
)
_PARTITIONS = (
    Column("partition", "partition", right=True),
    Column("start", "start", count, right=True),
    Column("end", "end", count, right=True),
    Column("stable", "stable", count, right=True),
    Column("records", "records", count, right=True),
    Column("open", "open transactions"),
)


_RIGHTS = (
    Column("principal", "principal"),
    Column("permission", "permission"),
    Column("operation", "operation"),
    Column("pattern", "by"),
    Column("host", "from"),
)


def right(acl: Acl) -> dict[str, Any]:
    """One entry of an ACL as a row."""
    return {
        "principal": acl.principal,
        "permission": "allow" if acl.allow else "deny",
        "operation": acl.operation,
        "pattern": f"{acl.name}*" if acl.pattern_type == PREFIXED else acl.name,
        "host": acl.host,
    }


def rights(access: Access, kind: str, name: str) -> Tables:
    """The ACLs that are about a topic or a group; empty where nobody is asked for rights."""
    rows = [
        right(acl)
        for _, acl in listed(access)
        if acl.kind == kind
        and (
            name.startswith(acl.name)
            if acl.pattern_type == PREFIXED
            else acl.name in (name, WILDCARD)
        )
    ]
    return {"rights": (_RIGHTS, rows)}


def rights_of(access: Access, subject: object) -> Tables:
    """The ACLs about what somebody looks at; nothing for what Kafka's ACLs are not about."""
    match subject:
        case DestinationView(protocol="kafka", name=name):
            return rights(access, "topic", name)
        case GroupView(protocol="kafka", name=name):
            return rights(access, "group", name)
    return {}


def of_group(view: GroupView) -> Tables:
    """Nothing of other protocols' groups."""
    if view.protocol != "kafka":
        return {}
    members = [each for each in _items(view, "members") if isinstance(each, MemberView)]
    return {
        "members": (_MEMBERS, list(_members(view, members))),
        "offsets": (_OFFSETS, list(_offsets(view, members))),
        "rebalances": (_REBALANCES, list(_rebalances(view))),
    }


def of_topic(view: DestinationView) -> Tables:
    """Nothing of what is no topic of Kafka."""
    if view.protocol != "kafka":
        return {}
    parts = [each for each in _items(view, "partitions") if isinstance(each, PartitionView)]
    rows = [
        {
            "partition": each.partition,
            "start": each.log_start_offset,
            "end": each.high_watermark,
            "stable": each.last_stable_offset,
            "records": each.records,
            "open": ", ".join(
                f"{one.transactional_id or f'producer {one.producer_id} (hangs)'} from"
                f" {one.first_offset}"
                for one in each.open
            ),
        }
        for each in parts
    ]
    return {"partitions": (_PARTITIONS, rows)}


def _items(view: GroupView | DestinationView, name: str) -> list[Any]:
    found = view.detail.get(name, ())
    return list(found) if isinstance(found, list | tuple) else []


def _committed(view: GroupView) -> dict[tuple[str, int], OffsetView]:
    found = (each for each in _items(view, "offsets") if isinstance(each, OffsetView))
    return {(each.topic, each.partition): each for each in found}


def _members(view: GroupView, members: Sequence[MemberView]) -> Iterator[dict[str, Any]]:
    committed = _committed(view)
    for each in members:
        lags = [
            offset.lag
            for topic, numbers in each.assigned
            for number in numbers
            if (offset := committed.get((topic, number))) is not None and offset.lag is not None
        ]
        notes = ["leads" if each.leader else "", "waits" if each.waits else "", each.instance or ""]
        yield {
            "client": each.client or each.member,
            "speaks": each.protocol,
            "lag": sum(lags) if lags else None,
            "reads": "  ".join(
                f"{topic} {' '.join(map(str, numbers))}" for topic, numbers in each.assigned
            )
            or "nothing",
            "note": " ".join(note for note in notes if note),
        }


def _rebalances(view: GroupView) -> Iterator[dict[str, Any]]:
    """Newest first; one that the next overtook says so."""
    newest = True
    for each in reversed(_items(view, "rebalances")):
        if not isinstance(each, RebalanceView):
            continue
        row = asdict(each)
        if each.took is None:
            row["reason"] += " (goes on)" if newest else " (the next one came before its end)"
        newest = False
        yield row


def _offsets(view: GroupView, members: Sequence[MemberView]) -> Iterator[dict[str, Any]]:
    readers = {
        (topic, number): each.client or each.member
        for each in members
        for topic, numbers in each.assigned
        for number in numbers
    }
    pending = {
        (each.topic, each.partition): each
        for each in _items(view, "pending")
        if isinstance(each, PendingOffsetView)
    }
    committed = _committed(view)
    for key in sorted({*readers, *committed, *pending}):
        offset, waits = committed.get(key), pending.get(key)
        lag = offset.lag if offset is not None else None
        yield {
            "place": f"{key[0]} p{key[1]}",
            "committed": None if offset is None else offset.committed,
            "end": None if offset is None or lag is None else offset.committed + lag,
            "lag": lag,
            "member": readers.get(key, ""),
            "note": ""
            if waits is None
            else f"{waits.offset} when {waits.transactional_id or waits.producer_id} commits",
        }
