"""The feed makes every frame a row, finds its way in torn traffic, and samples a flood."""

import json
from math import inf
from random import Random

import pytest
from brokers.misbehaving import Waiting, hold
from mockforge_brokers.events import (
    ConnectionClosed,
    ConnectionOpened,
    FaultFired,
    ProtocolViolated,
    Warned,
    mark_of,
)
from mockforge_brokers.journal import IN, OUT, Row
from mockforge_brokers.limits import Limits

from mockforge_tui.feed import Feed
from mockforge_tui.feed.decoder import LATEST, Decoder
from mockforge_tui.feed.ring import MOST_BYTES, Ring
from mockforge_tui.filters import compile_filter

from .traffic import Traffic, frame


class Ticking:
    """A timer that moves on at every look, so that a budget is a number of looks."""

    def __init__(self, step: float) -> None:
        self.now = 0.0
        self.step = step

    def __call__(self) -> float:
        self.now += self.step
        return self.now


def _feed(traffic: Traffic, **options: object) -> Feed:
    """A feed whose time stands still unless a test moves it: its budgets are never used up."""
    options.setdefault("timer", Ticking(0))
    return Feed(traffic.journal, traffic.spine, traffic.environment.holds, **options)  # type: ignore[arg-type]


def _shown(feed: Feed, after: int = 0) -> list[str]:
    return [
        row.operation if row.payload is None else row.payload.decode("latin-1")
        for row in feed.since(after)
    ]


def test_every_frame_becomes_a_numbered_row_with_its_connection_and_time() -> None:
    traffic = Traffic()
    traffic.say("dev-7", op="PUBLISH", to="a/b", payload="21.5")
    traffic.clock.advance(2)
    traffic.say("dev-7", op="PUBACK", direction=OUT, kind="control")
    feed = _feed(traffic)
    assert feed.tick() == 2
    first, second = feed.since(0)
    assert (first.seq, first.client, first.connection, first.protocol) == (1, "dev-7", 1, "mqtt")
    assert (first.operation, first.destination, first.payload) == ("PUBLISH", "a/b", b"21.5")
    assert second.time - first.time == 2
    assert second.direction == OUT
    assert feed.row(2) is second
    assert feed.row(3) is None


def test_a_frame_torn_over_reads_is_one_row_once_it_is_whole() -> None:
    traffic = Traffic()
    feed = _feed(traffic)
    data = frame(payload="whole")
    for at in range(0, len(data), 3):
        piece = data[at : at + 3]
        traffic.write("a", piece, tail=0 if at + 3 >= len(data) else at + len(piece))
        feed.tick()
    assert _shown(feed) == ["whole"]


def test_a_feed_that_starts_late_walks_back_to_the_first_byte_of_the_frame() -> None:
    traffic = Traffic()
    whole, torn = frame(payload="one"), frame(payload="two")
    traffic.write("a", whole + torn[:4], tail=4)
    traffic.write("a", torn[4:9], tail=9)
    traffic.write("a", torn[9:] + whole, tail=0)
    feed = _feed(traffic)
    feed.tick()
    assert _shown(feed) == ["one", "two", "one"]


def test_bytes_whose_frame_began_too_long_ago_are_shown_raw_and_the_next_frame_is_found() -> None:
    traffic = Traffic(Limits(journal_connection=600))
    torn = frame(payload="x" * 600)
    traffic.write("a", torn[:400], tail=400)
    traffic.write("a", torn[400:500], tail=500)
    traffic.write("a", torn[500:] + frame(payload="next")[:5], tail=5)
    traffic.write("a", frame(payload="next")[5:], tail=0)
    feed = _feed(traffic)
    feed.tick()
    rows = list(feed.since(0))
    assert [row.operation for row in rows] == ["bytes", "send"]
    assert "beginning has left" in rows[0].detail["why"]
    assert rows[1].payload == b"next"


def test_bytes_that_are_no_frame_are_one_raw_row_with_the_reason() -> None:
    traffic = Traffic()
    traffic.write("evil", b"\x00\x00\x1b]0;title\x07")
    traffic.write("good", frame(payload="fine"))
    feed = _feed(traffic)
    feed.tick()
    raw, fine = feed.since(0)
    assert (raw.operation, raw.error) == ("bytes", "a frame of no bytes")
    assert fine.payload == b"fine"


