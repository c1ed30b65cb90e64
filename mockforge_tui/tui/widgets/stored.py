"""What a topic, a queue or a session has stored, a page at a time; looking takes nothing away."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Final

from mockforge_brokers.errors import BrokerError
from mockforge_brokers.journal import Row
from mockforge_brokers.protocols import protocol_of

from ...console.cells import payload_text
from ...console.session import Session
from ...console.stored import open_store
from ...console.stores import Page, page
from ...console.targets import SessionTarget, Target
from ...filters import Filter
from ...text import clean
from ...units import format_size
from ..drawing import Piece
from ..keys import STORED
from ..palette import Glyphs, Palette
from ..rows import clock_text
from .flow import spaced
from .table import Column, LiveTable

PAGE: Final = 200
"""Messages on one page."""


@dataclass(frozen=True, slots=True)
class StoredLine:
    """One stored message and its number on the page."""

    number: int
    row: Row


def _is_last(found: Page, start: str | None, end: str | None) -> bool:
    """Whether nothing is behind a page in the direction in which it was turned to."""
    if start is not None:
        return not found.following
    return end is not None and not found.preceding


def _place(line: StoredLine, palette: Palette, glyphs: Glyphs) -> tuple[str, Any]:
    detail = line.row.detail
    if "partition" in detail:
        text = f"p{detail['partition']}@{detail.get('offset', '')}"
    elif not protocol_of(line.row.protocol).routed:
        text = clean(line.row.destination, 80)
    else:
        text = clean(
            f"{detail.get('exchange') or ''} {detail.get('routing_key') or ''}", 80
        ).strip()
    return text, palette.strong


def _time(line: StoredLine, palette: Palette, glyphs: Glyphs) -> tuple[str, Any]:
    return (clock_text(line.row.time, 12) if line.row.time else ""), palette.faintest


def _key(line: StoredLine, palette: Palette, glyphs: Glyphs) -> tuple[str, Any]:
    key = line.row.key if protocol_of(line.row.protocol).keyed else None
    return (payload_text(key, 24) if key is not None else ""), palette.muted


def _size(line: StoredLine, palette: Palette, glyphs: Glyphs) -> tuple[str, Any]:
    return format_size(len(line.row.payload or b"")), palette.muted


def _preview(line: StoredLine, palette: Palette, glyphs: Glyphs) -> tuple[str, Any]:
    payload = line.row.payload
    return ("null" if payload is None else payload_text(payload, 200)), palette.plain


class StoredPane(LiveTable[StoredLine]):
    """Oldest message first; at the ends of a page the next one is loaded."""

    label = "Stored"
    place = STORED
    nothing = "nothing is stored here"
    columns: ClassVar[Sequence[Column[Any]]] = (
        Column("where", 22, _place, keep_end=True),
        Column("time", 12, _time, least=64),
        Column("key", 12, _key, least=90),
        Column("size", 6, _size, right=True),
        Column("message", 0, _preview),
    )

    def __init__(self) -> None:
        super().__init__()
        self.what = ""
        self.filter: Filter | None = None
        self._session: Session | None = None
        self._target: Target | SessionTarget | None = None
        self._preceding = ""
        self._following = ""
        self._newest = False
        self._total = 0

    def identity(self, record: StoredLine) -> object:
        return record.number

    def before(self, row: Row) -> list[Row]:
        """The messages of the page that stand before one of it, the nearest first."""
        rows = [each.row for each in self.records]
        at = next((at for at, each in enumerate(rows) if each is row), 0)
        return rows[:at][::-1]

    def open(self, session: Session, target: Target | SessionTarget, name: str) -> str:
        """Show the newest messages; returns what is wrong, or nothing."""
        self._session, self._target, self.what, self.filter = session, target, name, None
        return self.newest()

    def narrow(self, shown: Filter | None) -> str:
        """Show only messages that match, from the newest on."""
        self.filter = shown if shown is not None and shown.text else None
        return self.newest()

    def oldest(self) -> str:
        return self._load(None)

    def newest(self) -> str:
        return self._load(None, newest=True)

    def move(self, lines: int) -> None:
        at = self._position()
        # A page may have nothing that the filter wants, and still others lie on both sides of it.
        ends = {None} if not self.records else {len(self.records) - 1} if lines > 0 else {0}
        if lines > 0 and at in ends and self._following:
            self._load(self._following)
        elif lines < 0 and at in ends and self._preceding:
            self._load(None, end=self._preceding)
        else:
            super().move(lines)

    def to_top(self) -> None:
        self.oldest()

    def to_end(self) -> None:
        self.newest()

    def _load(self, start: str | None, *, newest: bool = False, end: str | None = None) -> str:
        if self._session is None or self._target is None:
            return "nothing is open"
        where = self.filter.matches if self.filter is not None else None
        try:
            store = open_store(self._session, self._target)
            found = page(store, PAGE, start=start, where=where, newest=newest, end=end)
        except BrokerError as error:
            # It may have gone since: to say that nothing is stored there would be another thing.
            self.put([])
            self._total = 0
            self.nothing = str(error)
            return self.nothing
        if not found.rows and self.records and _is_last(found, start, end):
            # All that there is was shown: the page that the person came from stays.
            self._following = self._following if end is not None else ""
            self._preceding = self._preceding if start is not None else ""
            return ""
        self.nothing = self._none_of(found)
        self._newest, self._total = newest, found.total
        self._following, self._preceding = found.following, found.preceding
        self.put(found.rows)
        if found.rows:
            self._go_to(0 if start is not None or not (newest or end) else len(found.rows) - 1)
        return ""

    def _none_of(self, found: Page) -> str:
        """What a page without messages says: where others may be."""
        if self.filter is None:
            return type(self).nothing
        keys = [("k", found.preceding), ("j", found.following)]
        ways = " and ".join(f"{key} looks on" for key, place in keys if place)
        if not ways:
            return "nothing that is stored here matches"
        return f"none of these {found.looked:,} matches: {ways}"

    def put(self, rows: Sequence[Row]) -> None:
        """Show these messages."""
        self.records = []
        self._chosen, self._top = None, 0
        self.show([StoredLine(number, row) for number, row in enumerate(rows)])
        self.refresh()

    def title_pieces(self) -> tuple[list[Piece], list[Piece]]:
        palette = self.palette
        left = [(f"{self.label}  ", self.title_style), (clean(self.what, 80), palette.strong)]
        at = "newest" if self._newest else "further on" if self._preceding else "oldest"
        shown = f"{at} {len(self.records)} of {spaced(self._total)}"
        return left, [(shown, palette.muted)]

    def foot_pieces(self) -> list[Piece]:
        palette = self.palette
        pieces: list[Piece] = [("g", palette.key), (" oldest  ", palette.muted),
                               ("G", palette.key), (" newest", palette.muted)]  # fmt: skip
        if self.filter is not None:
            pieces += [("  / ", palette.key), (clean(self.filter.text, 80), palette.accented)]
        return pieces
