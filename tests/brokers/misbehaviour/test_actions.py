"""What each action does to the frames of a connection without sockets."""

from random import Random
from statistics import median
from typing import Any

import pytest
from mockforge_brokers.errors import InvalidInput
from mockforge_brokers.events import FaultFired, Warned
from mockforge_brokers.journal import IN, OUT, Row
from mockforge_brokers.limits import Limits
from mockforge_brokers.misbehaviour.actions import (
    Blackhole,
    Block,
    Corrupt,
    Delay,
    Disconnect,
    Duplicate,
    Inject,
    Join,
    Reorder,
    SetFields,
    Slice,
    Throttle,
    Truncate,
    Watch,
)
from mockforge_brokers.misbehaviour.damage import damaged
from mockforge_brokers.misbehaviour.exchanges import Exchanges
from mockforge_brokers.misbehaviour.lane import Lane

from ..lines import is_word
from ..misbehaving import fault, lane
from .scene import Scene


def test_bytes_a_second_make_each_frame_wait_for_those_before_it() -> None:
    scene = Scene()
    scene.faults.add(fault(Throttle(bytes=10)))
    scene.lane.feed(b"1234\n1234\n")
    assert scene.passed == []
    scene.clock.advance(0.5)
    assert scene.passed == [b"1234\n"]
    scene.clock.advance(0.5)
    assert scene.passed == [b"1234\n", b"1234\n"]


def test_a_throttled_line_that_rested_does_not_catch_up() -> None:
    scene = Scene()
    scene.faults.add(fault(Throttle(messages=1)))
    for _ in range(2):
        scene.lane.feed(b"x\n")
        scene.clock.advance(0.9)
        assert scene.passed == []
        scene.clock.advance(0.1)
        assert scene.passed.pop() == b"x\n"
        scene.clock.advance(10)


def test_the_slower_of_two_rates_counts_and_none_is_refused() -> None:
    scene = Scene()
    scene.faults.add(fault(Throttle(bytes=1000, messages=2)))
    scene.lane.feed(b"x\n")
    scene.clock.advance(0.5)
    assert scene.passed == [b"x\n"]
    for rates in ({}, {"bytes": 0}, {"messages": 0.0}):
        with pytest.raises(InvalidInput):
            Throttle(**rates)


def test_a_log_normal_delay_has_its_median_and_a_long_tail() -> None:
    scene = Scene()
    found = [scene.faults.seconds(Delay(0.1, 0.1, log_normal=True)) for _ in range(2_000)]
    assert 0.09 < median(found) < 0.11
    later = sum(each > 0.2 for each in found) / len(found)
    assert 0.13 < later < 0.19
    assert max(found) > 0.5
    with pytest.raises(InvalidInput):
        Delay(0.1, log_normal=True)


@pytest.mark.parametrize(("reset", "ended"), [(False, "closed"), (True, "reset")])
def test_a_disconnect_in_the_midst_of_a_frame_sends_half_of_it(reset: bool, ended: str) -> None:
    scene = Scene(OUT)
    scene.faults.add(fault(Disconnect(reset=reset, mid=True), is_word("abcdefg", OUT)))
    scene.lane.feed(b"x\nabcdefg\ny\n")
    assert scene.passed == [b"x\n", b"abcd"]
    assert scene.peer.ended == ended


def test_a_black_hole_lets_nothing_pass_until_its_rule_ends_with_a_reset() -> None:
    scene = Scene()
    rule = scene.faults.add(fault(Blackhole(), is_word("x"), times=1))
    scene.lane.feed(b"a\nx\nb\n")
    scene.lane.feed(b"c\n")
    scene.clock.advance(1_000)
    assert scene.passed == [b"a\n"]
    assert scene.peer.ended == ""
    assert not scene.lane.idle
    scene.faults.remove(rule.id)
    assert scene.peer.ended == "reset"
    assert scene.peer.reason == "the black hole of fault 1 ended"


