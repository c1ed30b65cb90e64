from mockforge_brokers.clock import ManualClock
from mockforge_brokers.journal import IN, OUT, Journal
from mockforge_brokers.limits import Limits

from .lines import LineBroker, LineConnection


def journal(connection: int = 10_000, total: int = 100_000) -> Journal:
    return Journal(ManualClock(), Limits(journal_connection=connection, journal_total=total))


def owner() -> LineConnection:
    return LineConnection(LineBroker.__new__(LineBroker), None)  # type: ignore[arg-type]


def test_chunks_come_back_newest_first_with_their_direction_and_tail():
    kept = journal()
    tape = kept.open("lines", 1, owner())
    tape.add(IN, b"ab", 2)
    tape.add(OUT, b"c")
    found = [(c.seq, c.direction, c.data, c.tail) for c in kept.since(0)]
    assert found == [(2, OUT, b"c", 0), (1, IN, b"ab", 2)]
    assert [chunk.seq for chunk in kept.since(1)] == [2]


def test_one_connection_keeps_its_newest_bytes_only():
    kept = journal(connection=3 * (100 + 128))
    tape = kept.open("lines", 1, owner())
    for _ in range(5):
        tape.add(IN, bytes(100))
    assert len(tape.chunks) == 3
    assert tape.size == kept.size == 3 * 228
    assert kept.left == 2
    assert [chunk.seq for chunk in kept.since(0)] == [5, 4, 3]


def test_a_chunk_larger_than_the_limit_is_kept_while_it_is_the_newest():
    kept = journal(connection=1000)
    tape = kept.open("lines", 1, owner())
    tape.add(IN, bytes(5000))
    assert len(tape.chunks) == 1
    tape.add(IN, b"x")
    assert [chunk.data for chunk in tape.chunks] == [b"x"]


def test_all_connections_together_are_bounded_and_the_oldest_chunks_leave():
    kept = journal(connection=10_000, total=4 * 228)
    first, second = kept.open("lines", 1, owner()), kept.open("lines", 2, owner())
    for tape in (first, second, first, second, first, second):
        tape.add(IN, bytes(100))
    assert kept.size <= 4 * 228
    assert [chunk.seq for chunk in first.chunks] == [3, 5]
    assert [chunk.seq for chunk in second.chunks] == [4, 6]
