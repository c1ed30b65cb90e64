"""The journal's newest chunks to rows, within a budget of time.

While it keeps up, every frame becomes rows, in order. When it has worked for a second without
having kept up, or shows what is two seconds old, it samples: each call takes the newest chunk of
every connection first, so that a quiet client is not drowned by a loud one, and what it passes over
is counted in bytes.
"""

from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import chain
from math import inf
from typing import Final

from mockforge_brokers.journal import Chunk, Journal, Row, Splitter, Tape

PATIENCE: Final = 1.0
"""Seconds of the timer, which may be those of work alone, behind before rows are sampled."""
LATEST: Final = 2.0
"""Seconds that a frame may wait while others come behind it."""
_MOST_CHUNKS: Final = 4096
_MOST_BYTES: Final = 8 * 1024 * 1024
_LARGEST_FRAME: Final = 8 * 1024 * 1024
_FRAMES_OF_A_SAMPLE: Final = 8
_LEAST_CHUNKS: Final = 4
_CHUNKS_BETWEEN_LOOKS: Final = 256
_RAW_SHOWN: Final = 4096


class _Lane:
    """Where decoding stands in one tape: the last chunk fed, a splitter for each direction."""

    __slots__ = ("fed", "lost", "splitters")

    def __init__(self) -> None:
        self.fed = 0
        self.splitters: list[Splitter | None] = [None, None]
        self.lost = [False, False]