def test_a_black_hole_of_a_duration_ends_by_itself() -> None:
    scene = Scene()
    scene.faults.add(fault(Blackhole(30.0), is_word("x")))
    scene.lane.feed(b"x\n")
    scene.clock.advance(29.9)
    assert scene.peer.ended == ""
    scene.clock.advance(0.1)
    assert scene.peer.ended == "reset"


@pytest.mark.parametrize(("direction", "dark"), [(None, {IN, OUT}), (IN, {IN}), (OUT, {OUT})])
def test_a_black_hole_swallows_both_ways_or_one(direction: int | None, dark: set[int]) -> None:
    scene = Scene()
    exchanges = Exchanges()
    passed: dict[int, list[bytes]] = {IN: [], OUT: []}
    lanes = {
        way: lane(
            way, scene.connection, scene.peer, scene.environment, passed[way].append, exchanges
        )
        for way in (IN, OUT)
    }
    scene.faults.add(fault(Blackhole(), is_word("x", direction or IN), direction=direction))
    lanes[direction or IN].feed(b"x\n")
    for way in (IN, OUT):
        lanes[way].feed(b"y\n")
    assert {way for way in (IN, OUT) if not passed[way]} == dark


def test_what_a_gone_connection_swallowed_is_no_concern_of_its_rule() -> None:
    scene = Scene()
    exchanges = Exchanges()
    inward = lane(
        IN, scene.connection, scene.peer, scene.environment, scene.passed.append, exchanges
    )
    rule = scene.faults.add(fault(Blackhole(10.0), is_word("x")))
    inward.feed(b"x\n")
    inward.end()
    exchanges.lighten()
    assert rule.effects == {}
    scene.clock.advance(10)
    assert scene.peer.ended == ""


def test_a_frame_is_repeated_behind_itself() -> None:
    scene = Scene(OUT)
    scene.faults.add(fault(Duplicate(copies=2), is_word("x", OUT), times=1))
    scene.lane.feed(b"x\ny\n")
    assert scene.passed == [b"x\n", b"x\n", b"x\n", b"y\n"]


def test_what_a_rule_cannot_do_is_said_once_however_often_it_fires() -> None:
    scene = Scene()
    rules = [scene.faults.add(fault(SetFields({"qos": "1"}), is_word(word))) for word in "xy"]
    scene.lane.feed(b"x\nx\ny\nx\n")
    assert [rule.hits for rule in rules] == [3, 1]
    said = [event.about for event in scene.events if isinstance(event, Warned)]
    assert said == ["fault 1", "fault 2"]


@pytest.mark.parametrize(("size", "times"), [(2, 1_000), (100, 20), (5_000, 1)])
def test_a_large_frame_is_repeated_less_often_and_that_is_said(
    monkeypatch: pytest.MonkeyPatch, size: int, times: int
) -> None:
    monkeypatch.setattr("mockforge_brokers.misbehaviour.effects._MOST_REPEATED", 2_000)
    scene = Scene(OUT)
    scene.faults.add(fault(Duplicate(copies=1_000), scope="x"))
    scene.lane.feed(b"x" * (size - 1) + b"\n")
    assert len(scene.passed) == 1 + times
    said = [event.text for event in scene.events if isinstance(event, Warned)]
    assert len(said) == (times < 1_000)
    assert all(f"of {size:,} bytes is repeated {times:,} times only" in text for text in said)


def test_a_repeated_request_has_its_effect_twice_and_one_answer() -> None:
    scene = Scene()
    exchanges = Exchanges()
    scene.connection.rows = lambda way, frame: [Row("lines", way, "x", correlation=1)]
    arrived: list[bytes] = []
    scene.connection.receive = arrived.append
    there, back = (
        lane(way, scene.connection, scene.peer, scene.environment, scene.passed.append, exchanges)
        for way in (IN, OUT)
    )
    scene.faults.add(fault(Duplicate(), direction=IN))
    there.feed(b"x\n")
    assert (scene.passed, arrived) == ([b"x\n"], [b"x\n"])
    assert not back.idle
    back.feed(b"one\n")
    back.feed(b"two\n")
    assert scene.passed == [b"x\n", b"one\n"]
    assert back.idle
    back.feed(b"three\n")
    assert scene.passed == [b"x\n", b"one\n", b"three\n"]