def test_a_row_decoder_that_fails_costs_one_raw_row() -> None:
    traffic = Traffic()
    traffic.write("a", frame(b"BUG") + frame(payload="after"))
    feed = _feed(traffic)
    feed.tick()
    assert [row.error for row in feed.since(0)] == ["not decoded: a decoder's bug", ""]


def test_what_does_not_fit_the_budget_comes_with_the_next_ticks_and_nothing_is_lost() -> None:
    traffic = Traffic()
    for number in range(300):
        traffic.say("a", payload=str(number))
    feed = _feed(traffic, timer=Ticking(0.0001))
    made = [feed.tick(0.002) for _ in range(60)]
    assert max(made) < 25
    assert sum(made) == 300
    assert feed.one_of == 1
    assert _shown(feed) == [str(number) for number in range(300)]


def test_five_hundred_messages_a_second_each_have_their_row() -> None:
    traffic = Traffic()
    feed = _feed(traffic)
    for second in range(3):
        for turn in range(12):
            for number in range(42):
                traffic.say("a", payload=f"{second} {turn} {number}")
            feed.tick()
    while feed.tick():
        pass
    assert feed.newest == 3 * 12 * 42
    assert feed.one_of == 1


def test_a_flood_is_sampled_newest_first_and_says_of_how_many() -> None:
    traffic = Traffic(Limits(journal_connection=64 << 20, journal_total=128 << 20))
    feed = _feed(traffic, timer=Ticking(0.00005))
    burst = frame(payload="flood") * 200
    for _ in range(5000):
        traffic.write("loud", burst)
    traffic.say("quiet", payload="here")
    for _ in range(50):
        traffic.write("loud", burst)
    made = feed.tick()
    assert 0 < made < 5000
    assert feed.one_of > 100
    assert "here" in _shown(feed)
    assert not feed.ring.is_whole(0, 1)
    sampled = feed.newest
    traffic.say("loud", payload="later")
    for _ in range(13):
        feed.tick()
    assert feed.one_of == 1
    assert _shown(feed)[-1] == "later"
    traffic.say("loud", payload="after it")
    feed.tick()
    assert feed.newest > sampled
    assert feed.ring.is_whole(feed.newest - 1, feed.newest)


def test_being_behind_for_a_second_jumps_to_the_newest() -> None:
    traffic = Traffic()
    feed = _feed(traffic, timer=Ticking(0.0005))
    for _ in range(150):
        for number in range(40):
            traffic.say("a", payload=str(number))
        feed.tick(0.002)
    assert feed.one_of > 1
    newest = feed.row(feed.newest)
    assert newest is not None
    assert newest.payload == b"39"


def test_what_a_live_view_shows_is_never_much_older_than_what_came() -> None:
    traffic = Traffic()
    # A timer of work alone: it has not come far when a second of the clock has passed.
    feed = _feed(traffic, timer=Ticking(0.0005))
    for tick in range(120):
        for number in range(40):
            traffic.say("a", payload=f"{tick} {number}")
        traffic.clock.advance(1 / 12)
        feed.tick(0.002)
        newest = feed.row(feed.newest)
        assert newest is not None
        assert traffic.clock.wall() - newest.time < LATEST + 1 / 6
    assert feed.one_of > 1


def test_what_is_left_of_a_burst_for_what_came_behind_it_is_said() -> None:
    traffic = Traffic(Limits(journal_connection=64 << 20, journal_total=128 << 20))
    feed = _feed(traffic, timer=Ticking(0.00005))
    one = frame(payload="burst")
    traffic.write("loud", one * 3000)
    for _ in range(25):
        traffic.clock.advance(1 / 12)
        feed.tick(0.002)
    before = feed.newest
    assert before < 2000
    assert feed.one_of == 1
    traffic.say("quiet", payload="ping")
    traffic.clock.advance(1 / 12)
    feed.tick(0.002)
    # The newest of the burst, as of any chunk in a sample, and the one behind it.
    shown = ["burst"] * 8 + ["ping"]
    assert _shown(feed, before) == shown
    decoder = feed._decoder
    assert decoder is not None
    assert decoder.sampled
    assert decoder.passed_over == (3000 - before - 8) * len(one)
    assert decoder.decoded == (before + 8) * len(one) + len(frame(payload="ping"))
    assert feed.one_of > 2
    # It keeps up, and all are shown.
    for _ in range(12):
        traffic.say("quiet", payload="ping")
        feed.tick(0.002)
    assert _shown(feed, before) == [*shown, *["ping"] * 12]
    assert feed.one_of == 1