class Decoder:
    """Reads one journal. `decoded` and `passed_over` are bytes; `sampling` says which mode."""

    def __init__(self, journal: Journal, timer: Callable[[], float], since: int = 0) -> None:
        self.sampling = False
        self.sampled = False
        """What it decoded last was a sample: frames between its rows may be missing."""
        self.decoded = 0
        self.passed_over = 0
        self._journal = journal
        self._timer = timer
        self._last = since
        self._coming: list[Chunk] = []
        """Newest first: what `decode_on` has still to look at."""
        self._lanes: dict[Tape, _Lane] = {}
        self._frames: deque[tuple[Chunk, bytes]] = deque()
        self._behind_since: float | None = None
        self._next: Chunk | None = None
        """The oldest that was not looked at when time was up."""

    def decode(self, budget: float) -> list[Row]:
        """The rows of what came since the last call, oldest first; takes about `budget` s."""
        now = self._timer()
        deadline = now + budget
        pending = self._pending()
        if pending is None or self._too_far_behind(now):
            self.sampling = True
        self.sampled = self.sampling
        if not self.sampling:
            rows = self._follow(pending or [], deadline)
            if self._frames or self._last < self._journal.seq:
                if self._behind_since is None:
                    self._behind_since = now
            else:
                self._behind_since = None
            return rows
        return self._sample(deadline, budget)

    def decode_all(self, budget: float, wanted: Callable[[Tape], bool]) -> Iterator[list[Row]]:
        """Every frame that the wanted tapes have now, in portions of about `budget` seconds."""
        # Listed once: the journal may be long, and who fills it is faster than who decodes it.
        coming = self._of(wanted, self._journal.seq)
        while coming or self._frames:
            yield list(chain.from_iterable(self._some_of(coming, self._timer() + budget)))

    def decode_on(
        self, budget: float, wanted: Callable[[Tape], bool], until: int | None = None
    ) -> list[list[Row]]:
        """Of what the wanted tapes got since the last call, oldest first, the rows of each frame,
        and none left out: where `budget` seconds are not enough the next call goes on.

        What came after chunk `until` is left out.
        """
        if not (self._coming or self._frames):
            end = self._journal.seq if until is None else until
            self._coming = self._of(wanted, end)
            self._last = end
        return self._some_of(self._coming, self._timer() + budget)

    def _of(self, wanted: Callable[[Tape], bool], end: int) -> list[Chunk]:
        """What the wanted tapes got since the last call, up to chunk `end`, newest first."""
        return [chunk for chunk in self._journal.since(self._last, wanted) if chunk.seq <= end]

    def is_behind(self, until: int | None = None) -> bool:
        """Whether `decode_on` has more to do than it had time for, up to this chunk."""
        return bool(self._coming or self._frames) or (until is not None and self._last < until)

    def decode_these(self, chunks: Iterable[Chunk]) -> list[Row]:
        """All rows of some chunks, newest first: for who looks once. Oldest rows come first."""
        return list(chain.from_iterable(self._some_of(list(chunks), inf)))

    def decode_newest(
        self, chunks: Sequence[Chunk], *, most_frames: int, most_rows: int
    ) -> tuple[list[Row], bool]:
        """Rows of the newest frames of some chunks, which stand newest first, and whether there are
        no more of them. Oldest rows come first; the last frame may bring more than `most_rows`.
        """
        cut: list[Row | tuple[Chunk, bytes]] = []
        for chunk in reversed(chunks):
            if chunk.data is not None:
                cut += self._feed(chunk)
                cut += self._frames
                self._frames.clear()
        found: list[list[Row]] = []
        rows = 0
        while cut and len(found) < most_frames and rows < most_rows:
            each = cut.pop()
            found.append([each] if isinstance(each, Row) else frame_rows(*each))
            rows += len(found[-1])
        return list(chain.from_iterable(reversed(found))), not cut

    def _some_of(self, coming: list[Chunk], deadline: float) -> list[list[Row]]:
        """Rows, frame by frame, of chunks that are taken off the list from its end (they stand
        newest first), until time is up."""
        found: list[list[Row]] = []
        timer, frames = self._timer, self._frames
        while coming or frames:
            if not frames:
                chunk = coming.pop()
                # It may have left since it was listed.
                if chunk.data is not None:
                    found += ([row] for row in self._feed(chunk))
            else:
                waiting, frame = frames.popleft()
                self.decoded += len(frame)
                found.append(frame_rows(waiting, frame))
            if timer() >= deadline:
                break
        return found

    @property
    def reached(self) -> float:
        """The time of the oldest frame that waits to be decoded; infinite when none does."""
        if self._frames:
            return self._frames[0][0].time
        if self.sampling or self._last >= self._journal.seq:
            return inf
        if self._next is not None:
            return self._next.time
        # None was left: what is there came since.
        coming = deque(self._journal.since(self._last), maxlen=1)
        return coming[0].time if coming else inf

    def forget_ended(self, connections: set[int]) -> None:
        """Let go of tapes whose connection is gone; without effect while behind."""
        if not self._frames and self._last >= self._journal.seq:
            for tape in [tape for tape in self._lanes if tape.connection in connections]:
                del self._lanes[tape]
            connections.clear()

    def _too_far_behind(self, now: float) -> bool:
        if self._behind_since is not None and now - self._behind_since > PATIENCE:
            return True
        waiting = self._frames[0][0] if self._frames else self._next
        newest = next(self._journal.since(0), waiting)
        # Its timer may stand still while nobody decodes: a live view would be live no more.
        return waiting is not None and newest is not None and newest.time - waiting.time > LATEST

    def _pending(self) -> list[Chunk] | None:
        """Chunks not yet looked at, oldest first; None if they are too many to follow."""
        journal = self._journal
        if journal.seq - self._last > _MOST_CHUNKS:
            return None
        pending, size = [], 0
        for chunk in journal.since(self._last):
            pending.append(chunk)
            size += len(chunk.data or b"")
        pending.reverse()
        return pending if size <= _MOST_BYTES else None

    # Every frame ------------------------------------------------------------------------

    def _follow(self, pending: list[Chunk], deadline: float) -> list[Row]:
        rows: list[Row] = []
        timer, frames = self._timer, self._frames
        coming = iter(pending)
        while True:
            while frames:
                chunk, frame = frames.popleft()
                self.decoded += len(frame)
                rows += frame_rows(chunk, frame)
                if timer() >= deadline:
                    self._next = next(coming, None)
                    return rows
            self._next = following = next(coming, None)
            if following is None:
                # Chunks that left before they were looked at are not pending any more.
                self._last = self._journal.seq
                return rows
            rows += self._feed(following)
            self._last = following.seq
            if timer() >= deadline:
                self._next = next(coming, None)
                return rows

    def _feed(self, chunk: Chunk) -> list[Row]:
        """Cut one chunk; its frames wait, what makes no frame comes back as raw rows."""
        tape, direction, data = chunk.tape, chunk.direction, chunk.data or b""
        self.decoded += len(data)
        lane = self._lanes.get(tape)
        if lane is None or lane.fed < tape.left:
            lane = self._lanes[tape] = _Lane()
        lane.fed = chunk.seq
        splitter = lane.splitters[direction]
        if splitter is None:
            head = _unfinished_before(chunk)
            if head is None:
                return self._feed_lost(lane, chunk)
            splitter = lane.splitters[direction] = tape.owner.splitter(direction)
            data = head + data
        lane.lost[direction] = False
        try:
            frames = splitter.feed(data)
        except Exception as error:  # hostile bytes, or a bug in a splitter: both are shown raw
            lane.splitters[direction] = None
            return [raw_row(chunk, data, error=str(error) or type(error).__name__)]
        self._frames.extend((chunk, frame) for frame in frames)
        # They count once they are rows: of those that wait a sample may leave some out.
        self.decoded -= sum(map(len, frames))
        if splitter.pending > _LARGEST_FRAME:
            lane.splitters[direction] = None
            lane.lost[direction] = True
            return [raw_row(chunk, data, f"a frame of more than {_LARGEST_FRAME >> 20} MiB")]
        return []

    def _feed_lost(self, lane: _Lane, chunk: Chunk) -> list[Row]:
        """Where the frame began is not known: go on at the chunk's first boundary, if any."""
        data, direction = chunk.data or b"", chunk.direction
        known, lane.lost[direction] = lane.lost[direction], True
        skipped = data
        if chunk.tail <= len(data):
            splitter = lane.splitters[direction] = chunk.tape.owner.splitter(direction)
            skipped = data[: len(data) - chunk.tail]
            try:
                splitter.feed(data[len(data) - chunk.tail :])
            except Exception:  # the next chunk tries again
                lane.splitters[direction] = None
        if known or not skipped:
            return []
        return [raw_row(chunk, skipped, "its frame's beginning has left the journal")]

    # Samples ----------------------------------------------------------------------------

    def _sample(self, deadline: float, budget: float) -> list[Row]:
        rows = self._leave_waiting()
        self._lanes.clear()
        self._behind_since = self._next = None
        newest, complete, size = self._newest(deadline - budget / 2)
        found: list[tuple[int, list[Row]]] = []
        for chunk in newest:
            # At least a few, so that a slow machine shows something too.
            if len(found) >= _LEAST_CHUNKS and self._timer() >= deadline:
                complete = False
                break
            frames = frames_of(chunk)
            shown = frames[-_FRAMES_OF_A_SAMPLE:]
            # What is shown, and not what the chunk has: a burst that is handled in slices leaves
            # most of its frames to the next chunk.
            taken = sum(map(len, shown))
            self.decoded += taken
            size -= taken
            complete = complete and len(shown) == len(frames)
            found.append((chunk.seq, [row for frame in shown for row in frame_rows(chunk, frame)]))
        if not complete:
            self.passed_over += max(0, size)
        self._last = self._journal.seq
        self.sampling = not complete
        found.sort(key=lambda each: each[0])
        return rows + [row for _, of_chunk in found for row in of_chunk]

    def _leave_waiting(self) -> list[Row]:
        """Let go of the chunk whose frames wait; its newest ones are shown as those of others."""
        frames = self._frames
        while len(frames) > _FRAMES_OF_A_SAMPLE:
            self.passed_over += len(frames.popleft()[1])
        rows = [row for chunk, frame in frames for row in frame_rows(chunk, frame)]
        self.decoded += sum(len(frame) for _, frame in frames)
        frames.clear()
        return rows

    def _newest(self, deadline: float) -> tuple[list[Chunk], bool, int]:
        """Chunks in the order of their worth, whether those are all, and the bytes of all."""
        by_tape: dict[Tape, list[Chunk]] = {}
        size = count = 0
        for chunk in self._journal.since(self._last):
            by_tape.setdefault(chunk.tape, []).append(chunk)
            size += len(chunk.data or b"")
            count += 1
            if count % _CHUNKS_BETWEEN_LOOKS == 0 and self._timer() >= deadline:
                break
        coming = self._journal.seq - self._last
        complete = count >= coming
        if not complete:
            size = size * coming // max(1, count)
        quiet_first = sorted(by_tape.values(), key=len)
        first = [chunks[0] for chunks in quiet_first]
        rest = [chunk for chunks in quiet_first for chunk in chunks[1:]]
        rest.sort(key=lambda chunk: -chunk.seq)
        return first + rest, complete, size


