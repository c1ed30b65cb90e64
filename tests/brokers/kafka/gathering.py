"""Classic groups of several members as scenarios: who is answered at which step, and what.

Each member asks on a connection of its own, so that one may wait in a join while another leaves.
After every step is noted who was answered by it; who waits on is not named. Ids that a broker makes
become the names of the members.
`python -m tests.brokers.kafka.gathering HOST:PORT` keeps what an Apache Kafka answers that does not
wait for further members (`group.initial.rebalance.delay.ms=0`), in `recorded/gathering.json`.
"""

import json
import selectors
import socket
import sys
import time
from itertools import combinations
from pathlib import Path

from mockforge_brokers.journal import OUT
from mockforge_brokers.kafka.codes import ErrorCode
from mockforge_brokers.kafka.wire.frames import decode_response, encode_request
from mockforge_brokers.kafka.wire.messages import groups, offsets

from .asked import created, found_coordinator, until
from .internal_topics import shown
from .scene import Scene
from .transacting import write_recorded

RECORDED = Path(__file__).parent / "recorded" / "gathering.json"
TOPIC = "gathering.t"
LONG = 60.0
"""Seconds that no step waits for."""
_QUIET = 1.0
"""Seconds after which Apache Kafka is taken to answer nobody more."""


class FakeRoom:
    """Connections to our broker, on a manual clock."""

    def __init__(self, **options):
        self._scene = Scene(**options)
        self._lines = {}
        self._asked = {}

    def send(self, line, message, version):
        if line not in self._lines:
            self._lines[line] = self._scene.network.connect()
        self._asked[line] = message.api_key, version
        self._scene.ask(self._lines[line], message, version)

    def answers(self):
        """Those that came since, by connection."""
        self._scene.network.settle()
        found = {}
        for line, (api_key, version) in tuple(self._asked.items()):
            client = self._lines[line]
            for frame in client.connection.splitter(OUT).feed(client.take()):
                found[line] = decode_response(frame, api_key, version)[1]
                del self._asked[line]
        return found

    def wait(self, seconds):
        self._scene.clock.advance(seconds)


class Room:
    """The same to an Apache Kafka, whose time is everybody's."""

    def __init__(self, host, port):
        self._place = host, port
        self._lines = {}
        self._asked = {}
        self._came = {}

    def send(self, line, message, version):
        if line not in self._lines:
            self._lines[line] = socket.create_connection(self._place, timeout=30)
            self._came[line] = b""
        self._asked[line] = message.api_key, version
        self._lines[line].sendall(encode_request(message, version, 1, "shop"))

    def answers(self):
        found = {}
        while self._asked:
            waiting = {self._lines[line]: line for line in self._asked}
            with selectors.DefaultSelector() as selector:
                for one in waiting:
                    selector.register(one, selectors.EVENT_READ)
                readable = [key.fileobj for key, _ in selector.select(_QUIET)]
            if not readable:
                break
            for one in readable:
                line = waiting[one]
                data = one.recv(1 << 16)
                assert data, "the broker closed the connection"
                came = self._came[line] = self._came[line] + data
                if len(came) >= 4 and len(came) == 4 + int.from_bytes(came[:4], "big"):
                    found[line] = decode_response(came, *self._asked.pop(line))[1]
                    self._came[line] = b""
        return found

    def wait(self, seconds):
        time.sleep(seconds)

    def __enter__(self):
        return self

    def __exit__(self, *exc):
        for one in self._lines.values():
            one.close()


