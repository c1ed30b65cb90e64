"""Chunks that the journal keeps together: lists of their parts, and no object for each.

As many chunks leave a full journal as come, long after the processor has forgotten them. Objects
that leave one by one are fetched from memory once more, each of their parts.
"""

from array import array
from bisect import bisect_left
from collections import defaultdict, deque
from collections.abc import Iterable, Iterator, Sequence
from itertools import compress
from struct import pack
from typing import Any, Final

from msgspec import Struct, field

OVERHEAD: Final = 128
"""Bytes that a chunk costs beside its data: its parts in a page, and that in its tape."""
PAGE: Final = 448
"""Bytes that a page costs beside its chunks."""
_LARGEST_PAGE: Final = 128 * 1024
"""Bytes from which on a page takes no more chunks."""
_SHARE: Final = 8
"""A page is one part of all in 2 to the power of this, at most: the oldest one leaves as one."""
_SHARE_OF_ONE: Final = 3
"""The same of one connection's share, of which all in a page may be."""
_WORTH: Final = 1024
"""Bytes of the smallest page of several chunks; where limits are lower each has its own."""
PARTS: Final = 4
"""What is added for each chunk to a page's `coming`."""
_MOST_LOOKED_AT: Final = 16
"""Pages of which it is known where they have what, for who looks."""
_SHORT: Final = 32
"""Chunks of a page whose times are not worth an array."""
_FEW: Final = 16
"""Chunks that left a page by themselves, and are not worth to be taken out of its lists."""
_MOST_EMPTY: Final = 64
"""Empty pages that may stand among the others until all are looked through."""


Parts = tuple[list[Any], Sequence[float], Sequence[int], list[bytes | None], Sequence[int]]
"""Tapes, times, marks, data and numbers."""


def room_of_page(most: int, most_of_one: int) -> int:
    """Bytes up to which a page takes more chunks, of what limits allow to all and to one
    connection."""
    room = min(most >> _SHARE, most_of_one >> _SHARE_OF_ONE, _LARGEST_PAGE)
    return room if room >= _WORTH else 0


