"""What the broker shows of itself: views made from the state when somebody looks."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from ..snapshots import ConnectionView, DestinationView, GroupView
from .apis.caller import Caller
from .connection import KafkaConnection
from .snapshots import (
    FetchSessionView,
    FetchView,
    MemberView,
    OffsetView,
    OpenTransactionView,
    PartitionView,
    PendingOffsetView,
    ProducerView,
    TelemetryView,
    TransactionView,
)
from .state.cluster import Cluster
from .state.fetch_sessions import FetchSession
from .state.groups.classic.group import Group
from .state.groups.classic.member import Member
from .state.groups.classic.state import GroupState
from .state.groups.consumer.group import ConsumerGroup, ConsumerGroupState
from .state.groups.consumer.member import MemberState
from .state.groups.embedded import Embedded
from .state.groups.kept import AnyGroup
from .state.logs.log import PartitionLog
from .state.logs.topic import Topic
from .state.replication import Replication
from .state.telemetry import PushingClient, uuid_text
from .state.transactions.transaction import Transaction

_WORDS = {
    GroupState.EMPTY: "empty",
    GroupState.PREPARING_REBALANCE: "rebalancing",
    GroupState.COMPLETING_REBALANCE: "assigning",
    GroupState.STABLE: "stable",
    GroupState.DEAD: "dead",
    ConsumerGroupState.EMPTY: "empty",
    ConsumerGroupState.ASSIGNING: "assigning",
    ConsumerGroupState.RECONCILING: "rebalancing",
    ConsumerGroupState.STABLE: "stable",
    ConsumerGroupState.DEAD: "dead",
}


def connection_view(connection: KafkaConnection) -> ConnectionView:
    # Made at the end of each connection, and most have little to say then.
    caller = connection.caller
    peer = caller.peer
    session, waits = caller.fetch_session, caller.parked_fetch
    listener = peer.listener
    host, port = peer.local
    advertised = listener.advertised_host
    return ConnectionView(
        id=peer.id,
        protocol="kafka",
        client=caller.client_id,
        address=peer.address,
        state=connection.state,
        since=peer.opened,
        listener=listener.name,
        principal=peer.principal,
        software=caller.software,
        messages_in=caller.messages_in,
        messages_out=caller.messages_out,
        bytes_in=peer.bytes_in,
        bytes_out=peer.bytes_out,
        detail={
            "requests": connection.requests,
            "fetch_session": None if session is None else fetch_session_view(session),
            "dialled": f"{host}:{port}",
            "fetching": _fetching(caller) if caller.reading else (),
            "unknown_topics": tuple(caller.unknown_topics),
            "fetch_wait": None if waits is None else waits.wait,
            # Where the client was sent, if that is elsewhere than where it came.
            "advertised": f"{advertised}:{port}" if advertised and advertised != host else "",
        },
    )


def _fetching(caller: Caller) -> list[FetchView]:
    return [
        FetchView(topic, partition, first, end, now, bool(committed))
        for (topic, partition), (first, end, now, committed) in caller.reading.items()
    ]


def fetch_session_view(session: FetchSession) -> FetchSessionView:
    return FetchSessionView(session.session_id, session.epoch, len(session.partitions))


Owners = Mapping[int, Transaction]
"""The coordinator's transactions by producer id."""


def topic_view(topic: Topic, owners: Owners, replication: Replication) -> DestinationView:
    count = len(topic.logs)
    note = f"{count} partition{'s' if count != 1 else ''}"
    opened = sum(len(log.transactions.open) for log in topic.logs)
    if opened:
        note += f", {opened} open transaction{'s' if opened != 1 else ''}"
    return DestinationView(
        protocol="kafka",
        kind="topic",
        name=topic.name,
        messages_in=sum(log.records_in for log in topic.logs),
        messages_out=sum(log.records_out for log in topic.logs),
        depth=topic.records,
        note=note,
        detail={
            "topic_id": topic.topic_id.hex(),
            "bytes": sum(log.cost for log in topic.logs),
            "config": dict(topic.config.own),
            "partitions": [_partition_view(log, owners, replication) for log in topic.logs],
        },
    )


def _partition_view(log: PartitionLog, owners: Owners, replication: Replication) -> PartitionView:
    return PartitionView(
        log.partition,
        log.log_start_offset,
        log.high_watermark,
        log.cost,
        log.leader_epoch,
        log.last_stable_offset,
        tuple(open_transactions(log, owners)),
        log.records,
        replication.leader(log),
        tuple(replication.replicas(log)),
        tuple(replication.in_sync(log)),
        replication.held.get(log),
    )


def open_transactions(log: PartitionLog, owners: Owners) -> Iterator[OpenTransactionView]:
    """Those that are open in a partition, the oldest first."""
    for producer_id, first_offset in log.transactions.open.items():
        owner = owners.get(producer_id)
        owned = owner is not None and owner.owns(log.topic, log.partition)
        name = owner.transactional_id if owner is not None and owned else ""
        yield OpenTransactionView(producer_id, first_offset, name)