class Host:
    """One group; members are named as the scenario likes, `a` speaks on connection `a`."""

    def __init__(self, room, group):
        self.room = room
        self.group = group
        self.ids = {}
        """By member: the id that it goes by."""
        self.generation = {}
        """By member: that of its last join."""
        self.said = []
        self.chosen = True
        """Whether it says who leads: of several that stay Kafka takes any."""
        self._names = {}
        self._asked = {}
        self._leaders = []

    # What members ask.

    def asks_for_id(self, who, **more):
        self._ask(f"{who} asks for an id", who, self._join(who, "", **more), 9, who)

    def join(self, who, **more):
        """By the id that it has; one that has none is given it first, unless it is static."""
        version, line = more.pop("version", 9), more.pop("line", who)
        words = [
            f"with {one} {' '.join(value) if one == 'names' else value}"
            for one, value in more.items()
            if one not in ("session", "rebalance")
        ]
        step = " ".join([f"{who} joins", *words])
        if who not in self.ids and version >= 4 and more.get("instance") is None:
            answer = ask(self.room, self._join(who, "", **more), version, line)
            if answer.error_code != ErrorCode.MEMBER_ID_REQUIRED:
                self.said.append([step, [[who, *self._joined(who, answer)]]])
                return
            self._joined(who, answer)
        self._ask(step, who, self._join(who, self.ids.get(who, ""), **more), version, line)

    def comes_back(self, who, **more):
        """Without its id, which it has forgotten."""
        self.ids.pop(who, None)
        self.join(who, **more)

    def _join(self, who, member_id, *, names=("range",), instance=None, kind="consumer", **more):
        metadata = more.get("metadata", who).encode()
        return groups.JoinGroupRequest(
            group_id=self.group,
            session_timeout_ms=int(more.get("session", LONG) * 1000),
            rebalance_timeout_ms=int(more.get("rebalance", LONG) * 1000),
            member_id=member_id,
            group_instance_id=instance,
            protocol_type=kind,
            protocols=[
                groups.JoinGroupRequestProtocol(name=name, metadata=metadata) for name in names
            ],
        )

    def sync(self, who, shares=None, *, behind=0, line=None, version=5, name="range", **more):
        """`shares`: a word for each member, which only the leader brings."""
        request = groups.SyncGroupRequest(
            group_id=self.group,
            generation_id=self.generation.get(who, -1) - behind,
            member_id=self.ids.get(who, who),
            group_instance_id=more.get("instance"),
            protocol_type=more.get("kind", "consumer"),
            protocol_name=name,
            assignments=[
                groups.SyncGroupRequestAssignment(
                    member_id=self.ids.get(one, one), assignment=share.encode()
                )
                for one, share in (shares or {}).items()
            ],
        )
        words = [f"{who} syncs", *(["of before"] if behind else []), *(shares or ())]
        self._ask(" ".join(words), who, request, version, line or who)

    def beat(self, who, *, behind=0, instance=None):
        request = groups.HeartbeatRequest(
            group_id=self.group,
            generation_id=self.generation.get(who, -1) - behind,
            member_id=self.ids.get(who, who),
            group_instance_id=instance,
        )
        self._ask(f"{who} beats{' of before' if behind else ''}", who, request, 4, f"{who}.")

    def leave(self, *those, version=5):
        """`those` are members, or instances as `=NAME`."""
        leaving = [
            groups.MemberIdentity(member_id="", group_instance_id=one[1:])
            if one.startswith("=")
            else groups.MemberIdentity(member_id=self.ids.get(one, one))
            for one in those
        ]
        request = groups.LeaveGroupRequest(
            group_id=self.group, member_id=leaving[0].member_id, members=leaving
        )
        step = f"{' and '.join(those)} leave{'s' * (len(those) == 1)}"
        self._ask(step, "clerk", request, version, "clerk")

    def commit(self, who, *, behind=0, version=9):
        part = offsets.OffsetCommitRequestPartition(
            partition_index=0, committed_offset=1, committed_metadata=""
        )
        request = offsets.OffsetCommitRequest(
            group_id=self.group,
            member_id=self.ids.get(who, who),
            generation_id_or_member_epoch=self.generation.get(who, -1) - behind,
            topics=[offsets.OffsetCommitRequestTopic(name=TOPIC, partitions=[part])],
        )
        step = f"{who} commits{' of before' if behind else ''}"
        self._ask(step, who, request, version, f"{who}.")

    # What comes of it.

    def wait(self, seconds):
        self.room.wait(seconds)
        self._note(f"{seconds:g} s later")

    def describe(self):
        request = groups.DescribeGroupsRequest(groups=[self.group])
        (one,) = ask(self.room, request, 5).groups
        members = sorted(
            [
                self._named(each.member_id),
                each.group_instance_id,
                bytes(each.member_metadata).decode(),
                bytes(each.member_assignment).decode(),
            ]
            for each in one.members
        )
        self.said.append(
            ["it is", [one.group_state, one.protocol_type, one.protocol_data, members]]
        )

    def stable(self, *those, **more):
        """They join together and each gets a share by its own name; the first one leads."""
        first, *others = those
        self.join(first, **more)
        for who in others:
            self.join(who, **more)
        if others:
            # It had a generation of its own.
            self.join(first, **more)
        self.sync(first, {who: who.upper() for who in those})
        for who in others:
            self.sync(who)

    @property
    def leader(self):
        """Whoever leads the newest generation."""
        return self._leaders[-1]

    def _ask(self, step, who, message, version, line):
        assert line not in self._asked, "it waits for an answer"
        self._asked[line] = who
        self.room.send(line, message, version)
        self._note(step)

    def _note(self, step):
        answers = [(self._asked.pop(line), answer) for line, answer in self.room.answers().items()]
        # The leader is told of others by ids that they are told in the same step.
        for who, answer in answers:
            if isinstance(answer, groups.JoinGroupResponse):
                self._named(answer.member_id, who)
        came = [[who, *self._told(who, answer)] for who, answer in answers]
        self.said.append([step, sorted(came, key=json.dumps)])

    def _told(self, who, answer):
        match answer:
            case groups.JoinGroupResponse():
                return self._joined(who, answer)
            case groups.SyncGroupResponse():
                share = bytes(answer.assignment).decode()
                return [answer.error_code, answer.protocol_type, answer.protocol_name, share]
            case groups.LeaveGroupResponse():
                codes = [
                    [self._named(one.member_id), one.group_instance_id, one.error_code]
                    for one in answer.members
                ]
                return [answer.error_code, codes]
            case offsets.OffsetCommitResponse():
                return [answer.topics[0].partitions[0].error_code]
        return [answer.error_code]

    def _joined(self, who, answer):
        if answer.member_id and answer.error_code in (0, 79):
            self._named(answer.member_id, who)
            self.ids[who] = answer.member_id
        if answer.error_code:
            return [answer.error_code, answer.generation_id, self._named(answer.member_id)]
        self.generation[who] = answer.generation_id
        roster = [
            [self._named(one.member_id), one.group_instance_id, bytes(one.metadata).decode()]
            for one in answer.members
        ]
        if roster:
            self._leaders.append(who)
        if not self.chosen:
            # Whoever leads, one of them is given the roster.
            return [0, answer.generation_id, answer.protocol_name]
        return [
            0,
            answer.generation_id,
            answer.protocol_type,
            answer.protocol_name,
            self._named(answer.leader),
            answer.skip_assignment,
            self._named(answer.member_id),
            sorted(roster),
        ]

    def _named(self, member_id, who=""):
        """A member's id as its name; a second one of the same member is marked.

        Nobody has told whose it is while its first join waits.
        """
        if len(member_id) < 36:
            return member_id
        if who and member_id not in self._names:
            earlier = sum(one.rstrip("'") == who for one in self._names.values())
            self._names[member_id] = who + "'" * earlier
        return self._names.get(member_id, "?")