def test_a_sample_of_bursts_that_are_handled_in_slices_says_of_how_many() -> None:
    traffic = Traffic(Limits(journal_connection=64 << 20, journal_total=128 << 20))
    feed = _feed(traffic, timer=Ticking(0.00005))
    one = frame(payload="flood")
    for _ in range(5000):
        # Handled so far: a frame of each; all others wait for the next chunk.
        traffic.write("loud", one * 100, tail=len(one) * 99)
        traffic.write("loud", one, tail=0)
    feed.tick()
    decoded, shown = feed._decoder.decoded, feed.newest * len(one)  # type: ignore[union-attr]
    assert decoded == shown
    assert 100 < feed.one_of <= 5000 * 101


def test_decoding_resumes_frame_by_frame_after_a_flood_within_a_torn_frame() -> None:
    traffic = Traffic(Limits(journal_connection=64 << 20, journal_total=128 << 20))
    feed = _feed(traffic)
    for _ in range(5000):
        traffic.write("a", frame(payload="flood"))
    torn = frame(payload="torn")
    traffic.write("a", torn[:6], tail=6)
    while feed.tick():
        pass
    before = feed.newest
    traffic.write("a", torn[6:])
    feed.tick()
    assert _shown(feed, before) == ["torn"]


def test_events_stand_between_the_rows_where_they_happened() -> None:
    traffic = Traffic()
    traffic.spine.emit(ConnectionOpened("mqtt", 1, "127.0.0.1:5000"))
    traffic.say("a", op="CONNECT", kind="control")
    traffic.clock.advance(1)
    traffic.spine.emit(ProtocolViolated("mqtt", 1, "a", "a topic name with +"))
    traffic.spine.emit(ConnectionClosed("mqtt", 1, "a", "we closed it"))
    feed = _feed(traffic)
    feed.tick()
    rows = list(feed.since(0))
    assert [row.operation for row in rows] == ["connected", "CONNECT", "protocol error", "closed"]
    assert [row.kind for row in rows] == ["event", "control", "event", "event"]
    assert rows[2].error == "a topic name with +"
    assert feed.tick() == 0


def test_a_held_frame_shows_it_on_its_row_until_it_is_let_go() -> None:
    traffic = Traffic()
    holds = traffic.environment.holds
    rule = holds.add(hold(lambda row: True, scope="topic:a"))
    data = frame(payload="wait", to="a")
    traffic.write("a", data)
    row = Row("mqtt", IN, "send", connection=1, client="a", frame=data)
    held = holds.hold(rule, [row], Waiting())
    feed = _feed(traffic)
    feed.tick()
    assert [row.held for row in feed.since(0)] == [held.id]
    holds.release(held.id)
    feed.tick()
    assert [row.held for row in feed.since(0)] == [0, 0]


def test_a_frame_held_on_its_way_out_is_shown_though_no_byte_of_it_was_written() -> None:
    traffic = Traffic()
    holds = traffic.environment.holds
    rule = holds.add(hold(lambda row: True, scope="topic:a"))
    waiting = Row("mqtt", OUT, "send", connection=1, client="a", frame=frame(payload="x"))
    holds.hold(rule, [waiting], Waiting())
    feed = _feed(traffic)
    feed.tick()
    assert [(row.direction, row.held) for row in feed.since(0)] == [(OUT, 1)]


def test_a_fault_marks_the_frame_that_it_hit() -> None:
    traffic = Traffic()
    feed = _feed(traffic)
    said = [frame(op="PUBLISH", payload=f"{number}") for number in range(4)]
    for rule, number in ((3, 1), (4, 2)):
        traffic.spine.emit(hit(rule, said[number]))
    traffic.write("a", b"".join(said))
    feed.tick()
    assert _faults(feed) == [("0", 0), ("1", 3), ("2", 4), ("3", 0)]


