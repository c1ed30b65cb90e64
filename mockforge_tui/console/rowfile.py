"""A file that takes rows as they come (`tail ... > FILE`, `export ... > FILE`)."""

from collections.abc import Callable
from typing import BinaryIO

from mockforge_brokers.errors import InvalidInput

from .paths import opened, refused
from .results import Notice


def says_json(path: str) -> bool:
    """Whether a file's name asks for JSON."""
    return path.endswith((".json", ".jsonl", ".ndjson"))


def line_of(notice: Notice, *, as_json: bool) -> bytes:
    """What a row writes: an export's content as it is, else one line."""
    if notice.content is not None:
        return notice.content
    shown = notice.as_line() if as_json and not notice.formed else notice.text
    return shown.encode(errors="backslashreplace") + b"\n"


class LateFile:
    """A file that is opened when there is something to write: a line that is refused leaves what
    was there before. Raises InvalidInput where it cannot be written."""

    def __init__(self, path: str) -> None:
        self.path = path
        self._file: BinaryIO | None = None

    def write(self, data: bytes) -> None:
        if self._file is None:
            with opened(self.path) as place:
                self._file = place.open("wb")
        # For each row: to resolve the name again would take longer than to write.
        try:
            self._file.write(data)
        except OSError as error:
            raise refused(self.path, error) from None

    def flush(self) -> None:
        if self._file is not None:
            with opened(self.path):
                self._file.flush()

    def close(self) -> None:
        """What was written is in the file from here on, or that is refused: a disk may be full."""
        file, self._file = self._file, None
        if file is not None:
            with opened(self.path):
                file.close()


class RowFile:
    """Writes rows, and hands all other notices on.

    A row that cannot be written is the line's failure while the line runs; later it is a problem
    that is reported, once.
    """

    def __init__(self, path: str, others: Callable[[Notice], object]) -> None:
        self.count = 0
        self.later = False
        self._as_json = says_json(path)
        self._others = others
        self._file: LateFile | None = LateFile(path)

    def report(self, notice: Notice) -> None:
        if notice.kind != "row":
            self._others(notice)
            return
        if self._file is None:
            return
        try:
            self._file.write(line_of(notice, as_json=self._as_json))
            self.count += 1
        except InvalidInput as error:
            self._failed(error)

    def close(self) -> None:
        """All is there: an empty file where there was no row."""
        file, self._file = self._file, None
        if file is None:
            return
        try:
            if not self.count:
                file.write(b"")
            file.close()
        except InvalidInput as error:
            self._failed(error)

    def _failed(self, error: InvalidInput) -> None:
        self._file = None
        if not self.later:
            raise error
        self._others(Notice("problem", str(error)))
