import gc
import weakref
from collections.abc import Callable
from itertools import pairwise
from random import Random
from typing import Any

import pytest
from mockforge_brokers.clock import ManualClock
from mockforge_brokers.journal import IN, OUT, Chunk, Journal, Past, Tape
from mockforge_brokers.limits import Limits
from mockforge_brokers.pages import Page

from .lines import LineBroker, LineConnection

CHUNK = 100 + 128
"""What a chunk of 100 bytes counts."""
PAGE = 448
"""What a page does beside its chunks: where limits are as low as here each chunk has its own."""
TAPE = 1024


def journal(connection: int = 10_000, total: int = 100_000) -> Journal:
    return Journal(ManualClock(), Limits(journal_connection=connection, journal_total=total))


def owner() -> LineConnection:
    return LineConnection(LineBroker.__new__(LineBroker), None)  # type: ignore[arg-type]


def chunks_of(tape: Tape) -> list[Chunk]:
    return [*tape.back()][::-1]


def test_chunks_come_back_newest_first_with_their_direction_and_tail():
    kept = journal()
    tape = kept.open("lines", 1, owner())
    tape.add(IN, b"ab", 2)
    tape.add(OUT, b"c")
    found = [(c.seq, c.direction, c.data, c.tail) for c in kept.since(0)]
    assert found == [(2, OUT, b"c", 0), (1, IN, b"ab", 2)]
    assert [chunk.seq for chunk in kept.since(1)] == [2]


def test_one_connection_keeps_its_newest_bytes_only():
    kept = journal(connection=3 * CHUNK)
    tape = kept.open("lines", 1, owner())
    for _ in range(5):
        tape.add(IN, bytes(100))
    assert len(chunks_of(tape)) == 3
    assert (tape.size, kept.size) == (3 * CHUNK, 3 * (CHUNK + PAGE) + TAPE)
    assert kept.left == 2
    assert [chunk.seq for chunk in kept.since(0)] == [5, 4, 3]


@pytest.mark.parametrize(
    "limits", [{}, {"connection": 3 * CHUNK}, {"total": 5 * (CHUNK + PAGE) + 2 * TAPE}]
)
def test_an_exchange_is_kept_as_its_two_chunks_are(limits):
    kept = []
    for at_once in (False, True):
        book = journal(**limits)
        tape = book.open("lines", 1, owner())
        for number in range(9):
            came, went = b"%90d" % number, b"%80d" % number
            if at_once:
                tape.add_exchange(came, went)
            else:
                tape.add(IN, came)
                tape.add(OUT, went)
            assert tape.size <= book.most_of_one
            assert book.size <= book.most
        found = [
            (each.seq, each.time, each.direction, each.data, each.tail) for each in chunks_of(tape)
        ]
        assert found == [
            (each.seq, each.time, each.direction, each.data, each.tail)
            for each in reversed([*book.since(0)])
        ]
        kept.append((found[-2:] if limits else found, book.seq, book.left + len(found)))
    assert kept[0] == kept[1]


@pytest.mark.parametrize(
    "limits", [{}, {"connection": 4 * CHUNK}, {"total": 6 * (CHUNK + PAGE) + 2 * TAPE}]
)
def test_a_burst_in_pieces_is_kept_as_its_chunks_are(limits):
    kept = []
    for at_once in (False, True):
        book = journal(**limits)
        tape = book.open("lines", 1, owner())
        for number in range(9):
            pieces = [b"%90d" % number, memoryview(b"%40d" % number), b"%80d" % number]
            if at_once:
                tape.add_pieces(OUT, pieces, 210)
            else:
                for piece, tail in zip(pieces, (90, 130, 0), strict=True):
                    tape.add(OUT, piece, tail)
            assert tape.size <= tape.room
            assert book.size <= book.most
        found = [(each.seq, each.time, each.data, each.tail) for each in chunks_of(tape)]
        assert tape.size == sum(len(each[2]) + CHUNK - 100 for each in found)
        kept.append((found[-3:] if limits else found, book.seq, book.left + len(found)))
    assert kept[0] == kept[1]