class Page(Struct, eq=False):
    """Chunks by their numbers, oldest first.

    Until it is sealed `coming` has the tape, time, mark and data of each, one behind the other. A
    mark is the chunk's tail, with its direction in the last bit. Data is None once a chunk left by
    itself; a page that is empty has no tapes.
    """

    first: int
    coming: list[Any] = field(default_factory=list)
    tapes: list[Any] = field(default_factory=list)
    times: Sequence[float] = ()
    marks: Sequence[int] = ()
    datas: list[bytes | None] = field(default_factory=list)
    numbers: Sequence[int] = ()
    gone: int = 0
    """Chunks without data."""
    of_one: bool = False
    """All are of one tape."""

    def seal(self) -> None:
        """No more come."""
        if len(self.coming) == PARTS:
            # A large read or write has a page of its own.
            tape, time, mark, data = self.coming
            self.tapes, self.times, self.marks = [tape], (time,), (mark,)
            self.datas, self.numbers = [data], (self.first,)
            self.of_one = True
        else:
            self.tapes, self.times, self.marks, self.datas, self.numbers = self.parts()
            self.of_one = self.tapes.count(self.tapes[0]) == len(self.tapes)
        self.coming = []

    def parts(self) -> Parts:
        """Of all chunks."""
        coming = self.coming
        if not coming:
            return self.tapes, self.times, self.marks, self.datas, self.numbers
        times: Sequence[float] = coming[1::PARTS]
        if len(times) > _SHORT:
            # An array made of a list asks each number what it is, at ten times the cost.
            times = array("d", pack(f"{len(times)}d", *times))
        return (
            coming[::PARTS],
            times,
            coming[2::PARTS],
            coming[3::PARTS],
            range(self.first, self.first + len(coming) // PARTS),
        )

    def data_of(self, number: int) -> bytes | None:
        if self.coming:
            return bytes(self.coming[(number - self.first) * PARTS + 3])
        place = bisect_left(self.numbers, number)
        there = place < len(self.numbers) and self.numbers[place] == number
        data = self.datas[place] if there else None
        # Of a large body it may be a view.
        return None if data is None else bytes(data)

    def places_of(self, tapes: set[Any]) -> dict[Any, list[int]]:
        """Where a sealed page has chunks of these tapes, oldest first."""
        own = self.tapes
        found: dict[Any, list[int]] = {}
        for place in compress(range(len(own)), map(tapes.__contains__, own)):
            found.setdefault(own[place], []).append(place)
        return found

    def drop(self, tapes: set[Any]) -> list[int]:
        """Let go of all data of these tapes in this sealed page; returns where that was."""
        own, datas = self.tapes, self.datas
        # Most are of others.
        every = compress(range(len(own)), map(tapes.__contains__, own))
        its = [place for place in every if datas[place] is not None]
        for place in its:
            datas[place] = None
        return its

    def drop_some(self, its: list[int], excess: int, stay: int) -> tuple[int, int, int]:
        """Let go of the oldest so many bytes of chunks, but not of those that `stay`, the newest;
        returns how many those are, the number of the newest, and their bytes."""
        datas = self.datas
        dropped = newest = freed = 0
        for place in its[: len(its) - stay]:
            if freed >= excess:
                break
            freed += len(datas[place] or b"") + OVERHEAD
            newest = self.numbers[place]
            datas[place] = None
            dropped += 1
        return dropped, newest, freed

    def compact(self) -> None:
        """Let go of what belongs to chunks without data."""
        here = [data is not None for data in self.datas]
        self.tapes = [*compress(self.tapes, here)]
        times = [*compress(self.times, here)]
        self.times = array("d", pack(f"{len(times)}d", *times))
        self.marks = [*compress(self.marks, here)]
        self.numbers = [*compress(self.numbers, here)]
        self.datas = [*compress(self.datas, here)]
        self.gone = 0

    def clear(self) -> None:
        self.coming.clear()
        self.tapes, self.datas = [], []
        self.times = self.marks = self.numbers = ()
        self.gone = 0


Leaving = defaultdict[Page, set[Any]]
"""Pages with the tapes of which all in them goes: each is walked through once for all of them."""


class Places:
    """Where pages have data of some tapes: each page is walked through once for all of them."""

    __slots__ = ("_found", "_tapes")

    def __init__(self, tapes: Iterable[object]) -> None:
        self._tapes = tapes
        self._found: dict[Page, dict[Any, list[int]]] = {}

    def of(self, page: Page, tape: object) -> list[int]:
        """Oldest first; the page is sealed."""
        found = self._found.get(page)
        if found is None:
            found = self._found[page] = page.places_of({*self._tapes})
        datas = page.datas
        return [place for place in found[tape] if datas[place] is not None]

    def moved(self, page: Page) -> None:
        """What is left in a page stands elsewhere."""
        self._found.pop(page, None)


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
        self.total = 0
        """Bytes of the pages, and of the tapes that have any."""
        self.left = 0
        """Chunks that had to go."""
        self.looks: dict[Page, tuple[Parts, dict[Any, list[int]]]] = {}
        """Pages that were looked at since the last one was sealed."""
        self._empty = 0

    @property
    def seq(self) -> int:
        """The number of the newest chunk; 0: none came."""
        return self.page.first - 1 + len(self.coming) // PARTS

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

    def looked_at(self, page: Page) -> tuple[Parts, dict[Any, list[int]]]:
        """A page's parts, and where among them are those of each tape, oldest first."""
        # Who decodes looks for the chunk before each.
        looks = self.looks
        found = looks.get(page)
        count = len(page.coming) // PARTS or len(page.tapes)
        if found is None or len(found[0][0]) != count:
            if len(looks) >= _MOST_LOOKED_AT:
                looks.clear()
            parts = page.parts()
            places: dict[Any, list[int]] = {}
            for place, tape in enumerate(parts[0]):
                if tape in places:
                    places[tape].append(place)
                else:
                    places[tape] = [place]
            found = looks[page] = parts, places
        return found

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

    def _leave_whole(self, page: Page) -> int:
        """A page that is one tape's alone goes; returns how many chunks it has."""
        tape, count = page.tapes[0], len(page.tapes) - page.gone
        tape.left = max(tape.left, page.numbers[-1])
        self.total -= PAGE
        self.empty(page)
        return count

    def thinned(self, page: Page, count: int) -> bool:
        """So many more chunks of a page have left; returns whether the others have moved."""
        page.gone += count
        if page.gone == len(page.tapes):
            self.total -= PAGE
            self.empty(page)
        elif page.gone > max(len(page.tapes) // 2, _FEW):
            # What is left of them would be more than what is there.
            page.compact()
            return True
        return False

    def let_go(self, leaving: Leaving) -> int:
        """Of each page what all of these tapes have in it; returns how many chunks went."""
        count = 0
        for page, tapes in leaving.items():
            if page.of_one:
                count += self._leave_whole(page)
                continue
            own, numbers = page.tapes, page.numbers
            its = page.drop(tapes)
            for place in its:
                tape, number = own[place], numbers[place]
                # What is behind it may have gone before.
                if tape.left < number:
                    tape.left = number
            count += len(its)
            self.thinned(page, len(its))
        self.left += count
        return count

    def shrink(self, goal: int) -> None:
        """Let the oldest pages go."""
        while self.total > goal and (page := self.pop()) is not None:
            freed = PAGE
            # Of each tape, the newest number.
            for tape, newest in dict(zip(page.tapes, page.numbers, strict=True)).items():
                own = tape.pages
                # Else all that it had of this tape has left already.
                if own and own[0] is page:
                    end = tape.ends.pop(0)
                    del own[0]
                    freed += end - tape.gone
                    tape.gone, tape.left = end, newest
                    if not own:
                        freed += tape.weight
            self.total -= freed
            self.left += len(page.tapes) - page.gone
            page.clear()
