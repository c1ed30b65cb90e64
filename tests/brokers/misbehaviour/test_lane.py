"""Faults and holds on a connection without sockets."""

from random import Random

import pytest
from mockforge_brokers.clock import ManualClock
from mockforge_brokers.environment import Environment
from mockforge_brokers.errors import InvalidInput
from mockforge_brokers.events import (
    FaultFired,
    FrameHeld,
    HeldFrameEdited,
    HeldFrameLeft,
    LimitReached,
    Warned,
)
from mockforge_brokers.journal import IN, OUT, Row
from mockforge_brokers.limits import Limits
from mockforge_brokers.misbehaviour.actions import (
    Changes,
    Delay,
    Disconnect,
    Edit,
    Refuse,
    Release,
)
from mockforge_brokers.misbehaviour.rules import Exchanges

from ..fake_peer import FakePeer
from ..lines import LineBroker, is_word
from ..misbehaving import fault, hold, lane


class World:
    """A lane into a line connection, with all that it forwarded."""

    def __init__(self, direction: int = IN, limits: Limits | None = None) -> None:
        self.clock = ManualClock()
        self.environment = Environment.create(self.clock, seed=1, limits=limits)
        self.peer = FakePeer(1, 0.0)
        self.connection = LineBroker(self.environment).connect(self.peer)
        self.peer.connection = self.connection
        self.passed: list[bytes] = []
        self.events: list[object] = []
        self.environment.spine.watch(self.events.append)
        self.lane = lane(
            direction, self.connection, self.peer, self.environment, self.passed.append
        )
        self.faults = self.environment.faults
        self.holds = self.environment.holds


def test_frames_pass_at_once_and_whole():
    world = World()
    world.lane.feed(b"one\ntw")
    assert world.passed == [b"one\n"]
    assert world.lane.pending == 2
    world.lane.feed(b"o\n")
    assert world.passed == [b"one\n", b"two\n"]


def test_a_delayed_frame_makes_those_behind_it_wait():
    world = World()
    world.faults.add(fault(Delay(0.25), is_word("slow"), scope="slow"))
    world.lane.feed(b"slow\nquick\n")
    assert world.passed == []
    world.clock.advance(0.25)
    assert world.passed == [b"slow\n", b"quick\n"]


def test_delays_of_frames_that_come_together_run_side_by_side():
    world = World()
    world.faults.add(fault(Delay(1.0), is_word("slow"), scope="slow"))
    world.lane.feed(b"slow 1\nslow 2\n")
    world.clock.advance(1.0)
    assert world.passed == [b"slow 1\n", b"slow 2\n"]


def test_a_dropped_frame_vanishes_and_the_rule_counts_it():
    world = World()
    rule = world.faults.add(fault(matches=is_word("x"), scope="x"))
    world.lane.feed(b"x\ny\nx\n")
    assert world.passed == [b"y\n"]
    assert rule.hits == 2
    assert FaultFired("lines", rule.id, "drop", 1, "?", "x") in world.events


def test_disconnect_comes_before_the_effect_unless_told():
    world = World()
    world.faults.add(fault(Disconnect(), is_word("x"), scope="x"))
    world.lane.feed(b"x\ny\n")
    assert world.passed == []
    assert world.peer.ended == "closed"
    assert "fault 1 disconnects x" in world.peer.reason


def test_disconnect_after_the_effect_resets_when_told():
    world = World()
    world.faults.add(fault(Disconnect(reset=True, after=True), is_word("x"), scope="x"))
    world.lane.feed(b"x\ny\n")
    assert world.passed == [b"x\n"]
    assert world.peer.ended == "reset"


def test_a_rule_for_the_other_direction_does_not_fire():
    world = World(OUT)
    world.faults.add(fault(matches=is_word("x", OUT), scope="x", direction=IN))
    world.lane.feed(b"x\n")
    assert world.passed == [b"x\n"]


@pytest.mark.parametrize(
    ("trigger", "fired"),
    [
        ({}, "11111"),
        ({"times": 2}, "11000"),
        ({"first": 2}, "00111"),
        ({"every": 2}, "10101"),
        ({"first": 1, "every": 3, "times": 1}, "01000"),
        ({"probability": 0.0}, "00000"),
    ],
)
def test_triggers(trigger, fired):
    world = World()
    world.faults.add(fault(matches=is_word("x"), scope="x", **trigger))
    shown = ""
    for _ in range(5):
        before = len(world.passed)
        world.lane.feed(b"x\n")
        shown += "0" if len(world.passed) > before else "1"
    assert shown == fired


