"""What keeps a Kafka client waiting that is neither its position nor its topic."""

from collections.abc import Iterator, Sequence

from mockforge_brokers.kafka.snapshots import FetchView, FetchWait, MemberView, PartitionView
from mockforge_brokers.snapshots import ConnectionView, GroupView

from ...units import counted
from .finding import Finding, named

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