def test_a_fault_marks_what_goes_out_when_it_goes_and_what_never_does_nowhere() -> None:
    traffic = Traffic()
    feed = _feed(traffic)
    late, gone, other = (frame(op="PUBACK", payload=name) for name in ("late", "gone", "other"))
    traffic.write("a", other, direction=OUT)
    for rule, each in ((3, late), (4, gone)):
        traffic.spine.emit(hit(rule, each, direction=OUT))
        traffic.clock.advance(1)
    feed.tick()
    traffic.write("a", other + late, direction=OUT)
    feed.tick()
    assert _faults(feed) == [("other", 0), ("other", 0), ("late", 3)]


def test_a_fault_that_changed_what_goes_out_marks_it_as_it_went() -> None:
    traffic = Traffic()
    feed = _feed(traffic)
    traffic.spine.emit(hit(3, frame(op="PUBACK", payload="before"), "set", OUT))
    traffic.write("a", frame(op="PUBACK", payload="after"), direction=OUT)
    feed.tick()
    assert _faults(feed) == [("after", 3)]


@pytest.mark.parametrize(
    ("kind", "direction"), [("set", OUT), ("truncate", OUT), ("duplicate", OUT), ("delay", IN)]
)
def test_a_fault_whose_frame_was_not_seen_at_once_marks_none_like_it_later(
    kind: str, direction: int
) -> None:
    traffic = Traffic()
    feed = _feed(traffic)
    alike = frame(op="PINGRESP", payload="alike")
    traffic.spine.emit(hit(3, alike, kind, direction))
    traffic.clock.advance(60)
    traffic.write("a", alike, direction=direction)
    feed.tick()
    traffic.write("a", alike, direction=direction)
    feed.tick()
    assert _faults(feed) == [("alike", 0), ("alike", 0)]
    assert not feed._hits


def test_what_waits_for_a_connection_that_ended_marks_nothing_any_more() -> None:
    traffic = Traffic()
    feed = _feed(traffic)
    seen, late = (frame(op="PUBACK", payload=name) for name in ("seen", "late"))
    for each in (seen, late):
        traffic.spine.emit(hit(3, each, direction=OUT))
    traffic.write("a", seen, direction=OUT)
    traffic.spine.emit(ConnectionClosed("mqtt", 1, "a", "its client closed it"))
    feed.tick()
    assert _faults(feed) == [("seen", 3)]
    assert not feed._hits


def hit(rule: int, data: bytes, kind: str = "delay", direction: int = IN) -> FaultFired:
    operation = json.loads(data[2:])["op"]
    return FaultFired("mqtt", rule, kind, 1, "a", operation, mark_of(data), direction)


def _faults(feed: Feed) -> list[tuple[str, int]]:
    rows = (row for row in feed.since(0) if row.kind != "event")
    return [((row.payload or b"").decode(), row.fault) for row in rows]


def test_the_ring_forgets_the_oldest_rows_and_keeps_numbers() -> None:
    traffic = Traffic()
    feed = _feed(traffic, slots=16)
    for number in range(40):
        traffic.say("a", payload=str(number))
    while feed.tick():
        pass
    assert (feed.oldest, feed.newest) == (25, 40)
    assert feed.row(24) is None
    assert _shown(feed)[0] == "24"


def _row(payload: bytes, frame: bytes = b"", **changes: object) -> Row:
    return Row("mqtt", IN, "send", payload=payload, frame=frame, **changes)  # type: ignore[arg-type]


def _noise(seed: int, size: int) -> bytes:
    """Bytes that do not compress."""
    return Random(seed).randbytes(size)


def test_old_rows_come_back_from_their_batches_as_they_were() -> None:
    ring = Ring(slots=4096, loose=16)
    added = []
    for number in range(1000):
        row = _row(f"{number}".encode(), b"frame of %d" % number, detail={"qos": 1, "at": (1, 2)})
        row.headers = (("trace", b"1"),)
        row.time = number / 10
        ring.add(row)
        added.append(row)
    assert list(ring.since(0)) == added
    assert list(ring.newest_first(1000)) == added[::-1]
    assert ring.row(1) == added[0]
    assert ring.row(1001) is None


def test_what_a_frame_weighs_is_counted_once_for_all_of_its_rows() -> None:
    ring = Ring(loose=16)
    frame = _noise(1, 200_000)
    for number in range(600):
        ring.add(_row(_noise(number, 300), frame))
    assert 600 * 300 + 200_000 < ring.bytes < 1.2 * (600 * 300 + 200_000)
    first, last = ring.row(1), ring.row(600)
    assert first is not None
    assert last is not None
    assert first.frame is frame
    assert last.frame is frame


