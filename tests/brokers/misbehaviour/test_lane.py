"""Faults and holds on a connection without sockets."""

from random import Random

import pytest
from mockforge_brokers.errors import InvalidInput, ProtocolError
from mockforge_brokers.events import (
    FaultFired,
    FrameHeld,
    HeldFrameEdited,
    HeldFrameLeft,
    LimitReached,
    Warned,
    mark_of,
)
from mockforge_brokers.journal import IN, OUT, Row
from mockforge_brokers.limits import Limits
from mockforge_brokers.misbehaviour.actions import (
    Blackhole,
    Corrupt,
    Delay,
    Disconnect,
    Drop,
    Inject,
    Refuse,
    SetFields,
    Truncate,
    Watch,
)
from mockforge_brokers.misbehaviour.decisions import Changes, Edit, Release
from mockforge_brokers.misbehaviour.exchanges import Exchanges

from ..lines import is_word
from ..misbehaving import fault, hold, lane
from .scene import Scene


def test_frames_pass_at_once_and_whole():
    scene = Scene()
    scene.lane.feed(b"one\ntw")
    assert scene.passed == [b"one\n"]
    assert scene.lane.pending == 2
    scene.lane.feed(b"o\n")
    assert scene.passed == [b"one\n", b"two\n"]


def test_what_goes_in_instead_of_what_a_client_sent_is_told():
    scene, told = Scene(), []
    scene.faults.changed = lambda *rows: told.append([[row.frame for row in each] for each in rows])
    for action, word in ((Corrupt("body"), "odd"), (Truncate(), "cut"), (Watch(), "same")):
        scene.faults.add(fault(action, is_word(word), scope=word))
    scene.holds.add(hold(is_word("held"), scope="held"))
    scene.lane.feed(b"odd\n")
    scene.lane.feed(b"cut\nsame\n")
    # What is cut off is made up for by what comes behind it.
    assert told == [[[b"odd\n"], [scene.passed[0]]], [[b"cut\n"], []]]
    assert scene.passed[0] != b"odd\n"
    scene.lane.feed(b"held\n")
    scene.holds.edit(1, Changes(fields={"word": "other"}))
    assert told[2:] == [[[b"held\n"], [b"other\n"]]]


def test_a_delayed_frame_makes_those_behind_it_wait():
    scene = Scene()
    scene.faults.add(fault(Delay(0.25), is_word("slow"), scope="slow"))
    scene.lane.feed(b"slow\nquick\n")
    assert scene.passed == []
    scene.clock.advance(0.25)
    assert scene.passed == [b"slow\n", b"quick\n"]


def test_delays_of_frames_that_come_together_run_side_by_side():
    scene = Scene()
    scene.faults.add(fault(Delay(1.0), is_word("slow"), scope="slow"))
    scene.lane.feed(b"slow 1\nslow 2\n")
    scene.clock.advance(1.0)
    assert scene.passed == [b"slow 1\n", b"slow 2\n"]


def test_a_dropped_frame_vanishes_and_the_rule_counts_it():
    scene = Scene()
    rule = scene.faults.add(fault(matches=is_word("x"), scope="x"))
    scene.lane.feed(b"x\ny\nx\n")
    assert scene.passed == [b"y\n"]
    assert rule.hits == 2
    assert FaultFired("lines", rule.id, "drop", 1, "?", "x", mark_of(b"x\n")) in scene.events


@pytest.mark.parametrize(
    "action", [Drop(), Blackhole(), Inject("0xff", instead=True), Truncate(0)], ids=str
)
def test_a_fault_tells_of_no_frame_where_none_goes_out(action):
    """It is in no journal: the next one like it, which goes, is not the one that was hit."""
    scene = Scene(OUT)
    scene.faults.add(fault(action, is_word("x", OUT), scope="x"))
    scene.lane.feed(b"x\n")
    [fired] = [event for event in scene.events if isinstance(event, FaultFired)]
    assert (fired.frame, fired.direction) == (0, OUT)


def test_disconnect_comes_before_the_effect_unless_told():
    scene = Scene()
    scene.faults.add(fault(Disconnect(), is_word("x"), scope="x"))
    scene.lane.feed(b"x\ny\n")
    assert scene.passed == []
    assert scene.peer.ended == "closed"
    assert "fault 1 disconnects x" in scene.peer.reason


def test_disconnect_after_the_effect_resets_when_told():
    scene = Scene()
    scene.faults.add(fault(Disconnect(reset=True, after=True), is_word("x"), scope="x"))
    scene.lane.feed(b"x\ny\n")
    assert scene.passed == [b"x\n"]
    assert scene.peer.ended == "reset"