def test_a_frame_goes_behind_those_that_follow_it() -> None:
    scene = Scene()
    scene.faults.add(fault(Reorder(behind=2), is_word("x")))
    scene.lane.feed(b"x\na\nb\nc\n")
    assert scene.passed == [b"a\n", b"b\n", b"x\n", b"c\n"]


def test_a_frame_that_nothing_follows_goes_on_after_a_while() -> None:
    scene = Scene()
    scene.faults.add(fault(Reorder(wait=2.0), is_word("x")))
    scene.lane.feed(b"x\n")
    idle: list[bool] = []
    scene.lane.when_drained(lambda: idle.append(True))
    assert not scene.lane.idle
    scene.clock.advance(2.0)
    assert scene.passed == [b"x\n"]
    assert idle


def test_a_sliced_frame_goes_on_piece_by_piece_and_the_next_behind_it() -> None:
    scene = Scene()
    scene.faults.add(fault(Slice(2, wait=0.5), is_word("sliced")))
    scene.lane.feed(b"sliced\nnext\n")
    assert scene.passed == [b"sl"]
    scene.clock.advance(0.5)
    assert scene.passed == [b"sl", b"ic"]
    scene.clock.advance(1.0)
    assert scene.passed == [b"sl", b"ic", b"ed", b"\n", b"next\n"]
    assert scene.lane.idle


def test_of_two_sliced_frames_each_piece_has_its_own_time() -> None:
    scene = Scene()
    scene.faults.add(fault(Slice(2, wait=1.0), is_word("xyz")))
    scene.lane.feed(b"xyz\nxyz\n")
    seen = []
    for _ in range(4):
        seen.append(len(scene.passed))
        scene.clock.advance(1.0)
    assert seen == [1, 2, 3, 4]
    assert scene.passed == [b"xy", b"z\n"] * 2


def test_pieces_that_wait_go_on_when_the_rule_ends() -> None:
    scene = Scene()
    rule = scene.faults.add(fault(Slice(1, wait=10.0), is_word("xyz")))
    scene.lane.feed(b"xyz\n")
    scene.faults.remove(rule.id)
    assert scene.passed == [b"x", b"y", b"z", b"\n"]
    assert scene.lane.idle


def test_a_large_frame_has_a_thousand_pieces_at_most() -> None:
    scene = Scene()
    scene.faults.add(fault(Slice(1, wait=0.0)))
    frame = b"x" * 2_500 + b"\n"
    scene.lane.feed(frame)
    assert b"".join(scene.passed) == frame
    assert {len(piece) for piece in scene.passed[:-1]} == {3}


def test_a_piece_has_a_byte_at_least() -> None:
    with pytest.raises(InvalidInput, match="1 byte or more, not 0"):
        Slice(0)


def test_so_many_frames_go_on_in_one_piece_whatever_stands_between_them() -> None:
    scene = Scene()
    scene.faults.add(fault(Join(3, 9.0), is_word("x")))
    scene.lane.feed(b"a\nx\n")
    scene.lane.feed(b"b\n")
    assert scene.passed == [b"a\n"]
    scene.lane.feed(b"x\nc\n")
    assert scene.passed == [b"a\n", b"x\nb\nx\n", b"c\n"]
    assert scene.lane.idle


def test_fewer_go_on_when_the_wait_is_over_or_the_rule_ends() -> None:
    scene = Scene()
    rule = scene.faults.add(fault(Join(10, 2.0), is_word("x")))
    scene.lane.feed(b"x\ny\n")
    scene.clock.advance(1.9)
    assert scene.passed == []
    scene.clock.advance(0.1)
    scene.lane.feed(b"x\nx\n")
    assert scene.passed == [b"x\ny\n"]
    scene.faults.remove(rule.id)
    assert scene.passed == [b"x\ny\n", b"x\nx\n"]