def producer_views(log: PartitionLog, owners: Owners) -> Iterator[ProducerView]:
    """The producers that a partition knows, the newest last."""
    for one in log.producers.dump():
        owner = owners.get(one.producer_id)
        yield ProducerView(
            one.producer_id,
            one.epoch,
            one.last_sequence,
            one.last_timestamp / 1000,
            log.transactions.open.get(one.producer_id),
            owner.transactional_id if owner is not None else "",
        )


def transaction_view(one: Transaction, wall: float) -> TransactionView:
    return TransactionView(
        one.transactional_id,
        one.state.value,
        one.producer_id,
        one.producer_epoch,
        one.client,
        one.timeout,
        max(0.0, wall - one.started) if one.is_open else None,
        tuple(one.partitions),
        tuple(one.groups),
    )


def telemetry_view(one: PushingClient, now: float) -> TelemetryView:
    client = one.client
    name, version = client["client_software_name"], client["client_software_version"]
    return TelemetryView(
        uuid_text(one.instance_id),
        client["client_id"],
        f"{name} {version}".strip(),
        f"{client['client_source_address']}:{client['client_source_port']}",
        one.connection,
        not one.ended,
        one.metrics,
        one.interval_ms / 1000,
        one.pushes,
        one.bytes,
        one.codec.name.lower() if one.pushes else "",
        now - one.pushed if one.pushed >= 0 else None,
    )


def group_view(cluster: Cluster, group: AnyGroup) -> GroupView:
    offsets = list(committed(cluster, group))
    pending = list(_pending(cluster, group))
    lags = [one.lag for one in offsets if one.lag is not None]
    return GroupView(
        protocol="kafka",
        name=group.group_id,
        state=_WORDS[group.state],
        members=len(group.members),
        lag=sum(lags) if lags else None,
        reason=group.reason,
        detail={
            "generation": group.generation_id,
            "coordinator": cluster.nodes.coordinator(group.group_id),
            "protocol_type": group.protocol_type,
            "assignor": _assignor(group),
            "members": list(_members(cluster, group)),
            "offsets": offsets,
            **({"pending": pending} if pending else {}),
            "rebalances": list(group.rebalances),
        },
    )


def _pending(cluster: Cluster, group: AnyGroup) -> Iterator[PendingOffsetView]:
    if not group.offsets.pending:
        return
    owners = cluster.transactions.by_producer()
    for producer_id, held in group.offsets.pending.items():
        owner = owners.get(producer_id)
        name = owner.transactional_id if owner is not None else ""
        for (topic, partition), offset in held.items():
            yield PendingOffsetView(topic, partition, offset.offset, producer_id, name)


def committed(cluster: Cluster, group: AnyGroup) -> Iterator[OffsetView]:
    """A group's committed offsets, each with how far its consumers are behind."""
    for name, partitions in sorted(group.offsets.topics.items()):
        topic = cluster.topics.get(name)
        for partition, offset in sorted(partitions.items()):
            lag = None
            if topic is not None and partition < len(topic.logs):
                lag = max(0, topic.logs[partition].high_watermark - offset.offset)
            yield OffsetView(name, partition, offset.offset, lag, offset.metadata, offset.committed)


def _assignor(group: AnyGroup) -> str:
    return group.members.assignor if isinstance(group, ConsumerGroup) else group.protocol_name or ""


def _members(cluster: Cluster, group: AnyGroup) -> Iterator[MemberView]:
    if isinstance(group, Group):
        for member in group.members:
            yield _member_view(cluster.groups.embedded, group, member)
        return
    for consumer in group.members.values():
        assigned: dict[str, list[int]] = {}
        for topic_id, partition in sorted(consumer.assigned):
            if topic_id in cluster.topics.by_id:
                assigned.setdefault(cluster.topics.by_id[topic_id].name, []).append(partition)
        yield MemberView(
            member=consumer.member_id,
            client=consumer.client_id,
            host=consumer.client_host,
            instance=consumer.group_instance_id,
            leader=False,
            waits=consumer.state is not MemberState.STABLE,
            assigned=tuple((topic, tuple(numbers)) for topic, numbers in sorted(assigned.items())),
            subscribed=tuple(sorted(consumer.topic_names | group.topics.of(consumer))),
            protocol="consumer" if consumer.classic is None else "classic",
            pattern=consumer.topic_regex,
        )


def _member_view(embedded: Embedded, group: Group, member: Member) -> MemberView:
    consumes = group.protocol_type == "consumer"
    assigned = embedded.assigned(member.assignment) if consumes else ()
    return MemberView(
        member=member.member_id,
        client=member.client_id,
        host=member.client_host,
        instance=member.group_instance_id,
        leader=member.member_id == group.members.leader,
        waits=member.waits,
        assigned=tuple((topic, tuple(numbers)) for topic, numbers in assigned),
        subscribed=_subscribed(embedded, group, member) if consumes else (),
    )


def _subscribed(embedded: Embedded, group: Group, member: Member) -> tuple[str, ...]:
    """The topics of a consumer's subscription, which the broker does not read otherwise."""
    name = group.protocol_name or (member.protocols[0][0] if member.protocols else None)
    found = embedded.subscription(member.metadata(name))
    return () if found is None else tuple(sorted(found.topics))
