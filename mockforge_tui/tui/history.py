"""Going back and forth in the lines that were typed before."""

from pathlib import Path

from ..console.history import append_history, read_history


class History:
    """Newest last; a line that is typed again moves to the end. With a path, kept in that file."""

    def __init__(self, path: Path | None = None) -> None:
        self.lines: list[str] = []
        self._path = path
        self._at: int | None = None
        self._draft = ""
        for line in read_history(path) if path is not None else ():
            self._keep(line)

    def add(self, line: str) -> None:
        self._at = None
        if not line.strip() or (self.lines and self.lines[-1] == line):
            return
        self._keep(line)
        if self._path is not None:
            append_history(self._path, line)

    def _keep(self, line: str) -> None:
        if line in self.lines:
            self.lines.remove(line)
        self.lines.append(line)

    def older(self, typed: str) -> str | None:
        """The entry before the one shown that begins with what was typed first."""
        if self._at is None:
            self._draft = typed
            self._at = len(self.lines)
        for at in range(self._at - 1, -1, -1):
            if self.lines[at].startswith(self._draft):
                self._at = at
                return self.lines[at]
        return None

    def newer(self) -> str | None:
        """The entry after the one shown; past the newest, what had been typed."""
        if self._at is None:
            return None
        for at in range(self._at + 1, len(self.lines)):
            if self.lines[at].startswith(self._draft):
                self._at = at
                return self.lines[at]
        self._at = None
        return self._draft

    def stop(self) -> None:
        """The line was edited: the next `older` begins at the newest again."""
        self._at = None

    def suggestion(self, typed: str) -> str:
        """The newest entry that goes on from what is typed; empty if none does."""
        if not typed:
            return ""
        found = (line for line in reversed(self.lines) if line.startswith(typed) and line != typed)
        return next(found, "")
