"""The last raw bytes of each connection, kept as they came and decoded only when looked at."""

from bisect import bisect_left
from collections import deque
from collections.abc import Callable, Hashable, Iterator
from itertools import compress, islice
from operator import attrgetter
from typing import Any, Final, Protocol

from msgspec import Struct, field

from .clock import Clock
from .limits import Limits
from .pages import OVERHEAD, PAGE, PARTS, Leaving, Page, Pages, Places, room_of_page

IN: Final = 0
"""From the peer to the broker."""
OUT: Final = 1
"""From the broker to the peer."""

_TAPE: Final = 1024
"""Bytes that a tape costs beside its chunks: itself, its lists and what reads its frames."""
_FIRST: Final = attrgetter("first")
_SLACK_OF_ONE: Final = 4
"""Where one connection's share is met, one part in 2 to the power of this is made free."""
_SHARE_OF_BURST: Final = 2
"""Of one connection's share what is one part in 2 to the power of this leaves as a whole."""
_SLACK_OF_ENDED: Final = 6
"""The same where too many connections ended: some fifty tapes at a time, since each time what came
so far becomes a page, and those with something of theirs are walked through."""


class Origin(Struct, frozen=True, gc=False):
    """Where a frame's connection comes from: its `user` (empty: nobody logged in) and `address`.

    `listener` are the names of the one that it came by: `ws`, `mqtt-ws`, its port. `vhost` is the
    virtual host that it opened.
    """

    user: str = ""
    address: str = ""
    listener: tuple[str, ...] = ()
    vhost: str = ""


NOWHERE: Final = Origin()
"""Of what came by no socket."""


class Row(Struct):
    """One message, request or packet as people see it; `seq` and `time` are the chunk's.

    `kind` is message, control or noise (pings, empty polls). `destination` is a Kafka topic, an
    MQTT topic or an AMQP exchange or queue; `detail` has the protocol's own fields under their
    specification's names (partition, offset, qos, retain, routing_key, group, code, ...).
    `error` names a protocol error or an error code that is on the wire. `correlation` is common
    to a request and what answers it on its connection (None: nothing answers, or it is unknown).
    """

    protocol: str
    direction: int
    operation: str
    connection: int = 0
    client: str = ""
    kind: str = "control"
    destination: str = ""
    key: bytes | None = None
    payload: bytes | None = None
    size: int = 0
    headers: tuple[tuple[str, Any], ...] = ()
    detail: dict[str, Any] = field(default_factory=dict)
    error: str = ""
    correlation: Hashable = None
    frame: bytes = b""
    part: int = 0
    """Its place among its frame's rows."""
    seq: int = 0
    time: float = 0.0
    held: int = 0
    fault: int = 0
    marked: bool = False
    origin: Origin = NOWHERE


class Splitter(Protocol):
    """Cuts one direction's bytes into whole frames (for AMQP: a method with its content)."""

    def feed(self, data: bytes) -> list[bytes]:
        """The frames that are whole now, in order; raises ProtocolError."""
        ...

    @property
    def pending(self) -> int:
        """Bytes of the incomplete frame at the end."""
        ...

    def take(self) -> bytes:
        """Hand back the incomplete bytes and forget them."""
        ...


class Owner(Protocol):
    """Whose bytes a tape holds: a connection, or a producer inside the process."""

    @property
    def client(self) -> str: ...

    def splitter(self, direction: int) -> Splitter:
        """A new splitter that starts at a frame's first byte."""
        ...

    def rows(self, direction: int, frame: bytes) -> list[Row]:
        """What one whole frame says, for people: at least one row; bad bytes make `error` rows.

        Works at any time after the frame passed, so it must not need frames that came before.
        """
        ...


class Place(Protocol):
    """What knows where a connection comes from."""

    def origin(self) -> Origin: ...


class PastOwner(Owner, Protocol):
    """The owner of a tape whose connection has ended: all that its frames need to be read.

    Thousands are kept, which hold nothing of the connection itself.
    """

    @property
    def weight(self) -> int:
        """What that takes in bytes, where it can be much."""
        ...


class Past(Struct, eq=False, gc=False):
    """One whose frames are read by functions; most have these in common.

    There may be thousands, at which the garbage collector need not look again and again.
    """

    client: str
    splitter: Callable[[int], Splitter]
    rows: Callable[[int, bytes], list[Row]]
    weight: int = 0