def test_a_frame_in_pieces_longer_than_a_connections_share_is_kept_whole():
    kept = journal(connection=3_000, total=100_000)
    tape = kept.open("lines", 1, owner())
    tape.add(OUT, b"before")
    tape.add_pieces(OUT, [bytes(1000)] * 7, 7_000)
    assert [chunk.tail for chunk in chunks_of(tape)][-7:] == [*range(1000, 7000, 1000), 0]
    tape.add(OUT, bytes(2000))
    assert tape.size <= tape.room == 9_000


def test_a_chunk_larger_than_the_limit_is_kept_while_it_is_the_newest():
    kept = journal(connection=1000)
    tape = kept.open("lines", 1, owner())
    tape.add(IN, bytes(5000))
    assert len(chunks_of(tape)) == 1
    tape.add(IN, b"x")
    assert [chunk.data for chunk in chunks_of(tape)] == [b"x"]


@pytest.mark.parametrize("ways", ["add", "add_exchange", "add_pieces"])
def test_a_chunk_larger_than_the_limit_leaves_at_once_when_another_of_its_connection_comes(ways):
    kept = Journal(ManualClock(), Limits())
    tape, other = kept.open("lines", 1, owner()), kept.open("lines", 2, owner())
    for _ in range(3):
        tape.add(IN, bytes(2 * kept.most_of_one))
        other.add(IN, b"somebody else's")
        large = chunks_of(tape)[-1]
        assert large.data
        match ways:
            case "add":
                tape.add(OUT, b"x")
            case "add_exchange":
                tape.add_exchange(b"x", b"y")
            case _:
                tape.add_pieces(OUT, [b"x", b"y"], 2)
        # Memory is free for the next one, whether or not anybody looks.
        assert large.data is None
        assert tape.size < kept.most_of_one
    pages = len(kept.pages)
    for _ in range(100):
        tape.add(OUT, b"x")
    assert len(kept.pages) == pages


@pytest.mark.parametrize("others", [0, 1])
@pytest.mark.parametrize("size", [1, 100, 700, 2_000])
def test_a_busy_connection_has_most_of_its_share(others, size):
    kept = journal(connection=16_000, total=400_000)
    tape, quiet = kept.open("lines", 1, owner()), kept.open("lines", 2, owner())
    came = 0
    for _ in range(1_000):
        for _ in range(others):
            quiet.add(IN, b"x")
        tape.add(IN, bytes(size))
        came += size + CHUNK - 100
        assert min(came, 12_000 - size) <= tape.size <= 16_000


def test_all_connections_together_are_bounded_and_the_oldest_chunks_leave():
    kept = journal(connection=10_000, total=4 * (CHUNK + PAGE) + 2 * TAPE)
    first, second = kept.open("lines", 1, owner()), kept.open("lines", 2, owner())
    for tape in (first, second, first, second, first, second):
        tape.add(IN, bytes(100))
    assert kept.size <= 4 * (CHUNK + PAGE) + 2 * TAPE
    assert [chunk.seq for chunk in chunks_of(first)] == [3, 5]
    assert [chunk.seq for chunk in chunks_of(second)] == [4, 6]


def past(weight: int = 0) -> Past:
    line = owner()
    return Past("gone", line.splitter, line.rows, weight)


def test_tapes_of_ended_connections_are_bounded_by_number():
    kept = Journal(ManualClock(), Limits(journal_ended=2))
    tapes = [kept.open("lines", number, owner()) for number in range(5)]
    for tape in tapes:
        tape.add(IN, bytes(100))
    for tape in tapes[:4]:
        tape.end(past())
    assert [chunk.tape.connection for chunk in kept.since(0)] == [4, 3, 2]
    assert kept.size == 3 * (CHUNK + TAPE) + PAGE
    assert tapes[3].owner.client == "gone"


