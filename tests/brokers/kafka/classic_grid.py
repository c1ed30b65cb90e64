"""Each request of the classic protocol in each state of a group of one member.

`python -m tests.brokers.kafka.classic_grid HOST:PORT` keeps what a new Apache Kafka answers, and
the group as it leaves it, in `recorded/classic_grid.json`; it must not wait for further members, as
we do not (`group.initial.rebalance.delay.ms=0`).
"""

from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

from mockforge_brokers.kafka.codes import ApiKey
from mockforge_brokers.kafka.wire.messages import groups, offsets
from mockforge_brokers.kafka.wire.schema import Message

from .asked import created, found_coordinator, said_of, until

RECORDED = Path(__file__).parent / "recorded" / "classic_grid.json"
TOPIC = "classic.t"
NEW: Mapping[int, int] = {
    ApiKey.JOIN_GROUP: 9,
    ApiKey.SYNC_GROUP: 5,
    ApiKey.HEARTBEAT: 4,
    ApiKey.LEAVE_GROUP: 5,
    ApiKey.OFFSET_COMMIT: 9,
    ApiKey.DELETE_GROUPS: 2,
    ApiKey.OFFSET_DELETE: 0,
}
OLD: Mapping[int, int] = {
    ApiKey.JOIN_GROUP: 3,
    ApiKey.SYNC_GROUP: 2,
    ApiKey.HEARTBEAT: 2,
    ApiKey.LEAVE_GROUP: 2,
    ApiKey.OFFSET_COMMIT: 6,
    ApiKey.DELETE_GROUPS: 0,
    ApiKey.OFFSET_DELETE: 0,
}
"""Before there were static members (KIP-345)."""
Call = Callable[[Message, int], Any]


class Alone:
    """A group and its only member; `former` is the id that a static one had before."""

    def __init__(self, call: Call, group: str) -> None:
        self.call = call
        self.group = group
        self.member = self.former = "nobody"
        self.generation = 1

    def joins(self, member: str, *, metadata: bytes = b"m", **more: Any) -> Message:
        name = more.pop("name", "range")
        values = {"protocol_type": "consumer", "session_timeout_ms": 60_000} | more
        return groups.JoinGroupRequest(
            group_id=self.group,
            rebalance_timeout_ms=60_000,
            member_id=member,
            protocols=[groups.JoinGroupRequestProtocol(name=name, metadata=metadata)],
            **values,
        )

    def syncs(self, member: str, generation: int, **more: Any) -> Message:
        share = groups.SyncGroupRequestAssignment(member_id=self.member, assignment=b"a")
        values = {"protocol_type": "consumer", "protocol_name": "range"} | more
        return groups.SyncGroupRequest(
            group_id=self.group,
            generation_id=generation,
            member_id=member,
            assignments=[share],
            **values,
        )

    def beats(self, member: str, generation: int, **more: Any) -> Message:
        return groups.HeartbeatRequest(
            group_id=self.group, generation_id=generation, member_id=member, **more
        )

    def leaves(self, member: str, **more: Any) -> Message:
        leaving = groups.MemberIdentity(member_id=member, **more)
        return groups.LeaveGroupRequest(group_id=self.group, member_id=member, members=[leaving])

    def commits(self, member: str, generation: int, **more: Any) -> Message:
        part = offsets.OffsetCommitRequestPartition(
            partition_index=0, committed_offset=1, committed_metadata=""
        )
        return offsets.OffsetCommitRequest(
            group_id=self.group,
            member_id=member,
            generation_id_or_member_epoch=generation,
            topics=[offsets.OffsetCommitRequestTopic(name=TOPIC, partitions=[part])],
            **more,
        )

    def deletes_offsets(self) -> Message:
        part = offsets.OffsetDeleteRequestPartition(partition_index=0)
        topic = offsets.OffsetDeleteRequestTopic(name=TOPIC, partitions=[part])
        return offsets.OffsetDeleteRequest(group_id=self.group, topics=[topic])

    # How it gets there.

    def nothing(self) -> None:
        """Nobody has heard of it."""

    def empty(self) -> None:
        answer = self.call(self.commits("", -1), NEW[ApiKey.OFFSET_COMMIT])
        assert not answer.topics[0].partitions[0].error_code

    def promised(self) -> None:
        self.member = self.call(self.joins(""), NEW[ApiKey.JOIN_GROUP]).member_id

    def completing(self) -> None:
        self.promised()
        assert not self.call(self.joins(self.member), NEW[ApiKey.JOIN_GROUP]).error_code

    def stable(self) -> None:
        self.completing()
        self._synced()

    def left(self) -> None:
        self.stable()
        self.call(self.leaves(self.member), NEW[ApiKey.LEAVE_GROUP])

    def static(self) -> None:
        joined = self.call(self.joins("", group_instance_id="i"), NEW[ApiKey.JOIN_GROUP])
        self.member, self.generation = joined.member_id, joined.generation_id
        self._synced()

    def replaced(self) -> None:
        self.static()
        self.former = self.member
        again = self.joins("", group_instance_id="i")
        self.member = self.call(again, NEW[ApiKey.JOIN_GROUP]).member_id

    def _synced(self) -> None:
        sync = self.syncs(self.member, self.generation)
        assert not self.call(sync, NEW[ApiKey.SYNC_GROUP]).error_code

    # What it is asked then.

    def requests(self) -> Iterator[tuple[str, Message]]:
        me, now = self.member, self.generation
        known = {"group_instance_id": "i"}
        unknown = {"group_instance_id": "j"}
        yield "joins", self.joins(me)
        yield "joins with other metadata", self.joins(me, metadata=b"n")
        yield "joins by another assignor", self.joins(me, name="other")
        yield "joins as another type", self.joins(me, protocol_type="connect")
        yield "joins under its instance", self.joins(me, **known)
        yield "joins under another instance", self.joins(me, **unknown)
        yield "joins as before", self.joins(self.former)
        yield "joins as before under its instance", self.joins(self.former, **known)
        yield "a stranger joins", self.joins("stranger")
        yield "a stranger joins under its instance", self.joins("stranger", **known)
        yield "joins for no time", self.joins(me, session_timeout_ms=1)
        for label, who, generation, more in (
            ("", me, now, {}),
            (" in a later generation", me, now + 1, {}),
            (" in none", me, -1, {}),
            (" under its instance", me, now, known),
            (" under another instance", me, now, unknown),
            (" as before", self.former, now, {}),
            (" as before under its instance", self.former, now, known),
            (" as a stranger", "stranger", now, {}),
            (" as nobody", "", now, {}),
            (" as nobody in none", "", -1, {}),
            (" as nobody under its instance", "", now, known),
        ):
            yield f"syncs{label}", self.syncs(who, generation, **more)
            yield f"beats{label}", self.beats(who, generation, **more)
            yield f"commits{label}", self.commits(who, generation, **more)
        yield "syncs as another type", self.syncs(me, now, protocol_type="connect")
        yield "syncs by another assignor", self.syncs(me, now, protocol_name="other")
        yield "syncs without type", self.syncs(me, now, protocol_type=None)
        yield "leaves", self.leaves(me)
        yield "leaves under its instance", self.leaves(me, **known)
        yield "leaves under another instance", self.leaves(me, **unknown)
        yield "leaves by its instance", self.leaves("", **known)
        yield "leaves as before", self.leaves(self.former)
        yield "leaves as before under its instance", self.leaves(self.former, **known)
        yield "a stranger leaves", self.leaves("stranger")
        yield "is deleted", groups.DeleteGroupsRequest(groups_names=[self.group])
        yield "forgets an offset", self.deletes_offsets()


