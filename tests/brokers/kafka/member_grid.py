"""Each heartbeat of the consumer protocol (KIP-848), in each state of a group and its members.

`python -m tests.brokers.kafka.member_grid HOST:PORT` keeps what Apache Kafka answers, and the group
as it leaves it, in `recorded/member_grid.json`; it must assign at once, as we do (a broker started
with, or altered to, `group.consumer.assignment.interval.ms=0`).
"""

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from mockforge_brokers.kafka.wire.messages import consumer_groups, groups, offsets

from .asking import record
from .migrating import ALL, Mover

RECORDED = Path(__file__).parent / "recorded" / "member_grid.json"
Group = dict[str, int]
"""The epoch that each member was told."""


class Beating(Mover):
    """Members have the ids that they chose."""

    def beat_as(self, who: str, epoch: int, *, owned: Any = None, **more: Any) -> Any:
        if owned is not None:
            more["topic_partitions"] = [
                consumer_groups.OwnedTopicPartitions(topic_id=self.topic_uuid, partitions=owned)
            ] * bool(owned)
        if not epoch:
            more = {
                "subscribed_topic_names": [self.topic],
                "rebalance_timeout_ms": 20_000,
                "topic_partitions": [],
            } | more
        return self.call(
            consumer_groups.ConsumerGroupHeartbeatRequest(
                group_id=self.group, member_id=who, member_epoch=epoch, **more
            ),
            1,
        )

    def settle_in(self, *members: str, instance: str | None = None) -> Group:
        """They join, and go on until each has what it is to have."""
        epochs = {}
        for who in members:
            answer = self.beat_as(who, 0, instance_id=instance)
            assert answer.error_code == 0, answer
            epochs[who] = answer.member_epoch
        owned = dict.fromkeys(members, ())
        for _ in range(4 * len(members)):
            for who in members:
                answer = self.beat_as(who, epochs[who], owned=owned[who], instance_id=instance)
                epochs[who] = answer.member_epoch
                if answer.assignment is not None:
                    parts = answer.assignment.topic_partitions
                    owned[who] = tuple(parts[0].partitions) if parts else ()
        self.owned = owned
        return epochs

    def shown(self) -> list[Any]:
        """The group as it is described."""
        request = consumer_groups.ConsumerGroupDescribeRequest(group_ids=[self.group])
        (one,) = self.call(request, 1).groups
        members = [
            [
                member.member_id,
                member.instance_id,
                member.rack_id,
                member.member_epoch,
                _count(member.assignment),
                _count(member.target_assignment),
                [name.removeprefix(self.prefix) for name in member.subscribed_topic_names],
            ]
            for member in sorted(one.members, key=lambda member: member.member_id)
        ]
        facts = [one.error_code, one.group_state, one.group_epoch, one.assignment_epoch]
        return [*facts, one.assignor_name, members]


def _count(assignment: Any) -> int:
    return sum(len(part.partitions) for part in assignment.topic_partitions)


def _alone(p: Beating) -> Group:
    return p.settle_in("m")


def _empty(p: Beating) -> Group:
    epochs = _alone(p)
    p.beat_as("m", -1)
    return epochs


def _two(p: Beating) -> Group:
    return p.settle_in("m", "n")


def _unrevoked(p: Beating) -> Group:
    """`m` was asked to give up half, and has not yet; `n` waits for that."""
    epochs = _alone(p)
    epochs["n"] = p.beat_as("n", 0).member_epoch
    epochs["m"] = p.beat_as("m", epochs["m"], owned=ALL).member_epoch
    return epochs


def _static(p: Beating) -> Group:
    return p.settle_in("m", instance="i")


def _away(p: Beating) -> Group:
    """A static member said that it will be back."""
    epochs = _static(p)
    p.beat_as("m", -2, instance_id="i")
    return epochs


def _offsets_only(p: Beating) -> Group:
    part = offsets.OffsetCommitRequestPartition(partition_index=0, committed_offset=1)
    topic = offsets.OffsetCommitRequestTopic(name=p.topic, partitions=[part])
    p.call(offsets.OffsetCommitRequest(group_id=p.group, member_id="", topics=[topic]), 7)
    return {"m": 1}


