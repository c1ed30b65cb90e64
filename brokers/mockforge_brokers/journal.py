"""The last raw bytes of each connection, kept as they came and decoded only when looked at."""

from collections import deque
from collections.abc import Callable, Hashable, Iterator
from typing import Any, Final, Protocol
from zlib import crc32

from msgspec import Struct, field

from .clock import Clock
from .limits import Limits

IN: Final = 0
"""From the peer to the broker."""
OUT: Final = 1
"""From the broker to the peer."""

_OVERHEAD: Final = 224
"""Bytes that a chunk costs beside its data: itself, its numbers, its places in two deques."""
_TAPE: Final = 1024
"""Bytes that a tape costs beside its chunks: itself, its list and what reads its frames."""
_FEW: Final = 64
"""Chunks of a tape up to which the oldest leaves a list at no cost."""
_SLACK: Final = 9
"""Where the limit of all is met, one part in 2 to the power of this is made free."""
_SLACK_OF_ONE: Final = 6
"""The same where one connection's share is met: some fifty small frames at a time."""
_SLACK_OF_ENDED: Final = 8
"""The same where too many connections ended: some ten tapes at a time."""
_MARKED: Final = 128
"""Bytes of a frame, from each end, that its mark is of."""
_MOST_HOLES: Final = 256
"""Chunks without data that may stand in the common order until it is made anew."""


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


def mark_of(frame: bytes) -> int:
    """What tells a frame from the others of its connection, in few bytes; 0: of no bytes."""
    return crc32(frame[:_MARKED] + frame[-_MARKED:], len(frame)) if frame else 0


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


# There may be a hundred thousand of what follows, at which the garbage collector would look again
# and again: it does not know them. Circles through them, as that of tape and chunk, are broken by
# the journal, as they leave and in `clear`.


class Past(Struct, eq=False, gc=False):
    """One whose frames are read by functions; most have these in common."""

    client: str
    splitter: Callable[[int], Splitter]
    rows: Callable[[int, bytes], list[Row]]
    weight: int = 0


class Chunk(Struct, eq=False, gc=False):
    """One read or write. `tail`: bytes at its end that belong to a frame not yet complete.

    `data` is None once the chunk had to leave.
    """

    tape: "Tape"
    seq: int
    time: float
    direction: int
    data: bytes | None
    tail: int = 0