# Coming.


def two_join(g):
    g.join("a")
    g.beat("a")
    g.commit("a")
    g.describe()
    g.sync("a", {"a": "A"})
    g.commit("a")
    g.describe()
    g.join("b")
    g.describe()
    g.beat("a")
    g.beat("a", behind=1)
    g.beat("b")
    g.sync("a")
    g.sync("a", behind=1)
    g.commit("a")
    g.commit("b")
    g.join("a")
    g.describe()
    g.beat("a")
    g.beat("b")
    g.beat("b", behind=1)
    g.commit("b")
    g.sync("b", behind=1)
    g.sync("b")
    g.beat("b")
    g.sync("a", {"a": "A", "b": "B"})
    g.describe()
    g.beat("a")
    g.beat("b")
    g.beat("b", behind=1)
    g.sync("b")
    g.sync("b", behind=1)
    g.commit("b")
    g.commit("b", behind=1)


def three_join(g):
    g.join("a")
    g.join("b")
    g.join("c")
    g.describe()
    g.join("a")
    g.sync("c")
    g.sync("b")
    g.sync("a", {"a": "A", "c": "C", "stranger": "S"})
    g.describe()
    g.join("d")
    g.join("c")
    g.join("a")
    g.beat("b")
    g.join("b")
    g.sync("d", {"d": "D"})
    g.sync("b", {"b": "B"})
    g.sync("c")
    g.sync("a", {"a": "A", "b": "B", "c": "C", "d": "D"})
    g.describe()


def an_id_that_is_not_used(g):
    g.stable("a", "b")
    g.asks_for_id("c", session=12.0)
    g.describe()
    g.beat("a")
    g.beat("c")
    g.asks_for_id("d", session=LONG)
    g.join("e")
    g.join("a")
    g.join("b")
    g.describe()
    g.leave("d")
    g.wait(13)
    g.describe()


