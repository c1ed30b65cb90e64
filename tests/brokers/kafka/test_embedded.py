"""The consumers' own bytes within the classic protocol: as much is read as requests may name."""

import pytest
from mockforge_brokers.kafka.embedded import EmbeddedProtocol
from mockforge_brokers.kafka.wire.codec import encode
from mockforge_brokers.kafka.wire.messages.groups import (
    ConsumerProtocolSubscription,
    JoinGroupRequest,
    JoinGroupRequestProtocol,
    SyncGroupRequest,
    SyncGroupRequestAssignment,
    TopicPartition,
)
from mockforge_brokers.limits import limits_of

from .scene import Scene

OWNED = 300_000


def subscription(owned):
    message = ConsumerProtocolSubscription(
        topics=["t"], owned_partitions=[TopicPartition(topic="t", partitions=list(range(owned)))]
    )
    return b"\0\1" + encode(message, 1)


@pytest.mark.parametrize(
    ("limits", "read"),
    [({}, False), ({"kafka_partitions": 1_000_000}, True)],
    ids=["usual", "more"],
)
def test_what_a_member_has_is_read_as_far_as_the_limits_go(limits, read):
    limits = limits_of(limits)
    scene = Scene(limits)
    embedded = scene.broker.cluster.groups.embedded
    found = embedded.subscription(subscription(OWNED))
    assert (found is not None) == read
    data = embedded.assignment(1, [("t", range(OWNED))])
    assert list(embedded.assigned(data)) == ([("t", tuple(range(OWNED)))] if read else [])


def test_a_member_is_shown_with_what_was_assigned_to_it_as_far_as_the_limits_go():
    scene = Scene(limits_of({"kafka_partitions": 1_000_000}))
    call = scene.connected()
    join = JoinGroupRequest(
        group_id="g",
        session_timeout_ms=10_000,
        rebalance_timeout_ms=10_000,
        member_id="",
        protocol_type="consumer",
        protocols=[JoinGroupRequestProtocol(name="range", metadata=subscription(0))],
    )
    joined = call(join, 3)
    assignment = EmbeddedProtocol(OWNED).assignment(1, [("t", range(OWNED))])
    given = SyncGroupRequestAssignment(member_id=joined.member_id, assignment=assignment)
    call(
        SyncGroupRequest(
            group_id="g", generation_id=1, member_id=joined.member_id, assignments=[given]
        ),
        2,
    )
    (member,) = scene.broker.group("g").detail["members"]
    assert (member.assigned, member.subscribed) == ((("t", tuple(range(OWNED))),), ("t",))


@pytest.mark.parametrize(("partitions", "kept"), [(3, True), (100, False)])
def test_of_short_bytes_it_is_kept_what_they_say(partitions, kept):
    protocol = EmbeddedProtocol(OWNED)
    named = [("t", tuple(range(partitions)))]
    first, second = (protocol.assigned(protocol.assignment(1, named)) for _ in range(2))
    assert list(first) == list(second) == named
    assert (first is second) == kept