def test_where_a_frame_must_go_its_rows_keep_their_payloads() -> None:
    ring = Ring(loose=16, most_bytes=500_000)
    ring.add(_row(b'{"precious": 1}', b"0.." + b'{"precious": 1}'))
    for fetch in range(4):
        frame = _noise(fetch, 180_000)
        for number in range(300):
            ring.add(_row(_noise(number, 200), frame))
    rows = list(ring.since(0))
    assert rows[0].payload == b'{"precious": 1}'
    assert all(row.payload for row in rows)
    assert rows[200].frame == b""
    assert rows[-1].frame == frame
    assert ring.bytes <= 500_000


def test_payloads_that_weigh_too_much_leave_oldest_first_and_their_rows_stay() -> None:
    ring = Ring(loose=16, most_bytes=100_000)
    for number in range(1000):
        ring.add(_row(_noise(number, 300)))
    first, last = ring.row(1), ring.row(1000)
    assert first is not None
    assert last is not None
    assert (first.payload, first.detail["body"]) == (None, "let go: too many bytes came after it")
    assert last.payload == _noise(999, 300)
    assert ring.bytes <= 100_000


def test_a_body_larger_than_all_that_may_be_kept_is_still_there_while_it_is_the_newest() -> None:
    ring = Ring(most_bytes=1000)
    ring.add(_row(b"small"))
    ring.add(_row(b"x" * 5000))
    newest = ring.row(2)
    assert newest is not None
    assert newest.payload == b"x" * 5000


def test_a_message_of_five_minutes_ago_is_whole_under_a_thousand_messages_a_second() -> None:
    traffic = Traffic()
    feed = _feed(traffic)
    traffic.say("early", payload='{"precious": 1}', to="early/one")
    for number in range(5 * 60 * 1000):
        # Half of each payload does not compress, which is more than JSON ever asks for.
        body = number.to_bytes(4, "big").hex() * 18 + _noise(number, 78).hex()
        feed.ring.add(_row(body.encode(), b"0\xac\x02" + body.encode()))
        if number == 10:
            feed.tick()
    assert feed.oldest == 1
    early = next(row for row in feed.since(0) if row.destination == "early/one")
    assert early.payload == b'{"precious": 1}'
    assert early.frame == frame(payload='{"precious": 1}', to="early/one")
    assert feed.ring.bytes < MOST_BYTES


def test_marks_and_holds_of_packed_rows_stay_on_them() -> None:
    traffic = Traffic()
    feed = _feed(traffic)
    for number in range(10_000):
        feed.ring.add(_row(b"%d" % number))
    assert feed.mark(3, True)
    for number in range(1000, 9000, 64):
        assert feed.row(number) is not None
    assert [row.seq for row in feed.marked()] == [3]
    found = feed.row(3)
    assert found is not None
    assert found.marked


def test_a_selection_fills_its_newest_page_in_the_first_slice() -> None:
    traffic = Traffic()
    feed = _feed(traffic)
    for number in range(4000):
        traffic.say("a", payload=str(number), to="even" if number % 2 == 0 else "odd")
        if number % 500 == 0:
            feed.tick(1.0)
    feed.tick(1.0)
    feed._timer = Ticking(0.001)
    selection = feed.select(compile_filter("topic:even"))
    selection.tick(0.002)
    assert selection.last(10) == [number + 1 for number in range(3980, 4000, 2)]
    assert selection.progress < 1
    while selection.progress < 1:
        selection.tick(0.002)
    assert selection.count == 2000
    traffic.say("a", payload="4000", to="even")
    feed.tick()
    assert selection.tick()
    assert selection.last(1) == [4001]
    assert selection.after(3999) == 1
    assert selection.before(100, 3) == [95, 97, 99]
    assert selection.at_or_after(96, 3) == [97, 99, 101]


def test_a_selection_lets_go_of_rows_that_left_the_ring() -> None:
    traffic = Traffic()
    feed = _feed(traffic, slots=16)
    selection = feed.select(None)
    for number in range(100):
        traffic.say("a", payload=str(number))
        feed.tick()
        selection.tick()
    assert selection.count == 16
    assert selection.at_or_after(1, 1) == [85]