def test_a_connection_with_two_tapes_counts_once_and_both_leave_together():
    kept = Journal(ManualClock(), Limits(journal_ended=2))
    for number in range(3):
        tape, outer = (kept.open("lines", number, owner()) for _ in range(2))
        for each in (tape, outer):
            each.add(IN, bytes(100))
        outer.end(past(), tape)
        tape.end(past())
    assert [chunk.tape.connection for chunk in kept.since(0)] == [2, 2, 1, 1]
    assert (kept.ended, kept.ended_left, kept.longest) == (2, 1, 0)
    assert kept.size == 4 * (CHUNK + TAPE) + PAGE


def test_what_reads_an_ended_connections_frames_is_weighed_as_long_as_they_are_there():
    kept = journal(total=2 * (CHUNK + PAGE + TAPE) + 5000)
    heavy, other = kept.open("lines", 1, owner()), kept.open("lines", 2, owner())
    heavy.add(IN, bytes(100))
    heavy.end(past(5000))
    assert kept.size == CHUNK + PAGE + TAPE + 5000
    other.add(IN, bytes(100))
    other.add(IN, bytes(100))
    assert not chunks_of(heavy)
    assert kept.size == 2 * (CHUNK + PAGE) + TAPE


def test_a_frame_longer_than_a_connections_share_is_kept_whole_until_more_comes():
    kept = journal(connection=3_000, total=100_000)
    tape = kept.open("lines", 1, owner())
    for count in range(1, 10):
        tape.add(IN, bytes(1000), 1000 * count)
    tape.add(IN, b"end")
    tape.add(OUT, b"answer")
    assert sum(len(chunk.data or b"") for chunk in kept.since(0)) == 9009
    # A frame of any length is kept as far as half of the journal goes.
    for count in range(1, 100):
        tape.add(IN, bytes(1000), 1000 * count)
    assert 46_000 < tape.size <= 50_000


def test_an_old_chunk_of_a_quiet_connection_keeps_no_holes_behind_it():
    kept = journal(connection=2 * CHUNK)
    quiet, busy = kept.open("lines", 1, owner()), kept.open("lines", 2, owner())
    quiet.add(IN, bytes(100))
    for _ in range(20_000):
        busy.add(IN, bytes(100))
    assert len(kept.pages) < 500
    assert [chunk.seq for chunk in kept.since(0)] == [20_001, 20_000, 1]


@pytest.mark.parametrize("ended", [False, True])
def test_a_cleared_journal_holds_nothing_though_the_collector_does_not_know_its_parts(ended):
    kept = journal()
    someone = owner()
    someone.kept = kept
    tape = kept.open("lines", 1, someone)
    tape.add(IN, bytes(100))
    if ended:
        tape.end(Past("gone", someone.splitter, someone.rows))
        assert not gc.is_tracked(tape.owner)
    (chunk,) = kept.since(0)
    assert tape.last()
    assert not gc.is_tracked(chunk)
    gone = weakref.ref(someone)
    kept.clear()
    assert (list(kept.since(0)), kept.size) == ([], 0)
    del kept, tape, chunk, someone
    gc.collect()
    assert gone() is None


@pytest.fixture
def walks(monkeypatch: pytest.MonkeyPatch) -> list[Page]:
    """Each page that is walked through, as often as it is."""
    walked: list[Page] = []

    def count(walk: Callable[[Page, Any], Any]) -> Callable[[Page, Any], Any]:
        def counted(page: Page, of: Any) -> Any:
            walked.append(page)
            return walk(page, of)

        return counted

    for walk in (Page.places_of, Page.drop):
        monkeypatch.setattr(Page, walk.__name__, count(walk))
    return walked


def test_tapes_of_ended_connections_that_leave_together_walk_once_through_each_page(walks):
    kept = Journal(ManualClock(), Limits(journal_ended=2_600))
    tapes = [kept.open("lines", number, owner()) for number in range(2_601)]
    others = [kept.open("lines", number, owner()) for number in range(90)]
    for number in range(20_000):
        (tapes[:41] + others)[number % 131].add(IN, b"x")
    kept.seal()
    pages = len(kept.pages)
    assert pages > 10
    walks.clear()
    for tape in tapes:
        tape.end(past())
    assert kept.ended_left == 41
    assert not any(chunks_of(tape) for tape in tapes)
    assert len(walks) == pages