def test_the_dice_are_seeded():
    def run() -> list[bytes]:
        world = World()
        world.faults.add(fault(matches=is_word("x"), scope="x", probability=0.5))
        for number in range(50):
            world.lane.feed(b"x %d\n" % number)
        return world.passed

    assert run() == run()
    assert 10 < len(run()) < 40


def test_a_rule_with_a_lifetime_leaves_by_itself():
    world = World()
    world.faults.add(fault(matches=is_word("x"), scope="x", lifetime=10))
    assert world.faults.active
    world.clock.advance(10)
    assert not world.faults.active


def test_a_negative_delay_is_refused():
    with pytest.raises(InvalidInput, match="0 or more"):
        fault(Delay(-1), is_word("x"), scope="x")


def test_jitter_stays_around_the_delay():
    world = World()
    rule = fault(Delay(1.0, 0.2), is_word("x"), scope="x")
    spread = [world.faults.seconds(rule.action) for _ in range(100)]
    assert min(spread) >= 0.8
    assert max(spread) <= 1.2
    assert max(spread) - min(spread) > 0.1


def test_a_held_frame_waits_until_it_is_released():
    world = World()
    world.holds.add(hold(is_word("x"), scope="x"))
    world.lane.feed(b"x\ny\n")
    assert world.passed == []
    (held,) = world.holds.held
    world.clock.advance(1000)
    assert world.passed == []
    assert world.holds.release(held)
    assert world.passed == [b"x\n", b"y\n"]
    kinds = [type(event) for event in world.events]
    assert kinds == [FrameHeld, HeldFrameLeft]


def test_a_held_frame_that_is_dropped_never_passes():
    world = World()
    world.holds.add(hold(is_word("x"), scope="x"))
    world.lane.feed(b"x\ny\n")
    world.holds.drop(1)
    assert world.passed == [b"y\n"]


def test_releasing_out_of_order_keeps_the_order_of_frames():
    world = World()
    world.holds.add(hold(is_word("x"), scope="x"))
    world.lane.feed(b"x 1\nx 2\n")
    world.holds.release(2)
    assert world.passed == []
    world.holds.release(1)
    assert world.passed == [b"x 1\n", b"x 2\n"]


@pytest.mark.parametrize(
    ("fed", "behind", "at_once", "after_one_more"),
    [
        (b"x\na\nb\n", 1, b"a\nx\nb\n", b"c\n"),
        (b"x\na\nb\n", 2, b"a\nb\nx\n", b"c\n"),
        (b"x\na\nb\n", 3, b"a\nb\n", b"c\nx\n"),
        (b"x\n", 1, b"", b"c\nx\n"),
    ],
)
def test_a_held_frame_moves_behind_the_next_ones(fed, behind, at_once, after_one_more):
    world = World()
    world.holds.add(hold(is_word("x"), scope="x"))
    world.lane.feed(fed)
    assert world.holds.release(1, Release(behind=behind))
    assert b"".join(world.passed) == at_once
    world.lane.feed(b"c\n")
    assert b"".join(world.passed) == at_once + after_one_more
    assert world.lane.idle
    assert world.lane.queue.size == 0


def test_a_held_frame_that_nothing_follows_goes_on_alone():
    world = World()
    world.holds.add(hold(is_word("x"), scope="x"))
    world.lane.feed(b"x\n")
    world.holds.release(1, Release(behind=2, wait=3.0))
    world.clock.advance(2.9)
    assert (world.passed, world.lane.idle) == ([], False)
    world.clock.advance(0.1)
    assert world.passed == [b"x\n"]


def test_a_held_frame_moves_behind_one_that_is_held_too():
    world = World()
    world.holds.add(hold(is_word("x"), scope="x"))
    world.lane.feed(b"x 1\nx 2\n")
    world.holds.release(1, Release(behind=1))
    assert world.passed == []
    world.holds.release(2)
    assert world.passed == [b"x 2\n", b"x 1\n"]