def raw_row(chunk: Chunk, data: bytes, why: str = "", error: str = "") -> Row:
    """Bytes that are not known to be frames, as they are."""
    return Row(
        protocol=chunk.tape.protocol,
        direction=chunk.direction,
        operation="bytes",
        connection=chunk.tape.connection,
        client=client_of(chunk.tape),
        payload=data[:_RAW_SHOWN],
        size=len(data),
        detail={"why": why} if why else {},
        error=error,
        frame=data[:_RAW_SHOWN],
        time=chunk.time,
        origin=chunk.tape.origin(),
    )


def frame_rows(chunk: Chunk, frame: bytes) -> list[Row]:
    """What one frame of a chunk says; a row decoder's bug makes a raw row."""
    tape = chunk.tape
    try:
        rows = tape.owner.rows(chunk.direction, frame)
    except Exception as error:  # a row decoder's bug must not end the screen
        return [raw_row(chunk, frame, error=f"not decoded: {error or type(error).__name__}")]
    client = client_of(tape)
    origin = tape.origin()
    for part, row in enumerate(rows):
        row.part = part
        row.protocol = tape.protocol
        row.connection = tape.connection
        row.client = client or row.client
        row.origin = origin
        row.time = chunk.time
        row.frame = frame
    return rows


def client_of(tape: Tape) -> str:
    """What the client of a connection is called; empty before it has a name."""
    try:
        return tape.owner.client
    except Exception:  # a connection that never got as far as a name
        return ""


def frames_of(chunk: Chunk) -> list[bytes]:
    """The frames of one chunk by itself; none where its first frame's beginning is unknown."""
    head = _unfinished_before(chunk)
    if head is None or chunk.data is None or len(head) > _LARGEST_FRAME:
        return []
    try:
        return chunk.tape.owner.splitter(chunk.direction).feed(head + chunk.data)
    except Exception:  # hostile bytes; while sampling they are passed over
        return []


def _unfinished_before(chunk: Chunk) -> bytes | None:
    """The bytes of an incomplete frame before a chunk; None if they cannot be known any more."""
    tape = chunk.tape
    parts: list[bytes] = []
    need: int | None = None
    for each in tape.back(before=chunk.seq):
        if each.direction != chunk.direction:
            continue
        if need is None:
            need = each.tail
        if need:
            parts.append((each.data or b"")[-need:])
            need -= len(parts[-1])
        if need <= 0:
            return b"".join(reversed(parts))
    if need is None and not tape.left:
        return b""
    return None