def test_what_is_joined_keeps_its_place_among_what_waits() -> None:
    scene = Scene()
    scene.faults.add(fault(Delay(1.0), is_word("late")))
    scene.faults.add(fault(Reorder(behind=2, wait=9.0), is_word("aside")))
    scene.faults.add(fault(Join(2, 9.0), is_word("x")))
    scene.lane.feed(b"late\nx\nx\nx\naside\nlate\nx\ny\n")
    assert scene.passed == []
    scene.clock.advance(1.0)
    # The frame that is overtaken goes behind two; what is late closes what waits for more.
    assert scene.passed == [b"late\n", b"x\nx\n"]
    scene.clock.advance(8.0)
    assert b"".join(scene.passed) == b"late\nx\nx\nx\nlate\nx\naside\ny\n"


def test_frames_that_wait_to_be_joined_are_bounded() -> None:
    scene = Scene(limits=Limits(delayed_bytes=10))
    scene.faults.add(fault(Join(1_000, 2.0)))
    scene.lane.feed(b"123456\n")
    assert scene.peer.paused == 0
    scene.lane.feed(b"123456\n")
    assert (scene.peer.paused, scene.passed) == (1, [])
    scene.clock.advance(2.0)
    assert (scene.passed, scene.peer.paused) == ([b"123456\n123456\n"], 0)


def test_what_was_put_aside_goes_with_its_connection() -> None:
    scene = Scene()
    scene.faults.add(fault(Reorder(), is_word("x")))
    scene.lane.feed(b"x\n")
    scene.lane.end()
    scene.clock.advance(10)
    assert scene.passed == []


def difference(before: bytes, after: bytes) -> list[int]:
    """The places of the bits that differ."""
    assert len(before) == len(after)
    return [
        place * 8 + bit
        for place, (one, other) in enumerate(zip(before, after, strict=True))
        for bit in range(8)
        if (one ^ other) >> bit & 1
    ]