def test_values_seen_are_counted_for_completion() -> None:
    traffic = Traffic()
    for topic in ("b", "a", "b"):
        traffic.say("dev", to=topic)
    feed = _feed(traffic)
    feed.tick()
    assert feed.seen("topic") == [("b", "×2"), ("a", "×1")]
    assert feed.seen("nonsense") == []


def test_marks_stay_with_their_rows() -> None:
    traffic = Traffic()
    traffic.say("a", payload="1")
    traffic.say("a", payload="2")
    feed = _feed(traffic)
    feed.tick()
    assert feed.mark(2, True)
    assert not feed.mark(9, True)
    assert [row.payload for row in feed.marked()] == [b"2"]


def test_a_feed_without_a_journal_still_tells_events() -> None:
    traffic = Traffic()
    feed = Feed(None, traffic.spine)
    traffic.spine.emit(ConnectionOpened("kafka", 1, "127.0.0.1:1"))
    feed.tick()
    assert [row.operation for row in feed.since(0)] == ["connected"]


def test_state_of_ended_connections_is_let_go() -> None:
    traffic = Traffic()
    feed = _feed(traffic)
    for number in range(50):
        name = f"c{number}"
        traffic.say(name, payload="x")
        traffic.spine.emit(ConnectionClosed("mqtt", traffic.tape(name).connection, name, "bye"))
        feed.tick()
    assert feed._decoder is not None
    assert len(feed._decoder._lanes) <= 1


def test_an_event_waits_for_frames_that_no_tick_had_time_for_yet() -> None:
    traffic = Traffic()
    feed = Feed(traffic.journal, traffic.spine, timer=Ticking(0.0001))
    for number in range(100):
        traffic.say("a", payload=str(number))
    traffic.clock.advance(0.001)
    traffic.spine.emit(Warned("mqtt", "a", "caused by the last of them"))
    traffic.clock.advance(1)
    traffic.say("a", payload="after")
    traffic.clock.advance(1)
    traffic.spine.emit(Warned("mqtt", "b", "later still"))
    ticks = 0
    while feed.newest < 103:
        feed.tick(0.002)
        ticks += 1
    assert ticks > 4, "more than one tick has time for"
    assert _shown(feed) == [*map(str, range(100)), "warning", "after", "warning"]
    assert [row.time for row in feed.since(0)] == sorted(row.time for row in feed.since(0))


def test_an_event_stands_behind_the_frame_that_caused_it() -> None:
    traffic = Traffic()
    feed = _feed(traffic)
    traffic.spine.emit(ConnectionOpened("mqtt", 1, "127.0.0.1:50001"))
    traffic.clock.advance(0.001)
    # A burst is journaled once it is handled: what it caused was told a moment before.
    traffic.spine.emit(Warned("mqtt", "dev-1", "caused by the frame"))
    traffic.clock.advance(0.001)
    traffic.say("dev-1", op="first")
    traffic.clock.advance(0.001)
    traffic.say("dev-1", op="answer", direction=OUT)
    traffic.clock.advance(1)
    traffic.spine.emit(Warned("mqtt", "dev-2", "by a timer"))
    traffic.clock.advance(1)
    traffic.say("dev-2", op="second")
    feed.tick()
    shown = [(row.operation, row.detail.get("text", "")[-9:]) for row in feed.since(0)]
    assert shown == [
        ("connected", "0.1:50001"),
        ("first", ""),
        ("warning", "the frame"),
        ("answer", ""),
        ("warning", "y a timer"),
        ("second", ""),
    ]


def test_the_oldest_frame_that_waits_is_known_after_each_look_and_none_is_walked_for_it() -> None:
    traffic = Traffic()
    looks = Ticking(0.01)
    decoder = Decoder(traffic.journal, looks)
    for number in range(20):
        traffic.clock.advance(0.05)
        traffic.say("dev-7", payload=f"{number}")
    waiting = [chunk.time for chunk in traffic.journal.since(0)][::-1]
    walks = []
    since = traffic.journal.since
    traffic.journal.since = lambda *asked: walks.append(asked) or since(*asked)  # type: ignore[func-returns-value, method-assign]
    while waiting:
        del waiting[: len(decoder.decode(0.04))]
        walks.clear()
        assert decoder.reached == (waiting[0] if waiting else inf)
        assert walks == []
    traffic.clock.advance(1)
    traffic.say("dev-7", payload="after the look")
    assert decoder.reached == next(traffic.journal.since(0)).time