def test_a_held_frame_goes_on_later_and_what_follows_waits_for_it():
    world = World()
    world.holds.add(hold(is_word("x"), scope="x"))
    world.lane.feed(b"x\ny\n")
    world.holds.release(1, Release(delay=2.0))
    assert world.holds.held == {}
    world.clock.advance(1.9)
    assert world.passed == []
    world.clock.advance(0.1)
    assert world.passed == [b"x\n", b"y\n"]
    assert HeldFrameLeft("lines", 1, "released in 2 s") in world.events


def test_a_hold_that_lasts_for_a_while_lets_all_go_at_its_end():
    world = World()
    rule = world.holds.add(hold(is_word("x"), scope="x", lifetime=10.0))
    world.clock.advance(4)
    world.lane.feed(b"x 1\nx 2\n")
    assert rule.expires == world.clock.now() + 6
    world.clock.advance(6)
    assert world.passed == [b"x 1\n", b"x 2\n"]
    assert not world.holds.active
    assert not world.holds.remove(rule.id)


def test_a_hold_lets_go_by_itself_after_its_timeout():
    world = World()
    world.holds.add(hold(is_word("x"), scope="x", timeout=5))
    world.lane.feed(b"x\n")
    world.clock.advance(5)
    assert world.passed == [b"x\n"]


def test_ending_a_rule_releases_what_it_held():
    world = World()
    rule = world.holds.add(hold(is_word("x"), scope="x"))
    world.lane.feed(b"x\n")
    assert world.holds.remove(rule.id)
    assert world.passed == [b"x\n"]
    assert not world.holds.active


def test_what_is_held_goes_with_its_connection():
    world = World()
    world.holds.add(hold(is_word("x"), scope="x"))
    world.lane.feed(b"x\n")
    world.lane.end()
    assert world.holds.held == {}
    assert HeldFrameLeft("lines", 1, "gone with its connection") in world.events


def test_a_hold_leaves_the_answer_alone_whose_request_a_fault_took():
    world = World()
    exchanges = Exchanges()
    there = lane(
        IN, world.connection, world.peer, world.environment, world.passed.append, exchanges
    )
    back = lane(
        OUT, world.connection, world.peer, world.environment, world.passed.append, exchanges
    )
    world.connection.rows = lambda direction, frame: [Row("lines", direction, "x", correlation=1)]
    world.faults.add(fault(Delay(1.0), times=1))
    world.holds.add(hold())
    there.feed(b"x\n")
    back.feed(b"x\n")
    assert world.holds.held == {}
    assert world.passed == [b"x\n"]


def shout(changes: list[bytes]) -> Edit:
    return Edit(lambda: Changes(payload=changes.pop(0)))


def test_a_hold_that_edits_lets_the_changed_frame_go_in_its_turn():
    world = World()
    world.holds.add(hold(is_word("x"), decision=shout([b"one", b"two"])))
    world.lane.feed(b"x\ny\nx\n")
    assert world.passed == [b"one\n", b"y\n", b"two\n"]
    assert world.holds.held == {}
    assert [type(event) for event in world.events][:3] == [
        FrameHeld,
        HeldFrameEdited,
        HeldFrameLeft,
    ]


@pytest.mark.parametrize(
    ("changes", "passed"),
    [
        (Changes(fields={"word": "set"}), b"set\n"),
        (Changes(payload=b"new", fields={"word": "over"}), b"over\n"),
        (Changes(payload=b"two\nlines", fields={"word": "never"}), None),
        (Changes(payload=b"never", fields={"colour": "blue"}), None),
    ],
)
def test_fields_of_a_held_frame_are_set_behind_its_message_or_nothing_is_changed(changes, passed):
    world = World()
    world.holds.add(hold(is_word("x")))
    world.lane.feed(b"x\n")
    if passed is None:
        with pytest.raises(InvalidInput):
            world.holds.edit(1, changes)
    else:
        world.holds.edit(1, changes)
    world.holds.release(1)
    assert world.passed == [passed or b"x\n"]