@pytest.mark.parametrize(
    ("action", "rows", "places"),
    [
        (Corrupt(), [Row("mqtt", IN, "PUBLISH", payload=b"DATA")], range(6, 10)),
        (Corrupt(bits=3), [Row("mqtt", IN, "PUBLISH", payload=b"DATA")], range(6, 10)),
        (Corrupt(), [Row("mqtt", IN, "PINGREQ")], range(2, 10)),
        (Corrupt(), [Row("kafka", IN, "Produce", payload=b"packed away")], range(2, 10)),
        (Corrupt("body"), [Row("mqtt", IN, "PUBLISH", payload=b"DATA")], range(2, 10)),
        (Corrupt("head"), [Row("mqtt", IN, "PUBLISH", payload=b"DATA")], range(1)),
        (Corrupt("head"), [Row("kafka", IN, "Produce")], range(5, 6)),
    ],
)
def test_bits_are_flipped_in_their_part(action: Corrupt, rows: list[Row], places: range) -> None:
    frame = b"0123t/DATA"
    for seed in range(50):
        after = damaged(frame, rows, range(2, 10), action, Random(seed))
        changed = difference(frame, after)
        assert len(changed) == action.bits
        assert {bit // 8 for bit in changed} <= set(places)


def test_the_same_seed_spoils_the_same_bit() -> None:
    row = Row("mqtt", IN, "PUBLISH", payload=b"DATA")
    frames = {damaged(b"0123t/DATA", [row], range(2, 10), Corrupt(), Random(7)) for _ in range(5)}
    assert len(frames) == 1


def test_a_payload_smaller_than_the_bits_is_flipped_whole() -> None:
    row = Row("mqtt", IN, "PUBLISH", payload=b"D")
    after = damaged(b"tD", [row], range(2), Corrupt(bits=100), Random(1))
    assert after == bytes((ord("t"), ord("D") ^ 0xFF))


def test_a_corrupt_frame_takes_its_turn() -> None:
    scene = Scene()
    scene.faults.add(fault(Corrupt("body"), is_word("x")))
    scene.lane.feed(b"x\ny\n")
    assert len(difference(b"x\n", scene.passed[0])) == 1
    assert scene.passed[1] == b"y\n"


@pytest.mark.parametrize(("keep", "left"), [(None, b"012"), (1, b"0"), (0, b""), (99, b"01234")])
def test_the_end_of_a_frame_is_cut_off(keep: int | None, left: bytes) -> None:
    assert damaged(b"012345", [], range(6), Truncate(keep), Random(1)) == left


@pytest.mark.parametrize(
    ("action", "sent"),
    [
        (Inject("endless"), [b"x\n", b"line without end", b"y\n"]),
        (Inject("endless", instead=True), [b"line without end", b"y\n"]),
        (Inject("0x0a00"), [b"x\n", b"\n\0", b"y\n"]),
        # A connection that has no such packet: the frame goes on, and nothing else.
        (Inject("round"), [b"x\n", b"y\n"]),
    ],
)
def test_what_is_injected_goes_behind_the_frame_or_in_its_place(
    action: Inject, sent: list[bytes]
) -> None:
    scene = Scene(OUT)
    scene.faults.add(fault(action, is_word("x", OUT)))
    scene.lane.feed(b"x\ny\n")
    assert scene.passed == sent
    warned = [event.text for event in scene.events if isinstance(event, Warned)]
    told = ["nothing is sent behind x: a line is never round"]
    assert warned == (told if action.packet == "round" else [])


def test_what_is_injected_takes_its_turn_behind_what_waits() -> None:
    scene = Scene(OUT)
    scene.faults.add(fault(Delay(1.0), is_word("late", OUT)))
    scene.faults.add(fault(Inject("0x21"), is_word("x", OUT)))
    scene.lane.feed(b"late\nx\n")
    assert scene.passed == []
    scene.clock.advance(1.0)
    assert scene.passed == [b"late\n", b"x\n", b"!"]


@pytest.mark.parametrize("first", [True, False])
def test_who_only_counts_takes_no_frame_from_another_rule_wherever_it_stands(first: bool) -> None:
    scene = Scene()
    counting = fault(Watch(), is_word("x"), times=2)
    late = fault(Delay(1.0), is_word("x"))
    watch = scene.faults.add(counting) if first else None
    scene.faults.add(late)
    watch = watch or scene.faults.add(counting)
    scene.lane.feed(b"x\nx\nz\nx\n")
    assert (watch.hits, late.hits) == (2, 3)
    assert scene.passed == []
    scene.clock.advance(1.0)
    assert scene.passed == [b"x\n", b"x\n", b"z\n", b"x\n"]


def test_a_frame_that_is_only_counted_goes_on_at_once() -> None:
    scene = Scene()
    watch = scene.faults.add(fault(Watch(), is_word("x")))
    scene.lane.feed(b"x\ny\n")
    assert (scene.passed, watch.hits) == ([b"x\n", b"y\n"], 1)
    assert [event.kind for event in scene.events if isinstance(event, FaultFired)] == ["watch"]


def test_nothing_is_injected_behind_what_comes_from_the_client() -> None:
    scene = Scene()
    rule = scene.faults.add(fault(Inject("0x21"), is_word("x")))
    scene.lane.feed(b"x\n")
    assert (scene.passed, rule.hits) == ([b"x\n"], 0)


@pytest.mark.parametrize("end", ["remove", "clear", "off"])
def test_what_a_rule_delays_goes_on_when_the_rule_ends(end: str) -> None:
    scene = Scene()
    thin = scene.faults.add(fault(Throttle(messages=0.01), is_word("x")))
    late = scene.faults.add(fault(Delay(30.0), is_word("y")))
    scene.lane.feed(b"x\nx\ny\nz\n")
    assert scene.passed == []
    match end:
        case "remove":
            scene.faults.remove(thin.id)
            # Another rule's frame waits on, and what stands behind it.
            assert scene.passed == [b"x\n", b"x\n"]
            scene.faults.remove(late.id)
        case "off":
            scene.faults.enable(late.id, False)
            # In its turn: nothing overtakes.
            assert scene.passed == []
            scene.faults.enable(thin.id, False)
        case _:
            scene.faults.clear()
    assert scene.passed == [b"x\n", b"x\n", b"y\n", b"z\n"]
    assert scene.lane.idle


def test_a_connection_that_ends_leaves_nothing_with_the_rules_that_slowed_it() -> None:
    scene = Scene()
    rule = scene.faults.add(fault(Delay(30.0), is_word("x")))
    scene.lane.feed(b"x\n")
    assert rule.effects
    scene.lane.end()
    assert not rule.effects
    scene.faults.clear()
    assert scene.passed == []


# A connection's beginning.


def opens(row: Row) -> bool:
    return row.operation == "open"


def test_a_connection_is_refused_when_a_rule_names_its_beginning() -> None:
    scene = Scene()
    rule = scene.faults.add(fault(Disconnect(reset=True), opens))
    scene.lane.open()
    assert scene.peer.ended == "reset"
    assert rule.hits == 1


def test_a_slow_beginning_keeps_what_comes_waiting_in_its_order() -> None:
    scene = Scene()
    scene.faults.add(fault(Delay(2.0), opens))
    scene.lane.open()
    scene.lane.feed(b"a\nb\n")
    scene.clock.advance(1.9)
    assert (scene.passed, scene.lane.idle) == ([], False)
    scene.clock.advance(0.1)
    assert (scene.passed, scene.lane.idle) == ([b"a\n", b"b\n"], True)


def test_a_connection_may_be_mute_from_its_beginning() -> None:
    scene = Scene()
    scene.faults.add(fault(Blackhole(), opens))
    scene.lane.open()
    scene.lane.feed(b"hello\n")
    assert scene.passed == []


def test_a_rule_for_everything_is_not_about_the_beginning() -> None:
    scene = Scene()
    rule = scene.faults.add(fault(Disconnect()))
    scene.lane.open()
    assert (scene.peer.ended, rule.seen) == ("", 0)


# A connection's end.


def closes(row: Row) -> bool:
    return row.operation == "close"


@pytest.mark.parametrize("direction", [IN, OUT])
def test_an_end_comes_late_and_behind_what_waits(direction: int) -> None:
    scene = Scene(direction)
    rule = scene.faults.add(fault(Delay(2.0), closes))
    done: list[float] = []
    scene.lane.feed(b"a\n")
    scene.lane.close()
    scene.lane.when_drained(lambda: done.append(scene.clock.now()))
    scene.clock.advance(1.9)
    assert (scene.passed, done, rule.hits) == ([b"a\n"], [], 1)
    scene.clock.advance(0.1)
    assert len(done) == 1


def test_an_end_that_is_late_comes_when_its_rule_ends() -> None:
    scene = Scene(OUT)
    rule = scene.faults.add(fault(Delay(60.0), closes))
    scene.lane.close()
    assert not scene.lane.idle
    scene.faults.remove(rule.id)
    assert scene.lane.idle


def test_only_a_delay_of_this_direction_is_about_the_end() -> None:
    scene = Scene(OUT)
    others = (
        fault(Delay(9.0)),
        fault(Disconnect(), closes),
        fault(Delay(9.0), closes, direction=IN),
    )
    for rule in others:
        scene.faults.add(rule)
    scene.lane.close()
    assert scene.lane.idle
    assert [rule.hits for rule in others] == [0, 0, 0]


# Fields, and connections that are blocked.


def test_a_field_gets_another_value() -> None:
    scene = Scene()
    scene.faults.add(fault(SetFields({"word": "other"}), is_word("x")))
    scene.lane.feed(b"x\ny\n")
    assert scene.passed == [b"other\n", b"y\n"]


def test_a_frame_without_the_field_goes_on_as_it_is_and_that_is_said() -> None:
    scene = Scene()
    scene.faults.add(fault(SetFields({"qos": "1"}), is_word("x")))
    scene.lane.feed(b"x\n")
    assert scene.passed == [b"x\n"]
    text = "x goes on unchanged: a line has no field but its word"
    assert Warned("lines", "fault 1", text) in scene.events


def test_a_blocked_connection_is_not_read_until_the_rule_ends() -> None:
    scene = Scene()
    rule = scene.faults.add(fault(Block(reason="full"), is_word("x"), times=1))
    scene.lane.feed(b"x\ny\n")
    assert (scene.passed, scene.peer.paused) == ([], 1)
    assert scene.connection.out == [b"blocked full\n"]
    scene.faults.remove(rule.id)
    assert (scene.passed, scene.peer.paused) == ([b"x\n", b"y\n"], 0)
    assert scene.connection.out[1:] == [b"blocked None\n"]


def test_a_block_of_a_duration_ends_by_itself_and_only_once() -> None:
    scene = Scene()
    rule = scene.faults.add(fault(Block(5.0), is_word("x"), times=1))
    scene.lane.feed(b"x\n")
    scene.clock.advance(5.0)
    assert (scene.passed, scene.peer.paused) == ([b"x\n"], 0)
    scene.faults.remove(rule.id)
    assert scene.peer.paused == 0


def test_a_blocked_connection_may_go_away() -> None:
    scene = Scene()
    rule = scene.faults.add(fault(Block(5.0), is_word("x"), times=1))
    scene.lane.feed(b"x\n")
    scene.lane.end()
    assert rule.effects == {}
    scene.clock.advance(5.0)
    scene.faults.remove(rule.id)
    assert scene.passed == []


def test_what_came_in_one_read_is_blocked_and_unblocked_with_one_word_each() -> None:
    scene = Scene()
    rule = scene.faults.add(fault(Block(reason="full"), is_word("x")))
    scene.lane.feed(b"x\nx\ny\nx\n")
    assert (rule.hits, scene.passed) == (3, [])
    assert scene.connection.out == [b"blocked full\n"]
    scene.faults.remove(rule.id)
    assert (scene.passed, scene.peer.paused) == ([b"x\n", b"x\n", b"y\n", b"x\n"], 0)
    assert scene.connection.out[1:] == [b"blocked None\n"]


def test_a_connection_is_blocked_once_whichever_way_the_rule_fires() -> None:
    scene, exchanges = Scene(), Exchanges()
    there, back = (
        lane(way, scene.connection, scene.peer, scene.environment, scene.passed.append, exchanges)
        for way in (IN, OUT)
    )
    rule = scene.faults.add(fault(Block(reason="full")))
    there.feed(b"x\n")
    # The word of it is a frame too, and goes on as all does that the client gets.
    back.feed(b"blocked full\n")
    assert (scene.connection.out, scene.peer.paused) == ([b"blocked full\n"], 1)
    assert (rule.hits, scene.passed, back.idle) == (2, [b"blocked full\n"], False)
    scene.faults.remove(rule.id)
    assert scene.connection.out[1:] == [b"blocked None\n"]
    assert (scene.passed[1:], scene.peer.paused) == ([b"x\n"], 0)
    assert there.idle
    assert back.idle


def test_of_two_rules_that_block_a_connection_the_last_one_lets_it_go_on() -> None:
    scene = Scene()
    first = scene.faults.add(fault(Block(5.0, "one"), is_word("x")))
    second = scene.faults.add(fault(Block(9.0, "two"), is_word("y")))
    scene.lane.feed(b"x\ny\nz\n")
    assert (scene.connection.out, scene.peer.paused) == ([b"blocked one\n"], 2)
    scene.clock.advance(5.0)
    assert (scene.passed, scene.peer.paused) == ([b"x\n"], 1)
    scene.clock.advance(4.0)
    assert (scene.passed, scene.peer.paused) == ([b"x\n", b"y\n", b"z\n"], 0)
    assert scene.connection.out[1:] == [b"blocked None\n"]
    assert (first.effects, second.effects) == ({}, {})


def both_ways(scene: Scene) -> tuple[Lane, Lane]:
    """The lane of what the client sends, and of what it gets, of one connection."""
    exchanges = Exchanges()
    there, back = (
        lane(way, scene.connection, scene.peer, scene.environment, scene.passed.append, exchanges)
        for way in (IN, OUT)
    )
    return there, back


def test_a_block_that_fires_for_what_the_client_gets_lets_nothing_more_in() -> None:
    scene = Scene()
    there, back = both_ways(scene)
    late = scene.faults.add(fault(Delay(5.0), is_word("late")))
    there.feed(b"late\nbehind\n")
    rule = scene.faults.add(fault(Block(9.0, "full"), is_word("x", OUT), direction=OUT))
    back.feed(b"x\n")
    # It was read before, and what comes now had been read as well.
    there.feed(b"more\n")
    scene.faults.remove(late.id)
    scene.clock.advance(8.9)
    assert (scene.passed, rule.hits, scene.peer.paused) == ([b"x\n"], 1, 1)
    scene.clock.advance(0.1)
    assert scene.passed == [b"x\n", b"late\n", b"behind\n", b"more\n"]
    assert (scene.peer.paused, there.idle, back.idle) == (0, True, True)


def test_what_no_rule_is_about_does_not_go_past_a_block() -> None:
    scene = Scene()
    there, back = both_ways(scene)
    rule = scene.faults.add(fault(Block(), is_word("x", OUT), direction=OUT))
    back.feed(b"x\n")
    there.feed(b"a\n")
    assert scene.passed == [b"x\n"]
    scene.faults.remove(rule.id)
    assert scene.passed == [b"x\n", b"a\n"]


def test_a_frame_that_is_to_be_overtaken_goes_on_when_the_rule_ends() -> None:
    scene = Scene()
    rule = scene.faults.add(fault(Reorder(behind=9, wait=3600.0), is_word("x")))
    scene.lane.feed(b"x\na\n")
    assert scene.passed == [b"a\n"]
    scene.faults.remove(rule.id)
    assert (scene.passed, scene.lane.idle) == ([b"a\n", b"x\n"], True)


def test_too_many_bytes_that_are_to_be_overtaken_stop_the_peer_from_being_read() -> None:
    scene = Scene(limits=Limits(delayed_bytes=10))
    scene.faults.add(fault(Reorder(behind=9, wait=2.0)))
    scene.lane.feed(b"123456\n")
    assert scene.peer.paused == 0
    scene.lane.feed(b"123456\n")
    assert scene.peer.paused == 1
    scene.clock.advance(2.0)
    assert (scene.passed, scene.peer.paused) == ([b"123456\n"] * 2, 0)


@pytest.mark.parametrize(
    ("make", "text"),
    [
        (lambda: Duplicate(copies=1_001), "copies is 1 to 1,000, not 1,001"),
        (lambda: Duplicate(copies=0), "copies is 1 to 1,000, not 0"),
        (lambda: Corrupt(bits=10_001), "bits is 1 to 10,000, not 10,001"),
        (lambda: Corrupt(bits=-1), "bits is 1 to 10,000, not -1"),
        (lambda: Disconnect(after=True, mid=True), "not both"),
    ],
)
def test_what_an_action_cannot_do_is_refused_when_it_is_made(make: Any, text: str) -> None:
    with pytest.raises(InvalidInput, match=text):
        make()


def test_a_frame_shorter_than_its_head_is_damaged_as_far_as_it_goes() -> None:
    rows = [Row("kafka", IN, "request")]
    for action in (Corrupt("head", 8), Corrupt("body"), Truncate()):
        made = damaged(b"\0\0\0\0", rows, range(12, 99), action, Random(1))
        assert made == (b"\0\0" if isinstance(action, Truncate) else b"\0\0\0\0")