def test_a_rule_for_the_other_direction_does_not_fire():
    scene = Scene(OUT)
    scene.faults.add(fault(matches=is_word("x", OUT), scope="x", direction=IN))
    scene.lane.feed(b"x\n")
    assert scene.passed == [b"x\n"]


@pytest.mark.parametrize(
    ("trigger", "fired"),
    [
        ({}, "11111"),
        ({"times": 2}, "11000"),
        ({"first": 2}, "00111"),
        ({"every": 2}, "10101"),
        ({"first": 1, "every": 3, "times": 1}, "01000"),
    ],
)
def test_triggers(trigger, fired):
    scene = Scene()
    scene.faults.add(fault(matches=is_word("x"), scope="x", **trigger))
    shown = ""
    for _ in range(5):
        before = len(scene.passed)
        scene.lane.feed(b"x\n")
        shown += "0" if len(scene.passed) > before else "1"
    assert shown == fired


def test_the_dice_are_seeded():
    def run() -> list[bytes]:
        scene = Scene()
        scene.faults.add(fault(matches=is_word("x"), scope="x", probability=0.5))
        for number in range(50):
            scene.lane.feed(b"x %d\n" % number)
        return scene.passed

    assert run() == run()
    assert 10 < len(run()) < 40


def test_a_rule_with_a_lifetime_leaves_by_itself():
    scene = Scene()
    scene.faults.add(fault(matches=is_word("x"), scope="x", lifetime=10))
    assert scene.faults.active
    scene.clock.advance(10)
    assert not scene.faults.active


def test_a_negative_delay_is_refused():
    with pytest.raises(InvalidInput, match="0 or more"):
        fault(Delay(-1), is_word("x"), scope="x")


def test_jitter_stays_around_the_delay():
    scene = Scene()
    rule = fault(Delay(1.0, 0.2), is_word("x"), scope="x")
    spread = [scene.faults.seconds(rule.action) for _ in range(100)]
    assert min(spread) >= 0.8
    assert max(spread) <= 1.2
    assert max(spread) - min(spread) > 0.1


def test_a_held_frame_waits_until_it_is_released():
    scene = Scene()
    scene.holds.add(hold(is_word("x"), scope="x"))
    scene.lane.feed(b"x\ny\n")
    assert scene.passed == []
    (held,) = scene.holds.held
    scene.clock.advance(1000)
    assert scene.passed == []
    assert scene.holds.release(held)
    assert scene.passed == [b"x\n", b"y\n"]
    kinds = [type(event) for event in scene.events]
    assert kinds == [FrameHeld, HeldFrameLeft]


def test_a_held_frame_that_is_dropped_never_passes():
    scene = Scene()
    scene.holds.add(hold(is_word("x"), scope="x"))
    scene.lane.feed(b"x\ny\n")
    scene.holds.drop(1)
    assert scene.passed == [b"y\n"]


def test_releasing_out_of_order_keeps_the_order_of_frames():
    scene = Scene()
    scene.holds.add(hold(is_word("x"), scope="x"))
    scene.lane.feed(b"x 1\nx 2\n")
    scene.holds.release(2)
    assert scene.passed == []
    scene.holds.release(1)
    assert scene.passed == [b"x 1\n", b"x 2\n"]


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
    scene = Scene()
    scene.holds.add(hold(is_word("x"), scope="x"))
    scene.lane.feed(fed)
    assert scene.holds.release(1, Release(behind=behind))
    assert b"".join(scene.passed) == at_once
    scene.lane.feed(b"c\n")
    assert b"".join(scene.passed) == at_once + after_one_more
    assert scene.lane.idle
    assert scene.lane.queue.size == 0


def test_a_held_frame_that_nothing_follows_goes_on_alone():
    scene = Scene()
    scene.holds.add(hold(is_word("x"), scope="x"))
    scene.lane.feed(b"x\n")
    scene.holds.release(1, Release(behind=2, wait=3.0))
    scene.clock.advance(2.9)
    assert (scene.passed, scene.lane.idle) == ([], False)
    scene.clock.advance(0.1)
    assert scene.passed == [b"x\n"]


def test_a_held_frame_moves_behind_one_that_is_held_too():
    scene = Scene()
    scene.holds.add(hold(is_word("x"), scope="x"))
    scene.lane.feed(b"x 1\nx 2\n")
    scene.holds.release(1, Release(behind=1))
    assert scene.passed == []
    scene.holds.release(2)
    assert scene.passed == [b"x 2\n", b"x 1\n"]


def test_a_held_frame_goes_on_later_and_what_follows_waits_for_it():
    scene = Scene()
    scene.holds.add(hold(is_word("x"), scope="x"))
    scene.lane.feed(b"x\ny\n")
    scene.holds.release(1, Release(delay=2.0))
    assert scene.holds.held == {}
    scene.clock.advance(1.9)
    assert scene.passed == []
    scene.clock.advance(0.1)
    assert scene.passed == [b"x\n", b"y\n"]
    assert HeldFrameLeft("lines", 1, "released in 2 s") in scene.events


