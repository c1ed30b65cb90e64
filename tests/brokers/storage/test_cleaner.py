"""What moves out of the oldest segment, and when it may go; without files."""

from mockforge_brokers.storage import cleaner, segments
from mockforge_brokers.storage.cleaner import Cleaner
from mockforge_brokers.storage.live import Live, Segment
from mockforge_brokers.storage.segments import HEAD

SALT = 5


class Folder:
    """Segments in memory."""

    def __init__(self, monkeypatch, *, piece=100, floor=0):
        monkeypatch.setattr(cleaner, "_PIECE", piece)
        monkeypatch.setattr(cleaner, "_FLOOR", floor)
        self.live = Live()
        self.data = {}
        self.cleaner = Cleaner(self.live)
        self.begin()

    def begin(self):
        self.newest = Segment(len(self.data) + 1, SALT, HEAD)
        self.live.add(self.newest)
        self.data[self.newest.number] = bytearray(HEAD)

    def write(self, rows, gone=(), entities=()):
        for number in gone:
            self.live.remove(number)
        pieces, sizes = segments.encode(SALT, 1, rows, gone, (), entities)
        frame = b"".join(pieces)
        self.live.put(self.newest, self.newest.size, list(rows), sizes)
        self.live.put_entities(self.newest, self.newest.size, entities)
        self.newest.size += len(frame)
        self.data[self.newest.number] += frame

    def step(self):
        """A piece is read, and what moves is taken; None where nothing is asked for."""
        piece = self.cleaner.piece(0)
        if piece is None:
            return None
        data = bytes(self.data[piece.segment.number][piece.at :][: piece.size])
        self.cleaner.bring(piece, data)
        return self.cleaner.take()

    def steps(self, most=50):
        moved = []
        while (one := self.step()) is not None:
            moved.append(one)
            assert len(moved) < most
            self.write(one.rows, (), one.entities)
        return moved


def test_what_is_wanted_moves_and_then_the_segment_goes(monkeypatch):
    folder = Folder(monkeypatch)
    folder.write({1: b"a" * 50, 2: b"b" * 50}, entities=[("k", b"n", b"v"), ("k", b"old", b"v")])
    folder.write({3: b"c" * 500})
    folder.write({4: b"d"})
    folder.begin()
    folder.write({2: b"newer"}, [3], [("k", b"old", None)])
    assert folder.live.size < folder.live.segments[1].size / 2
    moved = folder.steps()
    rows, entities = {}, []
    for one in moved:
        rows |= one.rows
        entities += one.entities
    assert (rows, entities) == ({1: b"a" * 50, 4: b"d"}, [("k", b"n", b"v")])
    assert [each.emptied for each in moved if each.emptied] == [[1]]
    assert list(folder.live.segments) == [2]


def test_of_a_row_that_stands_there_twice_the_newer_one_moves(monkeypatch):
    folder = Folder(monkeypatch)
    folder.write({1: b"older" * 40})
    folder.write({1: b"newer"})
    folder.begin()
    folder.write({2: b""})
    assert [value for each in folder.steps() for value in each.rows.values()] == [b"newer"]


def test_nothing_moves_while_most_is_wanted_or_little_is_not(monkeypatch):
    folder = Folder(monkeypatch, floor=400)
    folder.write({1: b"a" * 300, 2: b"b" * 300})
    folder.begin()
    folder.write({3: b""})
    assert folder.step() is None, "all is wanted"
    folder.live.remove(1)
    assert folder.step() is None, "what is not is less than the floor"
    folder.live.remove(2)
    assert folder.step() is not None


def test_the_segment_that_is_written_to_stays(monkeypatch):
    folder = Folder(monkeypatch)
    folder.write({1: b"a" * 300})
    folder.live.remove(1)
    assert folder.step() is None


def test_a_group_larger_than_a_piece_is_read_whole(monkeypatch):
    folder = Folder(monkeypatch, piece=80)
    folder.write({1: b"a" * 1000, 2: b"b" * 5000})
    folder.begin()
    folder.write({3: b""})
    folder.live.remove(2)
    moved = folder.steps()
    assert [each.rows for each in moved if each.rows] == [{1: b"a" * 1000}]
    assert moved[-1].emptied == [1]


def test_what_is_damaged_does_not_move_and_its_segment_stays_for_the_next_start(monkeypatch):
    for damaged in (b"bbbb", b"MFgr"):
        folder = Folder(monkeypatch)
        folder.write({1: b"aaaa"})
        folder.write({2: b"bbbb", 3: b"c" * 500})
        folder.begin()
        folder.write({4: b""})
        folder.live.remove(3)
        data = folder.data[1]
        at = data.rindex(damaged)
        data[at] ^= 1
        moved = folder.steps()
        assert [each.rows for each in moved if each.rows] == [{1: b"aaaa"}]
        assert 1 in folder.live.segments
        assert folder.step() is None


def test_segments_of_which_nothing_is_wanted_go_unread(monkeypatch):
    folder = Folder(monkeypatch, floor=1 << 40)
    for number in range(3):
        folder.write({number: b"a" * 300})
        folder.begin()
    folder.write({9: b"newest"})
    assert folder.cleaner.take().emptied == []
    folder.live.remove(1)
    assert folder.cleaner.take().emptied == [], "what says that it is gone may be behind it"
    folder.live.remove(0)
    assert folder.cleaner.take().emptied == [1, 2]
    for number in (2, 9):
        folder.live.remove(number)
    assert folder.cleaner.take().emptied == [3]
    assert list(folder.live.segments) == [4], "the newest stays"


def test_what_was_read_of_a_segment_that_went_meanwhile_is_nothing_to_the_next(monkeypatch):
    folder = Folder(monkeypatch)
    folder.write({1: b"a" * 300})
    folder.write({2: b"b" * 300})
    folder.write({3: b"c"})
    folder.begin()
    folder.write({4: b"d" * 300, 5: b"e"})
    folder.begin()
    folder.live.remove(2)
    folder.live.remove(4)
    folder.live.remove(1)
    assert folder.step().emptied == []
    folder.live.remove(3)
    assert folder.cleaner.take().emptied == [1]
    assert [each.rows for each in folder.steps() if each.rows] == [{5: b"e"}]