class Tape(Struct, eq=False):
    """One connection's chunks, oldest first; `left` counts those that had to go.

    `size` is that of the chunks, for which there is `room`; `weight` is what the tape takes beside
    them, which the journal counts as long as there are any.
    """

    journal: "Journal"
    protocol: str
    connection: int
    owner: Owner
    place: Place | None
    """What is asked where its connection comes from, as long as that is there."""
    room: int
    chunks: list[Chunk] | deque[Chunk] = field(default_factory=list)
    # A list until the first has to leave. Most connections are short, and an empty deque takes more
    # room than their chunks.
    size: int = 0
    left: int = 0
    weight: int = _TAPE
    beside: "Tape | None" = None
    """One of the same connection, which leaves with this one."""
    known: Origin = NOWHERE
    """Where its connection came from, once it has ended."""

    def add(self, direction: int, data: bytes, tail: int = 0) -> None:
        """Keep one chunk; the oldest ones leave when a limit is met."""
        # Runs for each read and each write of every connection: names are local, and what is
        # counted is counted here, without a call.
        journal = self.journal
        journal.seq = seq = journal.seq + 1
        chunk = Chunk(self, seq, journal.wall(), direction, data, tail)
        cost = len(data) + _OVERHEAD
        if not self.chunks:
            journal.size += self.weight
        self.chunks.append(chunk)
        journal.chunks.append(chunk)
        self.size = size = self.size + cost
        journal.size = total = journal.size + cost
        if size > self.room:
            self._shrink(tail)
        if total > journal.most:
            journal.shrink()

    def add_exchange(self, came: bytes, went: bytes) -> None:
        """Keep whole frames that came, and what was written for them: as `add` of both."""
        journal = self.journal
        seq, time = journal.seq, journal.wall()
        journal.seq = seq + 2
        cost = len(came) + len(went) + 2 * _OVERHEAD
        chunks, all_chunks = self.chunks, journal.chunks
        if not chunks:
            journal.size += self.weight
        chunk = Chunk(self, seq + 1, time, IN, came)
        chunks.append(chunk)
        all_chunks.append(chunk)
        chunk = Chunk(self, seq + 2, time, OUT, went)
        chunks.append(chunk)
        all_chunks.append(chunk)
        self.size = size = self.size + cost
        journal.size = total = journal.size + cost
        if size > self.room:
            self._shrink()
        if total > journal.most:
            journal.shrink()

    def add_pieces(self, direction: int, pieces: list[bytes], size: int) -> None:
        """Keep a burst of `size` bytes in pieces, whose frames may end anywhere in it: each piece
        but the last counts as part of one frame that is not yet complete."""
        journal = self.journal
        seq, time = journal.seq, journal.wall()
        chunks, all_chunks = self.chunks, journal.chunks
        cost = size + len(pieces) * _OVERHEAD
        if not chunks:
            journal.size += self.weight
        done = 0
        for piece in pieces:
            done += len(piece)
            seq += 1
            chunk = Chunk(self, seq, time, direction, piece, done if done < size else 0)
            chunks.append(chunk)
            all_chunks.append(chunk)
        journal.seq = seq
        self.size = own = self.size + cost
        journal.size = total = journal.size + cost
        if own > self.room:
            self._shrink(size - len(pieces[-1]))
        if total > journal.most:
            journal.shrink()

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
            if self.chunks:
                self.journal.size += weight
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
            for chunk in list(self.chunks)[-count:]
        )

    def pop_of_few(self) -> list[Chunk] | deque[Chunk]:
        """Let the oldest chunk go from a list; returns the others."""
        if len(self.chunks) > _FEW:
            self._queue().popleft()
        else:
            del self.chunks[0]
        return self.chunks

    def leave(self) -> int:
        """Let all chunks go; returns the bytes that they and the tape took."""
        chunks = self.chunks
        if not chunks:
            return 0
        for chunk in chunks:
            chunk.data = None
        freed = self.size + self.weight
        self.left += len(chunks)
        chunks.clear()
        self.size = 0
        return freed

    def _shrink(self, tail: int = 0) -> None:
        # The newest chunk stays, whatever its size: somebody may look at it right now. So does a
        # frame that is longer than a connection's share: its beginning, until its end is there.
        journal = self.journal
        # `room` grows for such a frame, up to half of the whole journal.
        if tail > self.room - journal.most_of_one:
            self.room = max(self.room, min(tail + journal.most_of_one, journal.most // 2))
        if self.size > self.room:
            # A few more than must be: then this is not called for each chunk.
            journal.shortened += self._drop(self.room - (self.room >> _SLACK_OF_ONE))

    def _drop(self, goal: int) -> int:
        """Let the oldest chunks go, down to `goal` bytes or the newest; returns how many went.

        They leave holes in the common order.
        """
        chunks, size, before = self._queue(), self.size, len(self.chunks)
        while size > goal and len(chunks) > 1:
            chunk = chunks.popleft()
            size -= len(chunk.data or b"") + _OVERHEAD
            chunk.data = None
        gone = before - len(chunks)
        freed, self.size = self.size - size, size
        self.left += gone
        self.journal.chunks_left(gone, freed)
        return gone

    def _queue(self) -> deque[Chunk]:
        """The chunks as what many may leave one by one."""
        chunks = self.chunks
        if isinstance(chunks, list):
            chunks = self.chunks = deque(chunks)
        return chunks


class Journal:
    """All tapes, bounded in all; `chunks` is the common order, `left` counts what had to go."""

    def __init__(self, clock: Clock, limits: Limits) -> None:
        self.limits = limits
        # What each chunk asks for: two look-ups less.
        self.wall = clock.wall
        self.most, self.most_of_one = limits.journal_total, limits.journal_connection
        self.chunks: deque[Chunk] = deque()
        self.seq = 0
        self.size = 0
        self.left = 0
        self.shortened = 0
        """Chunks that left since their connection had too many bytes."""
        self.ended_left = 0
        """Tapes of ended connections that left since there were too many."""
        self._open: set[Tape] = set()
        self._ended: deque[Tape] = deque()
        self._holes = 0

    def clear(self) -> None:
        """Let go of everything; whoever is done with a journal calls it."""
        for chunk in self.chunks:
            if chunk.data is not None:
                # Tape and chunk refer to each other, and the collector does not know chunks.
                chunk.tape.chunks.clear()
        self.chunks.clear()
        self._ended.clear()
        self.size = 0

    def open(
        self,
        protocol: str,
        connection: int,
        owner: Owner,
        place: Place | None = None,
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

    def since(self, seq: int) -> Iterator[Chunk]:
        """Chunks after `seq`, newest first; those that had to leave are passed over."""
        # From the newest: who looks twice a second is done at the first chunk that it knows.
        for chunk in reversed(self.chunks):
            if chunk.seq <= seq:
                return
            if chunk.data is not None:
                yield chunk

    def shrink(self) -> None:
        """Let the oldest chunks go, a few more than must be: then this is not called each time."""
        # As many leave a full journal as come: this is on the way of each message, and what a chunk
        # was to its tape is taken from it here, without a call.
        chunks, limit = self.chunks, self.most
        goal = limit - (limit >> _SLACK)
        size, before = self.size, len(chunks)
        holes = 0
        while chunks and (size > goal or chunks[0].data is None):
            chunk = chunks.popleft()
            data = chunk.data
            if data is None:
                holes += 1
                continue
            chunk.data = None
            tape = chunk.tape
            own = tape.chunks
            if isinstance(own, deque):
                own.popleft()
            else:
                own = tape.pop_of_few()
            cost = len(data) + _OVERHEAD
            tape.size -= cost
            tape.left += 1
            size -= cost
            if not own:
                size -= tape.weight
        self.size = size
        self.left += before - len(chunks) - holes
        self._holes -= holes

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
        count = freed = 0
        for _ in range(too_many):
            tape: Tape | None = ended.popleft()
            while tape is not None:
                count += len(tape.chunks)
                freed += tape.leave()
                tape = tape.beside
        self.ended_left += too_many
        self.chunks_left(count, freed)

    def tape_closed(self, tape: Tape) -> None:
        """One beside another is over; it is the other one that counts as a connection."""
        self._open.discard(tape)

    def chunks_left(self, count: int, cost: int) -> None:
        """So many chunks left from among the others, and the bytes that they took."""
        self.size -= cost
        self.left += count
        chunks, holes = self.chunks, self._holes + count
        # A hole keeps its tape. Most that leave are the oldest, as their connections were.
        while chunks and chunks[0].data is None:
            chunks.popleft()
            holes -= 1
        if holes > _MOST_HOLES and holes > len(chunks) // 2:
            # Behind one old chunk there may be many of them.
            self.chunks = deque([chunk for chunk in chunks if chunk.data is not None])
            holes = 0
        self._holes = holes