STATES: tuple[Callable[[Alone], None], ...] = (
    Alone.nothing,
    Alone.empty,
    Alone.promised,
    Alone.completing,
    Alone.stable,
    Alone.left,
    Alone.static,
    Alone.replaced,
)


def play(call: Call) -> dict[str, Any]:
    """Of each request in each state its answer, then the group's state and members."""
    call(created(TOPIC, dry=False), 7)
    until(lambda: not call(found_coordinator("classic"), 4).coordinators[0].error_code)
    first = Alone(call, "classic.first")
    commit = first.commits("", -1)
    until(lambda: not call(commit, 9).topics[0].partitions[0].error_code)
    said = {}
    for age, versions in (("new", NEW), ("old", OLD)):
        for state in STATES:
            labels = [label for label, _ in first.requests()]
            for number, label in enumerate(labels):
                if age == "old" and "instance" in label:
                    continue
                alone = Alone(call, f"classic.{age}.{state.__name__}.{number}")
                state(alone)
                message = dict(alone.requests())[label]
                assert message.api_key is not None
                answer = said_of(call(message, versions[message.api_key]))
                said[f"{age} {state.__name__}: {label}"] = [
                    {field: _named(alone, value) for field, value in answer.items()},
                    _described(alone),
                ]
    return said


def _named(alone: Alone, value: Any) -> Any:
    """Ids that are made at random by what they are to the group."""
    if isinstance(value, bytes):
        return value.decode()
    if not isinstance(value, str) or len(value) < 36:
        return value
    known = {alone.member: "member", alone.former: "former", alone.group: "group"}
    return known.get(value, "new")


def _described(alone: Alone) -> list[Any]:
    (one,) = alone.call(groups.DescribeGroupsRequest(groups=[alone.group]), 5).groups
    members = [[_named(alone, each.member_id), each.group_instance_id] for each in one.members]
    return [one.error_code, one.group_state, one.protocol_type, one.protocol_data, members]


if __name__ == "__main__":
    from .asking import record

    record(play, RECORDED)
