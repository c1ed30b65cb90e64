"""Chunks that the journal keeps together: lists of their parts, and no object for each.

As many chunks leave a full journal as come, long after the processor has forgotten them. Objects
that leave one by one are fetched from memory once more, each of their parts.
"""

from array import array
from bisect import bisect_left
from collections import deque
from collections.abc import Iterator, Sequence
from itertools import compress, repeat
from operator import is_
from struct import pack
from typing import Any, Final

OVERHEAD: Final = 128
"""Bytes that a chunk costs beside its data: its parts in a page, and that in its tape."""
_LARGEST_PAGE: Final = 128 * 1024
"""Bytes from which on a page takes no more chunks."""
_SHARE: Final = 8
"""A page is one part of all in 2 to the power of this, at most: the oldest one leaves as one."""
_SHARE_OF_ONE: Final = 3
"""The same of one connection's share, of which all in a page may be."""
_WORTH: Final = 1024
"""Bytes of the smallest page of several chunks; where limits are lower each has its own."""
_PARTS: Final = 4
"""What is added for each chunk to a page's `coming`."""
_MOST_EMPTY: Final = 64
"""Empty pages that may stand among the others until all are looked through."""


def room_of_page(most: int, most_of_one: int) -> int:
    """Bytes up to which a page takes more chunks, of what limits allow to all and to one
    connection."""
    room = min(most >> _SHARE, most_of_one >> _SHARE_OF_ONE, _LARGEST_PAGE)
    return room if room >= _WORTH else 0


class Page:
    """Chunks by their numbers, oldest first.

    Until it is sealed `coming` has the tape, time, mark and data of each, one behind the other. A
    mark is the chunk's tail, with its direction in the last bit. Data is None once a chunk left by
    itself; a page that is empty has no tapes.
    """

    __slots__ = ("coming", "datas", "first", "gone", "marks", "numbers", "of_one", "tapes", "times")

    def __init__(self, first: int) -> None:
        self.first = first
        self.coming: list[Any] = []
        self.tapes: list[Any] = []
        self.times: Sequence[float] = ()
        self.marks: Sequence[int] = ()
        self.datas: list[bytes | None] = []
        self.numbers: Sequence[int] = ()
        self.gone = 0
        """Chunks without data."""
        self.of_one = False
        """All are of one tape."""

    def seal(self) -> None:
        """No more come."""
        if len(self.coming) == _PARTS:
            # A large read or write has a page of its own.
            tape, time, mark, data = self.coming
            self.tapes, self.times, self.marks = [tape], (time,), (mark,)
            self.datas, self.numbers = [data], (self.first,)
            self.coming = []
            return
        self.tapes, self.times, self.marks, self.datas, self.numbers = self.parts()
        self.coming = []

    def parts(
        self,
    ) -> tuple[list[Any], Sequence[float], Sequence[int], list[bytes | None], Sequence[int]]:
        """Tapes, times, marks, data and numbers of all chunks."""
        coming = self.coming
        if not coming:
            return self.tapes, self.times, self.marks, self.datas, self.numbers
        times = coming[1::_PARTS]
        return (
            coming[::_PARTS],
            # An array made of a list asks each number what it is, at ten times the cost.
            array("d", pack(f"{len(times)}d", *times)),
            coming[2::_PARTS],
            coming[3::_PARTS],
            range(self.first, self.first + len(coming) // _PARTS),
        )

    def data_of(self, number: int) -> bytes | None:
        if self.coming:
            data: bytes = self.coming[(number - self.first) * _PARTS + 3]
            return data
        place = bisect_left(self.numbers, number)
        there = place < len(self.numbers) and self.numbers[place] == number
        return self.datas[place] if there else None

    def places_of(self, tape: object) -> list[int]:
        """Where a sealed page has data of this tape, oldest first."""
        datas, tapes = self.datas, self.tapes
        # Most are of others.
        of_it = compress(range(len(tapes)), map(is_, tapes, repeat(tape)))
        return [place for place in of_it if datas[place] is not None]

    def drop(self, tape: object) -> tuple[int, int]:
        """Let go of all data of a tape that has some in this sealed page; returns how many chunks
        that were, and the number of the newest."""
        if self.of_one:
            # The page is empty then, which whoever asks for this clears.
            return len(self.tapes) - self.gone, self.numbers[-1]
        places, datas = self.places_of(tape), self.datas
        for place in places:
            datas[place] = None
        return len(places), self.numbers[places[-1]]

    def drop_some(self, tape: object, excess: int, stay: int) -> tuple[int, int, int]:
        """As `drop`, of the oldest so many bytes of chunks, but not of those that `stay`, the
        newest; returns their bytes too."""
        places, datas = self.places_of(tape), self.datas
        dropped = newest = freed = 0
        for place in places[: len(places) - stay]:
            if freed >= excess:
                break
            freed += len(datas[place] or b"") + OVERHEAD
            newest = self.numbers[place]
            datas[place] = None
            dropped += 1
        return dropped, newest, freed

    def compact(self) -> None:
        """Let go of what belongs to chunks without data."""
        kept = [place for place, data in enumerate(self.datas) if data is not None]
        self.tapes = [self.tapes[place] for place in kept]
        self.times = array("d", [self.times[place] for place in kept])
        self.marks = [self.marks[place] for place in kept]
        self.numbers = [self.numbers[place] for place in kept]
        self.datas = [self.datas[place] for place in kept]
        self.gone = 0

    def clear(self) -> None:
        self.coming.clear()
        self.tapes, self.datas = [], []
        self.times = self.marks = self.numbers = ()
        self.gone = 0


class Pages:
    """All pages, in the order of their chunks."""

    def __init__(self, page_room: int) -> None:
        """`page_room`: bytes up to which one takes more chunks."""
        self.page_room = page_room
        self.page = Page(1)
        """The one that chunks come to."""
        self.coming = self.page.coming
        self.spare = page_room
        """Bytes that it has room for."""
        self.pages: deque[Page] = deque()
        """All others, which are sealed."""
        self._empty = 0

    @property
    def seq(self) -> int:
        """The number of the newest chunk; 0: none came."""
        return self.page.first - 1 + len(self.coming) // _PARTS

    @property
    def oldest(self) -> int:
        """The number of the oldest chunk that is here, or of the next one to come."""
        for page in self.pages:
            for number, data in zip(page.numbers, page.datas, strict=True):
                if data is not None:
                    return number
        return self.page.first

    def newest_first(self) -> Iterator[Page]:
        yield self.page
        yield from reversed(self.pages)

    def sealed(self) -> Page:
        """What came since the last time; another page takes what comes now."""
        page = self.page
        page.seal()
        self.pages.append(page)
        self.page = Page(page.numbers[-1] + 1)
        self.coming = self.page.coming
        self.spare = self.page_room
        return page

    def pop(self) -> Page | None:
        """Take the oldest page out; None: there is none."""
        while self.pages:
            page = self.pages.popleft()
            if page.tapes:
                return page
            self._empty -= 1
        return None

    def empty(self, page: Page) -> None:
        """All of its chunks left by themselves."""
        page.clear()
        pages, empty = self.pages, self._empty + 1
        # Most that leave are the oldest, as their connections were.
        while pages and not pages[0].tapes:
            pages.popleft()
            empty -= 1
        if empty > _MOST_EMPTY and empty > len(pages) // 2:
            # Behind one old page there may be many of them.
            self.pages = deque([page for page in pages if page.tapes])
            empty = 0
        self._empty = empty
