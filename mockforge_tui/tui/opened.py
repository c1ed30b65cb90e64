"""What is open in the inspector: a row in its tabs, or the facts of what is no row."""

from collections.abc import Callable

from mockforge_brokers.journal import Journal, Row

from ..console.kafka_tables import Tables
from ..feed.exchange import Exchange
from ..feed.ring import Ring
from ..feed.values import TopicValues
from .documents import Document, Line, Plain
from .inspection import TABS, Inspection
from .subjects import TOPIC_TABS, Sheet, Subject, identity, row_of, topic_of

WIRE_TAB = TABS.index("Wire")
_LOOKING = 0.004
"""Seconds of a snapshot in which a topic's values are looked for."""
_LOOKING_BACK = 0.02
"""The same, once, for what came before it was chosen."""

Beside = Callable[[object], Tables]
"""What is looked up of the one that is open."""


class Opened:
    """One subject at a time; the tab stays where the next one has it too."""

    def __init__(self) -> None:
        self.subject: Subject | None = None
        self._tab = 0
        self._inspection: Inspection | None = None
        self._sheet: Sheet | None = None
        self._values: TopicValues | None = None
        self._charted = 0

    def show(
        self,
        subject: Subject | None,
        journal: Journal | None,
        beside: Beside,
        ring: Ring | None = None,
    ) -> bool:
        """Whether this is something else than before, and not new figures of the same."""
        other = identity(subject) != identity(self.subject)
        self.subject = subject
        row = row_of(subject)
        # A row never changes: what was laid out of it is kept, with its folds.
        if self._inspection is None or row is not self._inspection.row:
            self._inspection = Inspection(row) if row is not None else None
            if self._inspection is not None and row is not None and ring is not None:
                self._inspection.exchange = Exchange(ring, row)
                self._inspection.look()
        self._sheet = self._sheet_of(subject, journal, beside) if row is None else None
        return other

    def _sheet_of(
        self, subject: Subject | None, journal: Journal | None, beside: Beside
    ) -> Sheet | None:
        """The facts of what is no row; of an MQTT topic with the values that came until now."""
        if subject is None or isinstance(subject, Row):
            return None
        topic = topic_of(subject)
        if not topic:
            return Sheet(subject, tables=beside(getattr(subject, "view", subject)))
        if self._values is None or self._values.topic != topic:
            self._values, self._charted = None, 0
            if journal is not None:
                self._values = TopicValues(journal, topic)
                self._values.look(_LOOKING_BACK)
        if self._values is None:
            return Sheet(subject)
        self._values.look(_LOOKING)
        return Sheet(subject, tuple(self._values.values))

    def look(self) -> bool:
        """Whether an answer to the row that is open came since."""
        return self._inspection is not None and self._inspection.look()

    @property
    def exchange(self) -> Exchange | None:
        """What the row that is open answers, and what answers it."""
        return self._inspection.exchange if self._inspection is not None else None

    @property
    def row(self) -> Row | None:
        """The row that is open: a message, or a frame that is held."""
        return row_of(self.subject)

    @property
    def sheet(self) -> Sheet | None:
        return self._sheet

    @property
    def tabs(self) -> tuple[str, ...]:
        if self._inspection is not None:
            return self._inspection.tabs
        return self._sheet.tabs if self._sheet is not None else TOPIC_TABS[:1]

    @property
    def tab(self) -> int:
        """The first where this subject lacks the one that was looked at."""
        return self._tab if self._tab < len(self.tabs) else 0

    @tab.setter
    def tab(self, tab: int) -> None:
        self._tab = tab

    @property
    def beside(self) -> list[Line] | None:
        """What has room beside the tab, where there is room: a body's headers."""
        if self._inspection is None or self.tab != 0:
            return None
        return self._inspection.headers

    def chart_next(self) -> bool:
        """Draw the topic's next number in the chart; False where no chart is shown."""
        if self._sheet is None or self.tabs[self.tab] != "Chart":
            return False
        self._charted += 1
        return True

    def document(self, width: int, height: int, bars: str) -> Document:
        """The tab's lines for so much room; `bars` are the signs that charts are drawn of."""
        if self._inspection is not None:
            return self._inspection.document(self.tab, width - 1)
        if self._sheet is None:
            return Plain(())
        return Plain(self._sheet.lines(self.tab, width - 2, height, bars, self._charted))