def joins_again_unchanged(g):
    g.join("a")
    g.join("b")
    g.join("a")
    g.join("b")
    g.join("a")
    g.sync("a", {"a": "A", "b": "B"})
    g.sync("b")
    g.join("b")
    g.sync("b")
    g.describe()
    g.join("a")
    g.beat("b")
    g.join("b")
    g.describe()


def joins_again_changed(g):
    g.join("a")
    g.join("b")
    g.join("a")
    g.join("b", metadata="other")
    g.join("a")
    g.sync("b")
    g.join("b", metadata="one more", line="b2")
    g.join("a")
    g.sync("a", {"a": "A", "b": "B"})
    g.sync("b")
    g.join("b", metadata="the last")
    g.beat("a")
    g.join("a")
    g.describe()


def joins_from_two_connections(g):
    g.stable("a", "b")
    g.join("c")
    g.join("b")
    g.join("b", line="b2")
    g.join("a")
    g.sync("b", line="b2")
    g.sync("b", line="b3")
    g.sync("a", {"a": "A", "b": "B", "c": "C"})


# Going.


def the_leader_leaves(g):
    g.stable("a", "b")
    g.leave("a")
    g.describe()
    g.beat("b")
    g.beat("a")
    g.join("b")
    g.sync("b", {"b": "B"})
    g.describe()
    g.leave("b")
    g.describe()
    g.beat("b")
    g.comes_back("b")


def the_leader_of_three_leaves(g):
    g.stable("a", "b", "c")
    g.leave("a")
    g.chosen = False
    g.beat("b")
    g.join("b")
    g.join("c")
    g.said.append(["one of them leads", [g.leader in ("b", "c")]])


def the_leader_leaves_before_it_assigned(g):
    g.join("a")
    g.join("b")
    g.join("a")
    g.sync("b")
    g.leave("a")
    g.sync("a", {"b": "B"})
    g.beat("b")
    g.join("b")
    g.describe()


def a_follower_leaves_before_it_was_assigned(g):
    g.join("a")
    g.join("b")
    g.join("a")
    g.sync("b")
    g.leave("b")
    g.beat("a")
    g.sync("a", {"a": "A", "b": "B"})
    g.join("a")
    g.describe()


def a_newcomer_leaves_while_it_waits(g):
    g.stable("a", "b")
    g.join("c")
    g.leave("c")
    g.describe()
    g.join("a")
    g.join("b")
    g.describe()


def the_last_one_that_is_waited_for_leaves(g):
    g.stable("a", "b")
    g.join("c")
    g.join("a")
    g.leave("b")
    g.describe()


def several_leave_at_once(g):
    g.stable("a", "b", "c")
    g.leave("b", "nobody", "c", "b")
    g.beat("a")
    g.join("a")
    g.describe()
    g.leave("a", version=1)
    g.describe()


def all_leave_while_they_join(g):
    g.stable("a", "b")
    g.join("a")
    g.leave("b")
    g.leave("a")
    g.describe()


# Falling silent.


def who_does_not_come_back(g):
    g.stable("a", "b", rebalance=6.0)
    g.join("c", rebalance=6.0)
    g.join("a", rebalance=6.0)
    g.beat("b")
    g.wait(7)
    g.beat("b")
    g.sync("b")
    g.describe()


def the_leader_does_not_come_back(g):
    g.stable("a", "b", rebalance=6.0)
    g.join("b", rebalance=6.0)
    g.join("b", metadata="other", rebalance=6.0)
    g.wait(7)
    g.beat("a")
    g.describe()
    g.sync("b", {"b": "B"})
    g.comes_back("a", rebalance=6.0)
    g.join("b", rebalance=6.0)
    g.describe()


def the_longest_rebalance_timeout_counts(g):
    g.join("a", rebalance=1.0)
    g.join("b", rebalance=9.0)
    g.join("a", rebalance=1.0)
    g.sync("a", {"a": "A", "b": "B"})
    g.sync("b")
    g.join("a", rebalance=1.0)
    g.wait(2)
    g.wait(9)
    g.describe()


def who_does_not_sync(g):
    g.join("a", rebalance=6.0)
    g.join("b", rebalance=6.0)
    g.join("a", rebalance=6.0)
    g.sync("a", {"a": "A", "b": "B"})
    g.beat("b")
    g.describe()
    g.wait(7)
    g.beat("b")
    g.beat("a")
    g.describe()


