"""A file that takes rows as they come (`tail ... > FILE`, `export ... > FILE`)."""

from collections.abc import Callable
from pathlib import Path

from mockforge_brokers.errors import InvalidInput

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


class RowFile:
    """Writes rows, and hands all other notices on. Raises InvalidInput if it cannot be opened."""

    def __init__(self, path: str, others: Callable[[Notice], object]) -> None:
        self.count = 0
        self._as_json = says_json(path)
        self._others = others
        self._path = path
        try:
            self._file = Path(path).expanduser().open("wb")
        except OSError as error:
            raise InvalidInput(f"{path}: {error.strerror}") from None

    def tell(self, notice: Notice) -> None:
        if notice.kind != "row":
            self._others(notice)
        elif not self._file.closed:
            try:
                self._file.write(line_of(notice, as_json=self._as_json))
                self.count += 1
            except OSError as error:
                self._file.close()
                self._others(Notice("problem", f"{self._path}: {error.strerror}"))

    def close(self) -> None:
        self._file.close()
