"""Recordings under way and those that ended, by name: in memory, or in a file as they grow."""

import logging
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import BinaryIO, Final

from mockforge_brokers.clock import Clock, Timer
from mockforge_brokers.contract import Broker
from mockforge_brokers.errors import InvalidInput
from mockforge_brokers.events import MessageSeen

from ..expectations.message import row_of
from ..filters import Filter
from ..units import format_size
from .lines import Lines

_log = logging.getLogger(__name__)

MOST_BYTES: Final = 64 * 1024 * 1024
"""Of all recordings in memory."""
_FLUSH: Final = 0.2
"""Seconds after which a file has what came: who kills the process loses no more."""


class Recording:
    """One of them; `text` is what is in memory, empty where a file has it.

    `problem` is why it ended by itself: memory is full, or the file cannot be written.
    """

    def __init__(self, name: str, where: Filter | None, started: float, path: str) -> None:
        self.name = name
        self.where = where
        self.started = started
        self.path = path
        self.messages = 0
        self.size = 0
        self.seconds = 0.0
        self.running = True
        self.problem = ""
        self.stops: list[Callable[[], object]] = []
        self.open: Callable[[], object] = _nothing
        """Empty its file, and write there what came so far. Raises InvalidInput."""
        self._chunks: list[bytes] = []

    @property
    def text(self) -> bytes:
        if len(self._chunks) > 1:
            self._chunks = [b"".join(self._chunks)]
        return self._chunks[0] if self._chunks else b""

    def keep(self, data: bytes) -> None:
        self._chunks.append(data)

    def content(self) -> bytes:
        """All of it. Raises InvalidInput where its file cannot be read."""
        if not self.path:
            return self.text
        try:
            return Path(self.path).read_bytes()
        except OSError as error:
            raise InvalidInput(f"{self.path}: {error.strerror}") from None


class Recordings(Mapping[str, Recording]):
    """Those of one run, oldest first; a reset of the brokers leaves them as they are."""

    def __init__(self, brokers: Mapping[str, Broker], clock: Clock, seed: int) -> None:
        self._brokers = brokers
        self._clock = clock
        self._seed = seed
        self._found: dict[str, Recording] = {}
        self._last = 0
        self._in_memory = 0
        """Bytes of those without a file."""

    def __getitem__(self, name: str) -> Recording:
        return self._found[name]

    def __iter__(self) -> Iterator[str]:
        return iter(tuple(self._found))

    def __len__(self) -> int:
        return len(self._found)

    def start(
        self,
        name: str = "",
        *,
        path: str = "",
        where: Filter | None = None,
        late: bool = False,
    ) -> Recording:
        """Record what comes from now on; returns the recording.

        Raises InvalidInput for a name that records already, and for a file that cannot be written.
        One of that name that has ended is begun anew. With `late` the file stays as it is until
        `Recording.open`.
        """
        name = name or self._free_name()
        self._make_sure_ended(name)
        # Once, so that it is read where it was written.
        path = str(Path(path).expanduser()) if path else ""
        recording = Recording(name, where, self._clock.wall(), path)
        lines = Lines(recording.started, self._seed)
        write = self._keeping(recording)
        if path:
            file = _File(recording, self._clock)
            write, recording.open = file.write, file.open
            if not late:
                file.open()

        def see(seen: MessageSeen) -> None:
            row = row_of(seen)
            if where is None or where(row):
                recording.messages += 1
                recording.seconds = max(0.0, seen.time - recording.started)
                write(lines(row))

        write(lines.header())
        recording.stops += [broker.watch(see) for broker in self._brokers.values()]
        return self._as_newest(recording)

    def stop(self, recording: Recording) -> None:
        """End it; what came is in its file by then. Without effect where it has ended."""
        _end(recording)

    def stop_all(self) -> None:
        for recording in self._found.values():
            _end(recording)

    def add(self, name: str, content: bytes) -> Recording:
        """One that was made elsewhere. Raises InvalidInput for a name that records."""
        self._make_sure_ended(name)
        if len(content) + self._in_memory > MOST_BYTES:
            raise InvalidInput(f"recordings in memory have {format_size(MOST_BYTES)} at most")
        recording = Recording(name, None, self._clock.wall(), "")
        recording.running = False
        recording.keep(content)
        recording.size = len(content)
        self._in_memory += len(content)
        return self._as_newest(recording)

    def remove(self, recording: Recording) -> None:
        """End and forget it; a file stays."""
        _end(recording)
        self._forget(recording.name)

    def _forget(self, name: str) -> None:
        gone = self._found.pop(name, None)
        if gone is not None and not gone.path:
            self._in_memory -= gone.size

    def _make_sure_ended(self, name: str) -> None:
        """Raises InvalidInput for a recording that runs: its messages would be lost."""
        before = self._found.get(name)
        if before is not None and before.running:
            raise InvalidInput(f"{name} records already: record stop {name}")

    def _as_newest(self, recording: Recording) -> Recording:
        """In place of one of that name that has ended."""
        self._forget(recording.name)
        self._found[recording.name] = recording
        return recording

    def _keeping(self, recording: Recording) -> Callable[[bytes], None]:
        def write(data: bytes) -> None:
            if self._in_memory + len(data) > MOST_BYTES:
                recording.messages -= 1
                recording.problem = (
                    f"recordings in memory have {format_size(MOST_BYTES)} at most: "
                    "record into a file (--to), or record rm NAME"
                )
                _end(recording)
                _log.warning("recording %s ended: %s", recording.name, recording.problem)
                return
            recording.size += len(data)
            self._in_memory += len(data)
            recording.keep(data)

        return write

    def _free_name(self) -> str:
        while True:
            self._last += 1
            if f"rec-{self._last}" not in self._found:
                return f"rec-{self._last}"


class _File:
    """A recording's file; the first failure ends the recording."""

    def __init__(self, recording: Recording, clock: Clock) -> None:
        self._recording = recording
        self._clock = clock
        self._timer: Timer | None = None
        self._file: BinaryIO | None = None
        self._early: list[bytes] = []
        """What came before it was opened."""
        recording.stops.append(self.close)

    def open(self) -> None:
        """Raises InvalidInput where it cannot be written."""
        path = self._recording.path
        try:
            self._file = Path(path).open("wb")  # noqa: SIM115 (`close` does)
        except OSError as error:
            raise InvalidInput(f"{path}: cannot be written: {error.strerror}") from None
        early, self._early = self._early, []
        for data in early:
            self._write(data)

    def write(self, data: bytes) -> None:
        if self._file is None:
            self._early.append(data)
        else:
            self._write(data)

    def _write(self, data: bytes) -> None:
        self._do(lambda file: file.write(data))
        self._recording.size += len(data)
        if self._timer is None and self._recording.running:
            self._timer = self._clock.call_later(_FLUSH, self._flush)

    def close(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._do(lambda file: file.close())

    def _flush(self) -> None:
        self._timer = None
        self._do(lambda file: file.flush())

    def _do(self, work: Callable[[BinaryIO], object]) -> None:
        recording = self._recording
        try:
            if self._file is not None:
                work(self._file)
        except (OSError, ValueError) as error:
            # The second is for a file that is closed: the first failure was reported.
            if not recording.problem and isinstance(error, OSError):
                recording.problem = f"{recording.path}: cannot be written: {error.strerror}"
                _log.error("recording %s ended: %s", recording.name, recording.problem)
                _end(recording)


def _nothing() -> None:
    """A recording in memory has no file."""


def _end(recording: Recording) -> None:
    recording.running = False
    stops, recording.stops = recording.stops, []
    for stop in stops:
        stop()
