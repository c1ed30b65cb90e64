"""Kafka: why a consumer or a group gets no records."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from mockforge_brokers.events import Event
from mockforge_brokers.kafka.snapshots import (
    FetchView,
    MemberView,
    OffsetView,
    PartitionView,
    PendingOffsetView,
    TransactionView,
)
from mockforge_brokers.snapshots import ConnectionView, DestinationView, GroupView

from ...units import counted
from . import kafka_replicas, kafka_waits
from .finding import Finding, ago, how_they_differ, lookalike, named

_JOINING = ("rebalancing", "assigning")


@dataclass(frozen=True, slots=True)
class Kafka:
    """What the broker shows."""

    connections: Sequence[ConnectionView]
    topics: Mapping[str, DestinationView]
    groups: Sequence[GroupView]
    transactions: Mapping[str, TransactionView] = field(default_factory=dict)
    history: Sequence[tuple[float, Event]] = ()
    now: float = 0.0


def of_client(kafka: Kafka, client: str) -> list[Finding]:
    """Everything that keeps records from a client, reported by its client id."""
    found: list[Finding] = []
    memberships = [
        (group, member)
        for group in kafka.groups
        for member in _members(group)
        if member.client == client
    ]
    for group, member in memberships:
        found += _of_member(kafka, group, member)
    found += kafka_waits.elsewhere(kafka.connections, client, member=bool(memberships))
    if not memberships:
        found += kafka_waits.left(kafka.history, kafka.now, client)
    asked = {name for group, member in memberships for name in member.subscribed}
    for connection in kafka.connections:
        if connection.client == client:
            found += _of_connection(kafka, connection, asked, alone=not memberships)
    if not memberships and not found:
        found += kafka_waits.asked_for_nothing(kafka.connections, client)
    return _once(found)


def of_ended(kafka: Kafka, views: Sequence[ConnectionView]) -> list[Finding]:
    """What connections that are over had asked for in vain."""
    unknown = dict.fromkeys(name for view in views for name in view.detail["unknown_topics"])
    who = named(views[0].client)
    return list(_wrong_topics(kafka, who, list(unknown), did="asked for"))


def of_group(kafka: Kafka, name: str) -> list[Finding]:
    """The same for each member of a group."""
    group = next(each for each in kafka.groups if each.name == name)
    members = _members(group)
    if not members:
        coordinated = list(kafka_waits.for_coordinator(group))
        because = f" ({group.reason})" if group.reason else ""
        text = f"{name} has no members{because}: nobody reads for it; start a consumer"
        lag = f", {counted(group.lag, 'record')} wait" if group.lag else ""
        return [
            *coordinated,
            Finding(name, "no-members", text + lag),
            *_at_the_end(kafka, group, None),
        ]
    return _once(each for member in members for each in _of_member(kafka, group, member))


def of_topic(kafka: Kafka, name: str) -> list[Finding]:
    """Who reads a topic, and what keeps them from it."""
    found = list(kafka_replicas.of_topic(name, _partitions(kafka, name)))
    readers = [
        group
        for group in kafka.groups
        if any(name in member.subscribed for member in _members(group))
        or any(each.topic == name for each in _offsets(group))
    ]
    found += [each for group in readers for each in of_group(kafka, group.name)]
    fetching = [
        connection.client
        for connection in kafka.connections
        if any(each.topic == name for each in _fetches(connection))
    ]
    if not readers and not fetching:
        text = f"nobody reads {name}: no group and no consumer has asked for it"
        found.append(Finding(name, "no-readers", text))
    return _once(found)


def topics_of(kafka: Kafka, name: str) -> set[str]:
    """What a client, a group or who reads a topic has subscribed to or fetches."""
    if name in kafka.topics:
        return {name}
    found = {
        topic
        for group in kafka.groups
        for member in _members(group)
        if name in (group.name, member.client)
        for topic in member.subscribed
    }
    mine = (each for each in kafka.connections if each.client == name)
    return found.union(each.topic for connection in mine for each in _fetches(connection))


def readers_of(kafka: Kafka, name: str) -> list[str]:
    """The clients of a group, or of those who read a topic."""
    members = (
        member.client
        for group in kafka.groups
        for member in _members(group)
        if group.name == name or name in member.subscribed
    )
    alone = (
        each.client for each in kafka.connections if any(f.topic == name for f in _fetches(each))
    )
    return list(dict.fromkeys([*members, *alone]))


def _of_member(kafka: Kafka, group: GroupView, member: MemberView) -> Iterator[Finding]:
    who = named(member.client)
    yield from kafka_waits.for_coordinator(group)
    if group.state in _JOINING:
        text = (
            f"{group.name} is {group.state} ({group.reason or 'its members change'}): nobody gets "
            "records until all members have joined again; a member that never polls holds up all"
        )
        yield Finding(who, "rebalancing", text)
        return
    missing = list(_wrong_topics(kafka, who, member.subscribed))
    yield from missing
    if not member.assigned:
        # To fill an empty topic helps only who has a partition of it.
        if not missing or any(name in kafka.topics for name in member.subscribed):
            unmatched = kafka_waits.for_topics(who, group, member)
            yield unmatched or _without_partition(kafka, group, member)
        return
    yield from _positions(kafka, group, member)


def _wrong_topics(
    kafka: Kafka, who: str, topics: Sequence[str], did: str = "reads"
) -> Iterator[Finding]:
    """Topics that are not there or were never written to, while one of nearly that name was."""
    written = [name for name, topic in kafka.topics.items() if topic.messages_in]
    for name in topics:
        topic = kafka.topics.get(name)
        if topic is not None and topic.messages_in:
            continue
        state = "does not exist" if topic is None else "is empty"
        near = lookalike(name, written)
        if near is None:
            yield Finding(who, "topic-empty", f"{who} {did} {name}, which {state}: produce to it")
            continue
        count = counted(kafka.topics[near].messages_in, "record")
        text = (
            f"{who} {did} {name}, which {state}, while {near} got {count}: "
            f"{how_they_differ(name, near)}, subscribe to {near}"
        )
        yield Finding(who, "topic-name", text)


def _without_partition(kafka: Kafka, group: GroupView, member: MemberView) -> Finding:
    topics = [name for name in member.subscribed if name in kafka.topics]
    partitions = sum(len(_partitions(kafka, name)) for name in topics)
    holders = sorted(
        {each.client for each in _members(group) if each.assigned and each is not member}
    )
    what = " and ".join(topics) or "its topics"
    held = f"held by {', '.join(holders[:3])}" if holders else "given to nobody"
    more = f"topic grow {topics[0]} -p {len(_members(group))}" if topics else "more partitions"
    count = counted(partitions, "partition")
    text = (
        f"{named(member.client)} has no partition: {what} has {count}, {held}, "
        f"and {group.name} has {counted(group.members, 'member')}; {more}, or run fewer members"
    )
    return Finding(member.client, "no-partition", text)


def _positions(kafka: Kafka, group: GroupView, member: MemberView) -> Iterator[Finding]:
    """Of each topic that a member has partitions of: why it stands where it stands."""
    offsets = {(each.topic, each.partition): each for each in _offsets(group)}
    connections = [each for each in kafka.connections if each.client == member.client]
    fetches = {
        (each.topic, each.partition): (each, connection)
        for connection in connections
        for each in _fetches(connection)
    }
    for topic, numbers in member.assigned:
        reported: set[str] = set()
        for partition in _partitions(kafka, topic):
            if partition.partition not in numbers:
                continue
            key = (topic, partition.partition)
            finding = (
                kafka_replicas.of_partition(named(member.client), topic, partition)
                or _without_offset(
                    kafka, group, named(member.client), key, unfetched=key not in fetches
                )
                or _behind_a_transaction(
                    kafka, named(member.client), topic, partition, fetches.get(key, (None,))[0]
                )
                or kafka_waits.in_others(
                    named(member.client), topic, partition, _partitions(kafka, topic)
                )
                or _position(
                    group.name,
                    named(member.client),
                    topic,
                    partition,
                    offsets.get(key),
                    fetches.get(key),
                )
            )
            if finding is not None and finding.cause not in reported:
                reported.add(finding.cause)
                yield finding


def _without_offset(
    kafka: Kafka, group: GroupView, who: str, key: tuple[str, int], *, unfetched: bool
) -> Finding | None:
    """A consumer is not told where to begin while a transaction would move it (KIP-447)."""
    pending = {(each.topic, each.partition): each for each in _pending(group)}
    held = pending.get(key)
    if held is None or not unfetched:
        return None
    waits = f"{who} waits for the offset of {key[0]} p{key[1]} (UNSTABLE_OFFSET_COMMIT)"
    one = kafka.transactions.get(held.transactional_id)
    since = ""
    if one is not None and one.open_for is not None:
        since = f", begun {ago(one.open_for)} by {named(one.client)}"
    text = (
        f"{waits}: the open transaction of {held.transactional_id or held.producer_id}{since} "
        f"would commit {held.offset}; its producer must commit or abort, or txn abort "
        f"{held.transactional_id}"
    )
    return Finding(who, "unstable-offset", text)


def _behind_a_transaction(
    kafka: Kafka, who: str, topic: str, partition: PartitionView, fetch: FetchView | None
) -> Finding | None:
    """A read_committed consumer gets nothing behind the first record of an open transaction."""
    if fetch is None or not fetch.read_committed or not partition.open:
        return None
    if not partition.last_stable_offset <= fetch.position < partition.high_watermark:
        return None
    first = partition.open[0]
    place = f"{topic} p{partition.partition}"
    there = counted(partition.high_watermark - fetch.position, "record")
    waits = f"{who} is read_committed and waits at {fetch.position} of {place} ({there} there)"
    if first.hangs:
        text = (
            f"{waits} for a transaction of producer {first.producer_id} that hangs: no "
            f"transactional id has it; end it by txn abort kafka:{topic}[{partition.partition}]"
        )
        return Finding(who, "hanging-transaction", text)
    name = first.transactional_id
    one = kafka.transactions.get(name)
    since = ""
    if one is not None and one.open_for is not None:
        since = f", begun {ago(one.open_for)} by {named(one.client)}"
    text = (
        f"{waits} for the open transaction of {name}{since}: its producer must commit or abort, "
        f"or txn abort {name}"
    )
    return Finding(who, "open-transaction", text)


def _position(
    group: str,
    who: str,
    topic: str,
    partition: PartitionView,
    committed: OffsetView | None,
    fetching: tuple[FetchView, ConnectionView] | None,
) -> Finding | None:
    place = f"{topic} p{partition.partition}"
    end, begin = partition.high_watermark, partition.log_start_offset
    again = f"group reset {group} kafka:{topic} --to begin (while it has no members)"
    if committed is not None and committed.committed > end:
        text = f"{group} committed {committed.committed} of {place}, which ends at {end}: {again}"
        return Finding(who, "beyond-the-end", text)
    if fetching is None:
        if end > (committed.committed if committed is not None else begin):
            text = f"{who} has never fetched {place}, which has records for it: it must poll"
            if committed is None:
                text += (
                    f"; where its auto.offset.reset is none, it does not know where to begin: "
                    f"{group} has committed nothing there"
                )
            return Finding(who, "never-fetched", text)
        return None
    fetch, connection = fetching
    began_late = fetch.first >= fetch.end_then > begin
    own = committed is None or committed.time >= connection.since
    if began_late and own:
        text = (
            f"{who} began at the end of {place}: {group} had committed nothing there and its "
            f"auto.offset.reset is latest, so {counted(fetch.first - begin, 'older record')} "
            f"are not for it; set it to earliest, or {again}"
        )
        return Finding(who, "latest", text)
    waits = kafka_waits.for_bytes(who, topic, partition, fetch, connection)
    if waits is not None:
        return waits
    if fetch.position < end:
        text = (
            f"{counted(end - fetch.position, 'record')} of {place} wait for {who}, which last "
            f"fetched from {fetch.position}: it must poll, and resume what it has paused"
        )
        return Finding(who, "behind", text)
    if committed is not None and committed.committed < end:
        text = (
            f"{who} was sent all of {place}, and {group} committed {committed.committed} of {end}: "
            "it still has what is between (records, or only ends of transactions), is paused or "
            "busy, or does not commit"
        )
        return Finding(who, "uncommitted", text)
    return _read_to_the_end(group, who, topic, partition, again)


def _read_to_the_end(
    group: str, who: str, topic: str, partition: PartitionView, again: str
) -> Finding:
    end = partition.high_watermark
    text = (
        f"{who} has nothing left to read: {group} is at the end of {topic} p{partition.partition} "
        f"({end} of {end}), so produce something new, or {again}"
    )
    return Finding(who, "at-the-end", text, harmless=True)


def _at_the_end(kafka: Kafka, group: GroupView, who: str | None) -> Iterator[Finding]:
    """Where a group without members would go on."""
    for each in _offsets(group):
        if each.lag == 0 and each.committed:
            text = (
                f"{group.name} has read {each.topic} p{each.partition} to its end "
                f"({each.committed} of {each.committed}): a new member gets only what is new; "
                f"group reset {group.name} kafka:{each.topic} --to begin"
            )
            yield Finding(who or group.name, "at-the-end", text, harmless=True)
            return


def _of_connection(
    kafka: Kafka, connection: ConnectionView, asked: set[str], *, alone: bool
) -> Iterator[Finding]:
    """What a connection asked for by itself: unknown topics, and partitions without a group."""
    who = named(connection.client)
    unknown = [name for name in connection.detail.get("unknown_topics", ()) if name not in asked]
    yield from _wrong_topics(kafka, who, [n for n in unknown if n not in kafka.topics])
    if not alone:
        return
    fetches = _fetches(connection)
    yield from _wrong_topics(kafka, who, sorted({each.topic for each in fetches}))
    for fetch in fetches:
        partition = next(
            (p for p in _partitions(kafka, fetch.topic) if p.partition == fetch.partition), None
        )
        if partition is None:
            continue
        waits = kafka_waits.in_others(who, fetch.topic, partition, _partitions(kafka, fetch.topic))
        if waits is not None:
            yield waits
        if not partition.high_watermark:
            continue
        waits = (
            kafka_replicas.of_partition(who, fetch.topic, partition)
            or _behind_a_transaction(kafka, who, fetch.topic, partition, fetch)
            or kafka_waits.for_bytes(who, fetch.topic, partition, fetch, connection)
        )
        if waits is not None:
            yield waits
            continue
        place = f"{fetch.topic} p{fetch.partition}"
        begin, end = partition.log_start_offset, partition.high_watermark
        if fetch.first >= fetch.end_then > begin:
            older = counted(fetch.first - begin, "older record")
            text = (
                f"{who} began at the end of {place}, so {older} are not for it; "
                "seek to the beginning, or set auto.offset.reset to earliest"
            )
            yield Finding(who, "latest", text)
        elif fetch.position >= end:
            text = f"{who} has read {place} to its end ({end} of {end}): produce something new"
            yield Finding(who, "at-the-end", text, harmless=True)


def _members(group: GroupView) -> Sequence[MemberView]:
    members: Any = group.detail.get("members", ())
    return [each for each in members if isinstance(each, MemberView)]


def _offsets(group: GroupView) -> Sequence[OffsetView]:
    offsets: Sequence[OffsetView] = group.detail.get("offsets", ())
    return offsets


def _pending(group: GroupView) -> Sequence[PendingOffsetView]:
    found: Any = group.detail.get("pending", ())
    return [each for each in found if isinstance(each, PendingOffsetView)]


def _fetches(connection: ConnectionView) -> Sequence[FetchView]:
    fetches: Sequence[FetchView] = connection.detail.get("fetching", ())
    return fetches


def _partitions(kafka: Kafka, topic: str) -> Sequence[PartitionView]:
    view = kafka.topics.get(topic)
    partitions: Sequence[PartitionView] = view.detail["partitions"] if view is not None else ()
    return partitions


def _once(findings: Any) -> list[Finding]:
    return list(dict.fromkeys(findings))