def test_connections_that_meet_their_shares_together_walk_through_pages_together(walks):
    kept = Journal(ManualClock(), Limits(journal_connection=200_000))
    tapes = [kept.open("lines", number, owner()) for number in range(20)]
    for number in range(40_000):
        tapes[number % 20].add(IN, bytes(100))
    assert kept.shortened > 20_000
    # And once more where half of its chunks are left, or half of those, and so on.
    assert len(walks) < 6 * (kept.seq // len(kept.pages[-1].tapes))


def test_large_bursts_have_pages_of_their_own_which_leave_without_a_walk(walks):
    kept = Journal(ManualClock(), Limits())
    quiet, busy = kept.open("lines", 1, owner()), kept.open("lines", 2, owner())
    for _ in range(50):
        quiet.add(IN, b"x")
        busy.add(OUT, bytes(200_000))
    assert kept.shortened > 30
    assert len(chunks_of(quiet)) == 50
    assert busy.room // 2 < busy.size <= busy.room
    assert walks == []


def test_who_looks_for_the_chunk_before_each_walks_once_through_each_page(
    monkeypatch: pytest.MonkeyPatch,
):
    kept = Journal(ManualClock(), Limits())
    tapes = [kept.open("lines", number, owner()) for number in range(3)]
    for number in range(3_000):
        tapes[number % 3].add(IN, b"%d" % number)
    walks: list[Page] = []
    parts = Page.parts
    monkeypatch.setattr(Page, "parts", lambda page: walks.append(page) or parts(page))
    for chunk in [*kept.since(0)][:-3]:
        assert next(chunk.tape.back(chunk.seq)).seq == chunk.seq - 3
    assert len(kept.pages) > 2
    assert len(walks) <= 2 * (len(kept.pages) + 1)


class Model:
    """What came of each tape; the journal has the newest part of it."""

    def __init__(self, connection: int, total: int, ended: int, most: int, seed: int) -> None:
        limits = Limits(journal_connection=connection, journal_total=total, journal_ended=ended)
        self.clock = ManualClock()
        self.kept = Journal(self.clock, limits)
        self.most, self.random = most, Random(seed)
        self.came: dict[Tape, list[tuple[int, float, int, bytes, int]]] = {}
        self.open: list[Tape] = []
        self.looks: list[Chunk] = []

    def begin(self) -> None:
        tape = self.kept.open("lines", len(self.came), owner())
        self.came[tape] = []
        self.open.append(tape)

    def end(self) -> None:
        self.open.pop(self.random.randrange(len(self.open))).end(past(self.random.choice([0, 99])))

    def some_bytes(self) -> bytes:
        return self.random.randbytes(self.random.choice([3, 40, 40, self.most]))

    def say(self, tape: Tape) -> None:
        first = self.kept.seq + 1
        match self.random.randrange(4):
            case 0:
                sides = [(IN, self.some_bytes()), (OUT, self.some_bytes())]
                tape.add_exchange(sides[0][1], sides[1][1])
            case 1:
                sides = [(OUT, self.some_bytes()) for _ in range(3)]
                tape.add_pieces(OUT, [data for _, data in sides], sum(len(d) for _, d in sides))
            case _:
                sides = [(self.random.randrange(2), self.some_bytes())]
                tape.add(*sides[0])
        ends = [0] * len(sides)
        if len(sides) == 3:
            ends = [len(sides[0][1]), len(sides[0][1]) + len(sides[1][1]), 0]
        self.came[tape] += [
            (first + place, self.clock.wall(), direction, data, ends[place])
            for place, (direction, data) in enumerate(sides)
        ]
        self.clock.advance(0.5)

    def check(self) -> None:
        kept = self.kept
        # Before and behind the moment at which the newest ones are a page.
        coming = [(each.tape, each.seq, each.data, each.tail) for each in kept.since(0)]
        own = {tape: [each.seq for each in tape.back()] for tape in self.came}
        kept.seal()
        every = [*kept.since(0)]
        stayed = [(tape, seq, *rest) for tape, seq, *rest in coming if seq > tape.left]
        assert [(each.tape, each.seq, each.data, each.tail) for each in every] == stayed
        for tape, numbers in own.items():
            assert [each.seq for each in tape.back()] == [n for n in numbers if n > tape.left]
        assert all(newer.seq > older.seq for newer, older in pairwise(every))
        assert kept.size <= kept.most
        assert kept.left + len(every) == kept.seq
        assert kept.oldest == (every[-1].seq if every else kept.seq + 1)
        middle = self.random.randint(0, kept.seq)
        assert [each.seq for each in kept.since(middle)] == [
            each.seq for each in every if each.seq > middle
        ]
        some, asked = {*self.random.sample([*self.came], len(self.came) // 2)}, []

        def is_one(tape: Tape) -> bool:
            asked.append(tape)
            return tape in some

        assert [each.seq for each in kept.since(middle, is_one)] == [
            each.seq for each in every if each.seq > middle and each.tape in some
        ]
        assert len(asked) == len({*asked})
        weights = sum(tape.weight for tape in {each.tape for each in every})
        pages = sum(bool(page.tapes) for page in kept.pages)
        sizes = sum(len(each.data or b"") + CHUNK - 100 for each in every)
        assert kept.size == weights + pages * PAGE + sizes
        here: dict[Tape, list[Chunk]] = {tape: [] for tape in self.came}
        for each in every:
            here[each.tape].append(each)
        for tape, came in self.came.items():
            self.check_tape(tape, came, here[tape])
        for chunk in self.looks:
            assert (chunk.data is None) == (chunk.seq <= chunk.tape.left)
        self.looks = self.random.sample(every, min(9, len(every)))

    def check_tape(
        self, tape: Tape, came: list[tuple[int, float, int, bytes, int]], here: list[Chunk]
    ) -> None:
        found = [(each.seq, each.time, each.direction, each.data, each.tail) for each in here]
        assert found[::-1] == came[len(came) - len(found) :]
        assert [each.seq for each in tape.back()] == [each.seq for each in here]
        if here:
            at = self.random.choice(here).seq
            assert [each.seq for each in tape.back(at)] == [e.seq for e in here if e.seq < at]
        assert tape.size == sum(len(each.data or b"") + CHUNK - 100 for each in here)
        assert tape.size <= tape.room or len(here) == 1
        gone = came[: len(came) - len(found)]
        assert tape.left == (gone[-1][0] if gone else 0)


@pytest.mark.parametrize(
    ("connection", "total", "most", "steps"),
    [
        (1_000, 9_000, 300, 600),
        (16_000, 400_000, 300, 6_000),
        (16_000, 300_000, 9_000, 3_000),
        # Chunks that are larger than a connection's share.
        (16_000, 300_000, 20_000, 3_000),
    ],
)
@pytest.mark.parametrize("tapes", [1, 4, 40])
def test_the_newest_of_what_came_is_kept_within_the_limits(connection, total, most, steps, tapes):
    model = Model(connection, total, tapes, most, seed=tapes)
    assert (model.kept.page_room > 0) == (connection > 1_000)
    for number in range(steps):
        if len(model.open) < tapes:
            model.begin()
        # One of them says most.
        model.say(model.random.choice([model.open[0], model.random.choice(model.open)]))
        assert all(tape.size <= max(tape.room, most + CHUNK) for tape in model.open)
        if number % 5 == 0:
            # What is known of a page for who looks is none of what has left, or came since.
            tape = model.random.choice(model.open)
            newest = next(tape.back(), None)
            assert bool(newest) == (tape.size > 0)
            assert not newest or (newest.seq, newest.data) == (
                model.came[tape][-1][0],
                model.came[tape][-1][3],
            )
        if model.random.random() < tapes / 400:
            model.end()
        if number % 97 == 0:
            model.check()
    model.check()
    assert model.kept.left