def test_a_hold_that_lasts_for_a_while_lets_all_go_at_its_end():
    scene = Scene()
    rule = scene.holds.add(hold(is_word("x"), scope="x", lifetime=10.0))
    scene.clock.advance(4)
    scene.lane.feed(b"x 1\nx 2\n")
    assert rule.expires == scene.clock.now() + 6
    scene.clock.advance(6)
    assert scene.passed == [b"x 1\n", b"x 2\n"]
    assert not scene.holds.active
    assert not scene.holds.remove(rule.id)


def test_a_hold_lets_go_by_itself_after_its_timeout():
    scene = Scene()
    scene.holds.add(hold(is_word("x"), scope="x", timeout=5))
    scene.lane.feed(b"x\n")
    scene.clock.advance(5)
    assert scene.passed == [b"x\n"]


def test_ending_a_rule_releases_what_it_held():
    scene = Scene()
    rule = scene.holds.add(hold(is_word("x"), scope="x"))
    scene.lane.feed(b"x\n")
    assert scene.holds.remove(rule.id)
    assert scene.passed == [b"x\n"]
    assert not scene.holds.active


def test_what_is_held_goes_with_its_connection():
    scene = Scene()
    scene.holds.add(hold(is_word("x"), scope="x"))
    scene.lane.feed(b"x\n")
    scene.lane.end()
    assert scene.holds.held == {}
    assert HeldFrameLeft("lines", 1, "gone with its connection") in scene.events


def test_a_hold_leaves_the_answer_alone_whose_request_a_fault_took():
    scene = Scene()
    exchanges = Exchanges()
    there = lane(
        IN, scene.connection, scene.peer, scene.environment, scene.passed.append, exchanges
    )
    back = lane(
        OUT, scene.connection, scene.peer, scene.environment, scene.passed.append, exchanges
    )
    scene.connection.rows = lambda direction, frame: [Row("lines", direction, "x", correlation=1)]
    scene.faults.add(fault(Delay(1.0), times=1))
    scene.holds.add(hold())
    there.feed(b"x\n")
    back.feed(b"x\n")
    assert scene.holds.held == {}
    assert scene.passed == [b"x\n"]


def shout(changes: list[bytes]) -> Edit:
    return Edit(lambda: Changes(payload=changes.pop(0)))