class Chunk(Struct, eq=False, gc=False):
    """One read or write, made for who looks. `tail`: bytes at its end that belong to a frame not
    yet complete."""

    tape: "Tape"
    seq: int
    time: float
    direction: int
    tail: int
    page: Page

    @property
    def data(self) -> bytes | None:
        """None once the chunk had to leave, which may be while somebody looks."""
        return self.page.data_of(self.seq)


class Tape(Struct, eq=False):
    """One connection's chunks.

    `came` counts the bytes of all that ever came, `gone` of those that had to leave; for the
    difference there is `room`. `weight` is what the tape takes beside them, which the journal
    counts as long as there are any.
    """

    journal: "Journal"
    protocol: str
    connection: int
    owner: Owner
    place: Place | None
    """What is asked where its connection comes from, as long as that is there."""
    room: int
    came: int = 0
    gone: int = 0
    left: int = 0
    """The number of the newest chunk that had to go; 0: none had to."""
    pages: list[Page] = field(default_factory=list)
    """Those sealed ones that have data of it, oldest first."""
    ends: list[int] = field(default_factory=list)
    """For each page, what had come at its end."""
    over: bool = False
    """Its newest chunk alone is more than its share, and leaves once another comes."""
    weight: int = _TAPE
    beside: "Tape | None" = None
    """One of the same connection, which leaves with this one."""
    known: Origin = NOWHERE
    """Where its connection came from, once it has ended."""

    def add(self, direction: int, data: bytes, tail: int = 0) -> None:
        """Keep one chunk; the oldest ones leave when a limit is met."""
        # Runs for each read and each write of every connection: what can be done for a whole page
        # is done when it is sealed.
        journal = self.journal
        journal.coming += (self, journal.wall(), tail << 1 | direction, data)
        cost = len(data) + OVERHEAD
        self.came += cost
        journal.spare = spare = journal.spare - cost
        if spare < 0 or self.over:
            self.over = False
            journal.seal_behind(self, 1, cost)

    def add_exchange(self, came: bytes, went: bytes) -> None:
        """Keep whole frames that came, and what was written for them: as `add` of both."""
        journal = self.journal
        time = journal.wall()
        journal.coming += (self, time, IN, came, self, time, OUT, went)
        cost = len(came) + len(went) + 2 * OVERHEAD
        self.came += cost
        journal.spare = spare = journal.spare - cost
        if spare < 0 or self.over:
            self.over = False
            journal.seal()

    def add_pieces(self, direction: int, pieces: list[bytes], size: int) -> None:
        """Keep a burst of `size` bytes in pieces, whose frames may end anywhere in it: each piece
        but the last counts as part of one frame that is not yet complete."""
        journal = self.journal
        time, coming = journal.wall(), journal.coming
        done = 0
        for piece in pieces:
            done += len(piece)
            coming += (self, time, (done if done < size else 0) << 1 | direction, piece)
        cost = size + len(pieces) * OVERHEAD
        self.came += cost
        journal.spare = spare = journal.spare - cost
        if spare < 0 or self.over:
            self.over = False
            journal.seal_behind(self, len(pieces), cost)

    @property
    def size(self) -> int:
        """Bytes that its chunks take."""
        return self.came - self.gone

    def back(self, before: int | None = None) -> Iterator[Chunk]:
        """Its chunks, newest first: all, or those before a number."""
        journal, pages = self.journal, self.pages
        if before is not None:
            pages = pages[: bisect_left(pages, before, key=_FIRST)]
        for page in (journal.page, *reversed(pages)):
            if before is not None and page.first >= before:
                continue
            (_, times, marks, datas, numbers), places = journal.looked_at(page)
            own = places.get(self, [])
            end = len(own)
            if before is not None:
                end = bisect_left(own, before, key=numbers.__getitem__)
            for at in range(end - 1, -1, -1):
                place = own[at]
                if datas[place] is not None:
                    mark = marks[place]
                    yield Chunk(self, numbers[place], times[place], mark & 1, mark >> 1, page)

    def end(self, past: PastOwner, beside: "Tape | None" = None) -> None:
        """The connection is over: `past` reads its frames from now on.

        Of two tapes of one connection the one that is `beside` the other ends first.
        """
        # Or a tape would keep its connection, with its session, as long as anybody may look.
        self.owner = past
        if self.place is not None:
            self.known = self.place.origin()
            self.place = None
        weight = past.weight
        if weight:
            self.weight += weight
            if self.pages:
                self.journal.total += weight
        if beside is None:
            self.journal.tape_ended(self)
        else:
            beside.beside = self
            self.journal.tape_closed(self)

    def origin(self) -> Origin:
        """Where its connection comes from, as far as that is known by now."""
        return self.known if self.place is None else self.place.origin()

    def last(self, count: int = 4) -> str:
        """The newest chunks in hex, for a log."""
        return "".join(
            f"{'<' if chunk.direction == OUT else '>'} {(chunk.data or b'')[:512].hex(' ')}\n"
            for chunk in reversed([*islice(self.back(), count)])
        )

    def leave(self, leaving: Leaving) -> int:
        """Let all sealed chunks go; returns how many bytes those and the tape have."""
        if not self.pages:
            return 0
        freed = self.size + self.weight
        for page in self.pages:
            leaving[page].add(self)
        self.gone = self.ends[-1]
        self.pages.clear()
        self.ends.clear()
        return freed

    def shrink(self, page: Page, longest: int, places: Places, leaving: Leaving) -> int:
        """Its share is met with this page, in which no tail is longer than this; returns how many
        of the oldest chunks went, beside what goes with all that is `leaving`."""
        # The newest chunk stays, whatever its size: somebody may look at it right now. So does a
        # frame that is longer than a connection's share: its beginning, until its end is there.
        journal = self.journal
        # `room` grows for such a frame, up to half of the whole journal.
        spare = self.room - journal.most_of_one
        if longest > spare:
            tail = max(page.marks[place] for place in places.of(page, self)) >> 1
            if tail > spare:
                self.room = max(self.room, min(tail + journal.most_of_one, journal.most // 2))
        room = self.room - journal.page_room
        if self.size <= room:
            return 0
        before = self.gone
        # A few more than must be: it is not worth it for each chunk.
        count = self._drop(room - (room >> _SLACK_OF_ONE), places, leaving)
        self.over = self.came - self.gone > self.room
        journal.total -= self.gone - before
        return count

    def _drop(self, goal: int, places: Places, leaving: Leaving) -> int:
        """Let the oldest chunks go, down to `goal` bytes or the newest one, whole pages of them as
        long as that is not much below the goal; returns how many others went."""
        journal, pages, ends = self.journal, self.pages, self.ends
        last, whole = self.came - goal, 0
        # A large burst, which has a page of its own, goes at once, too.
        most = last + max(journal.page_room, goal >> _SHARE_OF_BURST)
        newest = len(pages) - 1
        while whole < newest and self.gone < last and ends[whole] <= most:
            leaving[pages[whole]].add(self)
            self.gone = ends[whole]
            whole += 1
        del pages[:whole], ends[:whole]
        excess = last - self.gone
        if excess <= 0:
            return 0
        page = pages[0]
        its = places.of(page, self)
        dropped, number, freed = page.drop_some(its, excess, 1 if len(pages) == 1 else 0)
        if dropped:
            self.left = number
            self.gone += freed
            if self.gone == ends[0]:
                del pages[0], ends[0]
            if journal.thinned(page, dropped):
                places.moved(page)
        return dropped


class Journal(Pages):
    """All tapes, bounded in all."""

    def __init__(self, clock: Clock, limits: Limits) -> None:
        self.limits = limits
        # What each chunk asks for: two look-ups less.
        self.wall = clock.wall
        self.most, self.most_of_one = limits.journal_total, limits.journal_connection
        super().__init__(room_of_page(self.most, self.most_of_one))
        self.shortened = 0
        """Chunks that left since their connection had too many bytes."""
        self.ended_left = 0
        """Tapes of ended connections that left since there were too many."""
        self._open: set[Tape] = set()
        self._ended: deque[Tape] = deque()

    @property
    def size(self) -> int:
        """Bytes that all chunks take, and their tapes."""
        self.seal()
        return self.total

    def clear(self) -> None:
        """Let go of everything; whoever is done with a journal calls it."""
        for page in (*self.pages, self.page):
            for tape in page.tapes:
                tape.pages.clear()
                tape.ends.clear()
            page.clear()
        for each in (self.pages, self._ended, self.looks):
            each.clear()
        self.total, self.spare = 0, self.page_room

    def open(
        self, protocol: str, connection: int, owner: Owner, place: Place | None = None
    ) -> Tape:
        """Begin a tape; `place` is asked when somebody looks at its frames (None: nowhere)."""
        tape = Tape(self, protocol, connection, owner, place, self.most_of_one)
        self._open.add(tape)
        return tape

    @property
    def longest(self) -> int:
        """Bytes of the open connection with most of them."""
        return max((tape.size for tape in self._open), default=0)

    @property
    def ended(self) -> int:
        """How many tapes of ended connections are kept."""
        return len(self._ended)

    def since(
        self, seq: int, wanted: Callable[[Tape], bool] = lambda tape: True
    ) -> Iterator[Chunk]:
        """Chunks after `seq`, newest first; those that had to leave are passed over.

        Of each tape it is asked once whether its chunks are wanted.
        """
        asked: dict[Tape, bool] = {}
        # From the newest: who looks twice a second is done at the first chunk that it knows.
        for page in self.newest_first():
            tapes, times, marks, datas, numbers = page.parts()
            if numbers and numbers[-1] <= seq:
                return
            for tape in {*tapes} - asked.keys():
                asked[tape] = wanted(tape)
            places = [*compress(range(len(tapes)), map(asked.__getitem__, tapes))]
            for place in reversed(places):
                number, mark = numbers[place], marks[place]
                if number <= seq:
                    return
                if datas[place] is not None:
                    yield Chunk(tapes[place], number, times[place], mark & 1, mark >> 1, page)

    def seal_behind(self, tape: Tape, count: int, cost: int) -> None:
        """As `seal`, behind so many chunks of one tape, which came together and cost so much.

        What is large has a page of its own: its tape, whose share it soon fills, lets go of that as
        a whole, and nobody looks for its chunks among those of others.
        """
        before = len(self.coming) - PARTS * count
        if before and cost > self.page_room // 2:
            newest = self.coming[before:]
            del self.coming[before:]
            tape.came -= cost
            self.spare += cost
            self.seal()
            self.coming += newest
            tape.came += cost
            self.spare -= cost
        self.seal()

    def seal(self) -> None:
        """What came since the last one is a page; the oldest pages leave when a limit is met."""
        self.looks.clear()
        if not self.coming:
            return
        self.total += self.page_room - self.spare + PAGE
        page = self.sealed()
        met = []
        for tape in page.tapes[:1] if page.of_one else dict.fromkeys(page.tapes):
            if not tape.pages:
                self.total += tape.weight
            tape.pages.append(page)
            tape.ends.append(tape.came)
            if tape.came - tape.gone > tape.room - self.page_room:
                met.append(tape)
        if met:
            longest, places, leaving = max(page.marks) >> 1, Places(met), Leaving(set)
            count = sum([tape.shrink(page, longest, places, leaving) for tape in met])
            self.left += count
            self.shortened += count + self.let_go(leaving)
        # With room for what comes next.
        if self.total > self.most - self.page_room:
            self.shrink(self.most - self.page_room)

    def tape_ended(self, tape: Tape) -> None:
        """Keep so many tapes of ended connections, and no more."""
        self._open.discard(tape)
        self._ended.append(tape)
        if len(self._ended) > self.limits.journal_ended:
            self._let_ended_go()

    def _let_ended_go(self) -> None:
        # A few more than must be: then this is not called for each connection that ends.
        ended, most = self._ended, self.limits.journal_ended
        too_many = len(ended) - most + (most >> _SLACK_OF_ENDED)
        self.seal()
        leaving: list[Tape] = []
        for _ in range(too_many):
            tape: Tape | None = ended.popleft()
            while tape is not None:
                leaving.append(tape)
                tape = tape.beside
        pages = Leaving(set)
        self.total -= sum([each.leave(pages) for each in leaving])
        self.let_go(pages)
        self.ended_left += too_many

    def tape_closed(self, tape: Tape) -> None:
        """One beside another is over; it is the other one that counts as a connection."""
        self._open.discard(tape)