def test_a_hold_that_refuses_answers_only_what_a_client_sends():
    world, outward = World(), World(OUT)
    for each in (world, outward):
        each.holds.add(hold(is_word("x"), decision=Refuse("NO", {"lines": 7}, "full")))
        each.holds.add(hold(is_word("x"), decision=Refuse("NO", {"others": 9})))
        each.lane.feed(b"x\ny\n")
    assert (world.passed, world.connection.out) == ([b"y\n"], [b"no 7 full\n"])
    assert outward.passed == [b"x\n", b"y\n"]


def test_a_hold_that_decides_gives_a_person_its_timeout_first():
    world = World()
    world.holds.add(hold(is_word("x"), decision=shout([b"late", b"never"]), timeout=5.0))
    world.lane.feed(b"x\n")
    world.clock.advance(4.9)
    assert world.passed == []
    world.clock.advance(0.1)
    assert world.passed == [b"late\n"]
    world.lane.feed(b"x\n")
    world.holds.drop(2)
    world.clock.advance(5.0)
    assert world.passed == [b"late\n"]


def test_a_hold_that_cannot_edit_lets_the_frame_go_and_says_so():
    world = World()
    world.holds.add(hold(is_word("x"), decision=shout([b"two\nlines"]), name="twice"))
    world.lane.feed(b"x\n")
    assert world.passed == [b"x\n"]
    [warned] = [event for event in world.events if isinstance(event, Warned)]
    assert warned == Warned(
        "lines", "hold twice", "h1 goes on unchanged: a line's payload is one line"
    )


def test_held_frames_are_bounded():
    world = World(limits=Limits(held_frames=1))
    world.holds.add(hold(is_word("x"), scope="x"))
    other = lane(IN, world.connection, world.peer, world.environment, world.passed.append)
    world.lane.feed(b"x 1\n")
    other.feed(b"x 2\n")
    assert world.passed == [b"x 2\n"]
    assert any(isinstance(event, LimitReached) for event in world.events)


def test_too_many_delayed_bytes_stop_the_peer_from_being_read():
    world = World(limits=Limits(delayed_bytes=100))
    world.faults.add(fault(Delay(1.0), is_word("slow"), scope="slow"))
    world.lane.feed(b"slow " + b"x" * 200 + b"\n")
    assert world.peer.paused == 1
    assert world.lane.queue.size > 200
    assert {view.name for view in world.environment.usage.views() if view.met} == {"delayed_bytes"}
    world.clock.advance(1.0)
    assert world.peer.paused == 0


def test_too_many_delayed_bytes_outward_hold_the_connection_back():
    world = World(OUT, limits=Limits(delayed_bytes=100))
    world.faults.add(fault(Delay(1.0), is_word("slow", OUT), scope="slow"))
    world.lane.feed(b"slow " + b"x" * 200 + b"\n")
    assert world.connection.writable == [False]
    world.clock.advance(1.0)
    assert world.connection.writable == [False, True]


def test_bytes_that_make_no_frame_go_on_for_the_connection_to_judge():
    world = World()
    world.lane.feed(b"good\nbad\0\n")
    assert world.passed == [b"good\nbad\0\n"]


def test_the_first_rule_that_fires_wins():
    world = World()
    first = world.faults.add(fault(matches=is_word("x"), scope="x"))
    second = world.faults.add(fault(Delay(1), is_word("x"), scope="x"))
    world.lane.feed(b"x\n")
    assert (first.hits, second.hits) == (1, 0)


def test_clear_removes_all_rules():
    world = World()
    world.faults.add(fault(matches=is_word("x"), scope="x"))
    world.faults.add(fault(matches=is_word("y"), scope="y"))
    assert world.faults.clear() == 2
    assert not world.faults.active


def test_a_rule_can_be_switched_off_and_on():
    world = World()
    rule = world.faults.add(fault(matches=is_word("x"), scope="x"))
    assert world.faults.enable(rule.id, False)
    assert not world.faults.active
    world.lane.feed(b"x\n")
    assert world.faults.enable(rule.id, True)
    world.lane.feed(b"x\n")
    assert world.passed == [b"x\n"]
    assert not world.faults.enable(99, True)


def test_random_is_not_asked_when_a_rule_always_fires():
    world = World()
    state = Random(1).getstate()
    world.faults._random = random = Random(1)
    world.faults.add(fault(matches=is_word("x"), scope="x"))
    world.lane.feed(b"x\n")
    assert random.getstate() == state
