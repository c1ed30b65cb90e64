"""What keeps a Kafka client waiting that is neither its position nor its topic."""

from collections.abc import Iterator, Sequence

from mockforge_brokers.events import Event
from mockforge_brokers.kafka.events import MemberJoined, MemberLeft
from mockforge_brokers.kafka.snapshots import FetchView, FetchWait, MemberView, PartitionView
from mockforge_brokers.snapshots import ConnectionView, GroupView

from ...units import counted
from .finding import Finding, ago, named

_NOBODY = -1
_ONLY_ASKED = 4
"""Requests after which a client that fetches or produces would have gone on: versions, metadata."""


def for_bytes(
    who: str, topic: str, partition: PartitionView, fetch: FetchView, connection: ConnectionView
) -> Finding | None:
    """A fetch is answered when it found fetch.min.bytes, or when its time is up (KIP-74)."""
    wait: FetchWait | None = connection.detail.get("fetch_wait")
    if wait is None or wait.min_bytes <= 1 or fetch.position >= partition.high_watermark:
        return None
    behind = counted(partition.high_watermark - fetch.position, "record")
    text = (
        f"{who} waits for more: {behind} of {topic} p{partition.partition} are there, but it wants"
        f" {wait.min_bytes:,} bytes and {wait.found:,} are found: it gets them after"
        f" {wait.max_wait:g}s (fetch.max.wait.ms), or set fetch.min.bytes to 1"
    )
    return Finding(who, "min-bytes", text)


def for_coordinator(group: GroupView) -> Iterator[Finding]:
    """Nobody joins, commits or learns where to begin while no node coordinates the group."""
    if group.detail.get("coordinator") == _NOBODY:
        text = (
            f"no node coordinates {group.name}: the last one that did is stopped; node ls, and"
            " broker start kafka/N, or coordinator move"
        )
        yield Finding(group.name, "no-coordinator", text)


def for_topics(who: str, group: GroupView, member: MemberView) -> Finding | None:
    """A pattern that fits no topic: there is nothing to assign."""
    if not member.pattern or member.subscribed:
        return None
    text = (
        f"{who} subscribes to {member.pattern!r}, which no topic matches as a whole: {group.name}"
        " has nothing for it; write the pattern so that all of a topic's name fits, or topic add"
    )
    return Finding(who, "no-match", text)


def in_others(
    who: str, topic: str, partition: PartitionView, all_of_it: Sequence[PartitionView]
) -> Finding | None:
    """A partition that never got a record, while others of its topic did."""
    if partition.high_watermark:
        return None
    written = [each for each in all_of_it if each.high_watermark > each.log_start_offset]
    if not written:
        return None
    count = counted(sum(each.high_watermark - each.log_start_offset for each in written), "record")
    names = ", ".join(f"p{each.partition}" for each in written[:4]) + "…" * (len(written) > 4)
    text = (
        f"{topic} p{partition.partition} of {who} is empty: the {count} of {topic} went to {names}"
        " by their keys, or by their producer's choice; read these, or produce to this one"
    )
    return Finding(who, "empty-partition", text, harmless=True)


def left(history: Sequence[tuple[float, Event]], now: float, client: str) -> Iterator[Finding]:
    """It left its group, is connected, and did not come back."""
    last: dict[str, float] = {}
    for time, event in history:
        if isinstance(event, MemberLeft) and event.client == client:
            if event.reason.startswith("left"):
                last[event.group] = time
        elif isinstance(event, MemberJoined) and event.client == client:
            last.pop(event.group, None)
    for group, time in last.items():
        text = (
            f"{named(client)} left {group} {ago(now - time)} by itself and did not join again: it"
            " unsubscribed, or did not poll for its max.poll.interval.ms and must poll"
        )
        yield Finding(client, "left", text)


def asked_for_nothing(connections: Sequence[ConnectionView], client: str) -> Iterator[Finding]:
    """No group has it and no fetch came: a producer, or one that waits for a topic."""
    mine = [each for each in connections if each.client == client]
    produced = sum(each.messages_in for each in mine)
    if not mine or any(each.messages_out for each in mine):
        return
    if produced:
        text = f"{named(client)} only produces ({counted(produced, 'record')}): it asks for none"
        yield Finding(client, "only-produces", text, harmless=True)
        return
    text = (
        f"{named(client)} has joined no group and asked for no records: does it poll, and does a"
        " topic fit what it subscribes to? A pattern of librdkafka begins with ^, and many clients"
        " join only once a topic fits"
    )
    yield Finding(client, "never-joined", text, harmless=True)


def elsewhere(
    connections: Sequence[ConnectionView], client: str, *, member: bool
) -> Iterator[Finding]:
    """It was sent to an advertised address, and has not come there."""
    mine = [each for each in connections if each.client == client]
    if member or any(each.detail.get("requests", 0) > _ONLY_ASKED for each in mine):
        return
    for each in mine:
        sent = each.detail.get("advertised")
        if sent and not each.messages_in and not each.messages_out:
            text = (
                f"{named(client)} was sent to {sent}, the advertised address, and is not there:"
                " is that name and port reachable from where it runs? (--advertise)"
            )
            yield Finding(client, "advertised", text)
            return