def test_a_hold_that_edits_lets_the_changed_frame_go_in_its_turn():
    scene = Scene()
    scene.holds.add(hold(is_word("x"), decision=shout([b"one", b"two"])))
    scene.lane.feed(b"x\ny\nx\n")
    assert scene.passed == [b"one\n", b"y\n", b"two\n"]
    assert scene.holds.held == {}
    assert [type(event) for event in scene.events][:3] == [
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
    scene = Scene()
    scene.holds.add(hold(is_word("x")))
    scene.lane.feed(b"x\n")
    if passed is None:
        with pytest.raises(InvalidInput):
            scene.holds.edit(1, changes)
    else:
        scene.holds.edit(1, changes)
    scene.holds.release(1)
    assert scene.passed == [passed or b"x\n"]


def test_a_hold_that_refuses_answers_only_what_a_client_sends():
    scene, outward = Scene(), Scene(OUT)
    for each in (scene, outward):
        each.holds.add(hold(is_word("x"), decision=Refuse("NO", {"lines": 7}, "full")))
        each.holds.add(hold(is_word("x"), decision=Refuse("NO", {"others": 9})))
        each.lane.feed(b"x\ny\n")
    assert (scene.passed, scene.connection.out) == ([b"y\n"], [b"no 7 full\n"])
    assert outward.passed == [b"x\n", b"y\n"]


def test_a_hold_that_decides_gives_a_person_its_timeout_first():
    scene = Scene()
    scene.holds.add(hold(is_word("x"), decision=shout([b"late", b"never"]), timeout=5.0))
    scene.lane.feed(b"x\n")
    scene.clock.advance(4.9)
    assert scene.passed == []
    scene.clock.advance(0.1)
    assert scene.passed == [b"late\n"]
    scene.lane.feed(b"x\n")
    scene.holds.drop(2)
    scene.clock.advance(5.0)
    assert scene.passed == [b"late\n"]


def test_a_hold_that_cannot_edit_lets_the_frame_go_and_says_so():
    scene = Scene()
    scene.holds.add(hold(is_word("x"), decision=shout([b"two\nlines"]), name="twice"))
    scene.lane.feed(b"x\n")
    assert scene.passed == [b"x\n"]
    [warned] = [event for event in scene.events if isinstance(event, Warned)]
    assert warned == Warned(
        "lines", "hold twice", "h1 goes on unchanged: a line's payload is one line"
    )


def test_held_frames_are_bounded():
    scene = Scene(limits=Limits(held_frames=1))
    scene.holds.add(hold(is_word("x"), scope="x"))
    other = lane(IN, scene.connection, scene.peer, scene.environment, scene.passed.append)
    scene.lane.feed(b"x 1\n")
    other.feed(b"x 2\n")
    assert scene.passed == [b"x 2\n"]
    assert any(isinstance(event, LimitReached) for event in scene.events)


def test_too_many_delayed_bytes_stop_the_peer_from_being_read():
    scene = Scene(limits=Limits(delayed_bytes=100))
    scene.faults.add(fault(Delay(1.0), is_word("slow"), scope="slow"))
    scene.lane.feed(b"slow " + b"x" * 200 + b"\n")
    assert scene.peer.paused == 1
    assert scene.lane.queue.size > 200
    assert {view.name for view in scene.environment.usage.views() if view.met} == {"delayed_bytes"}
    scene.clock.advance(1.0)
    assert scene.peer.paused == 0


def test_too_many_delayed_bytes_outward_hold_the_connection_back():
    scene = Scene(OUT, limits=Limits(delayed_bytes=100))
    scene.faults.add(fault(Delay(1.0), is_word("slow", OUT), scope="slow"))
    scene.lane.feed(b"slow " + b"x" * 200 + b"\n")
    assert scene.connection.writable == [False]
    scene.clock.advance(1.0)
    assert scene.connection.writable == [False, True]


def test_bytes_that_make_no_frame_go_on_for_the_connection_to_judge():
    scene = Scene()
    scene.lane.feed(b"good\nbad\0\n")
    assert scene.passed == [b"good\nbad\0\n"]


def test_the_first_rule_that_fires_wins():
    scene = Scene()
    first = scene.faults.add(fault(matches=is_word("x"), scope="x"))
    second = scene.faults.add(fault(Delay(1), is_word("x"), scope="x"))
    scene.lane.feed(b"x\n")
    assert (first.hits, second.hits) == (1, 0)


def test_clear_removes_all_rules():
    scene = Scene()
    scene.faults.add(fault(matches=is_word("x"), scope="x"))
    scene.faults.add(fault(matches=is_word("y"), scope="y"))
    assert scene.faults.clear() == 2
    assert not scene.faults.active


def test_a_rule_can_be_switched_off_and_on():
    scene = Scene()
    rule = scene.faults.add(fault(matches=is_word("x"), scope="x"))
    assert scene.faults.enable(rule.id, False)
    assert not scene.faults.active
    scene.lane.feed(b"x\n")
    assert scene.faults.enable(rule.id, True)
    scene.lane.feed(b"x\n")
    assert scene.passed == [b"x\n"]
    assert not scene.faults.enable(99, True)


def test_random_is_not_asked_when_a_rule_always_fires():
    scene = Scene()
    state = Random(1).getstate()
    scene.faults._random = random = Random(1)
    scene.faults.add(fault(matches=is_word("x"), scope="x"))
    scene.lane.feed(b"x\n")
    assert random.getstate() == state


def test_a_hold_leaves_the_answer_alone_whose_request_another_hold_took():
    scene = Scene()
    exchanges = Exchanges()
    request, answer = (Row("lines", way, "x", correlation=1) for way in (IN, OUT))
    first, _ = scene.holds.add(hold()), scene.holds.add(hold())
    assert scene.holds.ask([request], exchanges.of(request)) is first
    assert scene.holds.ask([answer], exchanges.of(answer)) is None


def test_a_frame_whose_fields_cannot_be_read_goes_on_for_its_connection_to_judge():
    scene = Scene()

    def unreadable(direction, frame, values):
        raise ProtocolError("a field beyond its end")

    scene.connection.set_fields = unreadable
    scene.faults.add(fault(SetFields({"word": "y"})))
    scene.lane.feed(b"x\n")
    assert scene.passed == [b"x\n"]
    assert Warned("lines", "fault 1", "x goes on unchanged: a field beyond its end") in scene.events


def test_a_field_of_a_held_frame_is_known_by_its_name_with_hyphens_too():
    scene = Scene()
    asked = []
    scene.connection.set_fields = lambda direction, frame, values: asked.append(values) or frame
    scene.holds.add(hold())
    scene.lane.feed(b"x\n")
    scene.holds.edit(1, Changes(fields={"frame-max": "1", "word": "y"}))
    assert asked == [{"frame_max": "1", "word": "y"}]