def the_leader_does_not_sync(g):
    g.join("a", rebalance=6.0)
    g.join("b", rebalance=6.0)
    g.join("a", rebalance=6.0)
    g.sync("b")
    g.wait(7)
    g.beat("a")
    g.beat("b")
    g.join("b", rebalance=6.0)
    g.describe()


def who_falls_silent(g):
    g.join("a")
    g.join("b", session=6.0)
    g.join("a")
    g.sync("a", {"a": "A", "b": "B"})
    g.sync("b")
    g.wait(7)
    g.beat("b")
    g.beat("a")
    g.join("a")
    g.describe()


def who_waits_is_not_silent(g):
    g.stable("a", "b")
    g.join("c", session=6.0)
    g.wait(7)
    g.beat("c")
    g.join("a")
    g.join("b")
    g.describe()


# Choosing.


def no_common_protocol(g):
    g.join("a", names=("range", "sticky"))
    g.join("b", names=("sticky",))
    g.join("c", names=("range",))
    g.join("c", names=("other", "sticky"))
    g.join("a", names=("range",))
    g.join("a", names=("range", "sticky"))
    g.describe()
    g.join("d", kind="connect", names=("sticky",))
    g.join("e", names=())
    g.sync("b", name="range")
    g.sync("b", name="sticky", kind="connect")
    g.sync("b", name="sticky")
    g.sync("a", {"a": "A", "b": "B", "c": "C"}, name="sticky")
    g.describe()


def most_prefer_it(g):
    g.join("a", names=("x", "y", "z"))
    g.join("b", names=("z", "y", "x"))
    g.join("c", names=("y", "z", "x"))
    g.join("d", names=("z", "x", "y"))
    g.join("a", names=("x", "y", "z"))


def as_many_prefer_another(g):
    # No two in one place of a HashMap of 16: there Apache Kafka chooses by its members' random ids.
    every = ("range", "roundrobin", "sticky", "cooperative-sticky", "c", "p", "default", "z14")
    g.join("a", names=every)
    g.join("b", names=every)
    g.join("a", names=every)
    for number, (first, second) in enumerate(combinations(every, 2)):
        others = tuple(one for one in every if one not in (first, second))
        # What it says of itself is new each time: it leads, and asks for another generation.
        g.join("a", names=(first, second, *others), metadata=f"{number}")
        g.join("b", names=(second, first, *others), metadata=f"{number}")


# Staying.


def a_static_follower_comes_back(g):
    _with_static(g)
    g.comes_back("s", instance="i")
    g.describe()
    g.beat("s", instance="i")
    g.beat("a")
    g.sync("s", instance="i")
    g.comes_back("s", instance="i", version=5)
    g.sync("s", instance="i")
    g.comes_back("s", instance="i", metadata="other")
    g.describe()
    g.beat("a")


def a_static_leader_comes_back(g):
    g.join("s", instance="i")
    g.join("a")
    g.join("s", instance="i")
    g.sync("s", {"a": "A", "s": "S"}, instance="i")
    g.sync("a")
    g.comes_back("s", instance="i")
    g.sync("s", {"a": "AA", "s": "SS"}, instance="i")
    g.comes_back("s", instance="i", version=6)
    g.sync("s", {"a": "AA", "s": "SS"}, instance="i")
    g.describe()
    g.join("s", instance="i")
    g.beat("a")
    g.join("a")


def a_static_member_is_replaced_while_it_joins(g):
    _with_static(g)
    g.join("b")
    g.join("s", instance="i")
    g.comes_back("s", instance="i", line="s2")
    g.join("a")
    g.describe()


def a_static_member_is_replaced_while_it_syncs(g):
    g.join("a")
    g.join("s", instance="i")
    g.join("a")
    g.sync("s", instance="i")
    g.comes_back("s", instance="i", line="s2")
    g.beat("a")
    g.join("a")
    g.describe()


def a_static_member_comes_back_to_another_choice(g):
    g.join("a", names=("range", "sticky"))
    g.join("s", instance="i", names=("range", "sticky"))
    g.join("a", names=("range", "sticky"))
    g.sync("a", {"a": "A", "s": "S"})
    g.sync("s", instance="i")
    g.comes_back("s", instance="i", names=("sticky",))
    g.beat("a")
    g.join("a", names=("range", "sticky"))
    g.describe()