def _other_protocol(p: Beating) -> Group:
    """A classic group that has nothing to do with topics."""
    who = p.join(kind="connect", names=("x",), raw=b"")
    p.sync(who, kind="connect", name="x")
    return {"m": 1}


STATES: dict[str, Callable[[Beating], Group]] = {
    "no group": lambda p: {"m": 1},
    "empty": _empty,
    "alone": _alone,
    "two": _two,
    "not given up yet": _unrevoked,
    "static": _static,
    "static, away": _away,
    "offsets only": _offsets_only,
    "of Connect": _other_protocol,
}


def _beats(m: int) -> dict[str, tuple[str, int, dict[str, Any]]]:
    """By name: who, at which epoch, with what; `m` is the epoch of the first member."""
    return {
        "joins anew": ("m", 0, {}),
        "joins as another": ("x", 0, {}),
        "joins by the instance": ("x", 0, {"instance_id": "i"}),
        "joins by another instance": ("m", 0, {"instance_id": "j"}),
        "joins with a rack and an assignor": ("x", 0, {"rack_id": "r", "server_assignor": "range"}),
        "joins by a pattern": (
            "x",
            0,
            {"subscribed_topic_names": None, "subscribed_topic_regex": "nothing-.*"},
        ),
        "joins with partitions": ("x", 0, {"topic_partitions": "all"}),
        "goes on": ("m", m, {}),
        "goes on with all": ("m", m, {"owned": ALL}),
        "goes on with two": ("m", m, {"owned": (0, 1)}),
        "goes on with none": ("m", m, {"owned": ()}),
        "goes on by the instance": ("m", m, {"instance_id": "i"}),
        "goes on by another instance": ("m", m, {"instance_id": "j"}),
        "is late with all": ("m", m - 1, {"owned": ALL}),
        "is late with none": ("m", m - 1, {"owned": ()}),
        "is ahead": ("m", m + 1, {}),
        "is far behind": ("m", m - 2, {"owned": ALL}) if m > 2 else ("m", m + 9, {}),
        "is not known": ("x", m, {}),
        "reads nothing any more": ("m", m, {"subscribed_topic_names": []}),
        "reads what is not there": ("m", m, {"subscribed_topic_names": ["none"]}),
        "wants another assignor": ("m", m, {"server_assignor": "range"}),
        "moves to a rack": ("m", m, {"rack_id": "r2"}),
        "is given no time": ("m", m, {"rebalance_timeout_ms": 0}),
        "leaves": ("m", -1, {}),
        "leaves by the instance": ("m", -1, {"instance_id": "i"}),
        "leaves for a while": ("m", -2, {}),
        "leaves for a while by the instance": ("m", -2, {"instance_id": "i"}),
        "another leaves": ("x", -1, {}),
    }


def play(call: Callable[[Any, int], Any], prefix: str) -> dict[str, list[Any]]:
    """By state and heartbeat: code, epoch and how many partitions, then the group."""
    said = {}
    player = Beating(call, prefix)
    player.create(4)
    player.topic_uuid = player.topic_id
    number = 0
    for state, bring in STATES.items():
        for beat in _beats(0):
            number += 1
            player.group = f"{prefix}g{number}"
            player.forget()
            epochs = bring(player)
            who, epoch, more = _beats(epochs["m"])[beat]
            if more.get("topic_partitions") == "all":
                more = {"owned": ALL}
            answer = player.beat_as(who, epoch, **more)
            given = None if answer.assignment is None else _count(answer.assignment)
            outcome = [answer.error_code, answer.member_epoch, given]
            said[f"{state} / {beat}"] = [outcome, player.shown()]
    return said


def _play_anew(call):
    """To a broker that may have just started, on groups that nobody knows."""
    found = groups.FindCoordinatorRequest(key_type=0, coordinator_keys=["x"])
    while call(found, 4).coordinators[0].error_code:
        time.sleep(0.2)
    return play(call, f"m{int(time.time())}.")


if __name__ == "__main__":
    record(_play_anew, RECORDED)