def a_static_member_does_not_come_back(g):
    g.join("a", rebalance=6.0)
    g.join("s", instance="i", rebalance=6.0)
    g.join("a", rebalance=6.0)
    g.sync("a", {"a": "A", "s": "S"})
    g.sync("s", instance="i")
    g.join("b", rebalance=6.0)
    g.join("a", rebalance=6.0)
    g.wait(7)
    g.describe()
    g.beat("s", instance="i")
    g.sync("a", {"a": "A", "b": "B", "s": "S"})
    g.sync("b")
    g.sync("s", instance="i")
    g.leave("=i")
    g.beat("a")
    g.leave("=i", "=j", "b")
    g.describe()


def only_static_members_are_left(g):
    g.join("a", rebalance=5.0)
    g.join("s", instance="i", rebalance=5.0, session=16.0)
    g.join("a", rebalance=5.0)
    g.sync("a", {"a": "A", "s": "S"})
    g.sync("s", instance="i")
    g.leave("a")
    g.wait(6)
    g.describe()
    g.wait(12)
    g.describe()


def two_static_members(g):
    g.join("s", instance="i")
    g.join("t", instance="j")
    g.join("s", instance="i")
    g.sync("s", {"s": "S", "t": "T"}, instance="i")
    g.sync("t", instance="j")
    g.join("t", instance="i")
    g.join("u", instance="j")
    g.beat("t", instance="j")
    g.sync("t", instance="j")
    g.commit("t")
    g.leave("t")
    g.leave("=j")
    g.describe()
    g.beat("s", instance="i")


def _with_static(g):
    g.join("a")
    g.join("s", instance="i")
    g.join("a")
    g.sync("a", {"a": "A", "s": "S"})
    g.sync("s", instance="i")


SCENARIOS = {
    one.__name__.replace("_", " "): one
    for one in (
        two_join,
        three_join,
        an_id_that_is_not_used,
        joins_again_unchanged,
        joins_again_changed,
        joins_from_two_connections,
        the_leader_leaves,
        the_leader_of_three_leaves,
        the_leader_leaves_before_it_assigned,
        a_follower_leaves_before_it_was_assigned,
        a_newcomer_leaves_while_it_waits,
        the_last_one_that_is_waited_for_leaves,
        several_leave_at_once,
        all_leave_while_they_join,
        who_does_not_come_back,
        the_leader_does_not_come_back,
        the_longest_rebalance_timeout_counts,
        who_does_not_sync,
        the_leader_does_not_sync,
        who_falls_silent,
        who_waits_is_not_silent,
        no_common_protocol,
        most_prefer_it,
        as_many_prefer_another,
        a_static_follower_comes_back,
        a_static_leader_comes_back,
        a_static_member_is_replaced_while_it_joins,
        a_static_member_is_replaced_while_it_syncs,
        a_static_member_comes_back_to_another_choice,
        a_static_member_does_not_come_back,
        only_static_members_are_left,
        two_static_members,
    )
}


def ask(room, message, version, line="clerk"):
    """What is no step: answered in its time, and nobody else is by it."""
    room.send(line, message, version)
    while not (answers := room.answers()):
        pass
    assert list(answers) == [line]
    return answers[line]


def answered_too(said, name, answers):
    """What Kafka said of a scenario, and `answers` by scenario and step that it never gives."""
    said = list(said)
    for (scenario, step), answer in answers.items():
        if scenario == name:
            what, given = said[step]
            said[step] = [what, sorted([*given, answer], key=json.dumps)]
    return said


def play(room, name, prefix="", scenario=None):
    """`prefix` keeps the groups of one run apart; no `scenario`: it is the one of this name."""
    host = Host(room, prefix + name.replace(" ", "."))
    ask(room, created(TOPIC, dry=False), 7)
    until(lambda: not ask(room, shown(TOPIC), 12).topics[0].error_code)
    described = groups.DescribeGroupsRequest(groups=[host.group])
    # Kafka's coordinators are there a moment after somebody asked for them.
    until(lambda: not ask(room, found_coordinator(host.group), 4).coordinators[0].error_code)
    until(lambda: not ask(room, described, 5).groups[0].error_code)
    (scenario or SCENARIOS[name])(host)
    return json.loads(json.dumps(host.said))


if __name__ == "__main__":
    place = sys.argv[1].rsplit(":", 1)
    kept = {}
    for scenario in SCENARIOS:
        with Room(place[0], int(place[1])) as apache:
            kept[scenario] = play(apache, scenario)
    write_recorded(RECORDED, kept)
