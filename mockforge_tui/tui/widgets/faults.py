"""Pane 5: what misbehaves on purpose and what is held, beside traffic, lag and errors."""

from collections.abc import Sequence
from typing import Any, ClassVar

from mockforge_brokers.misbehaviour.holds import HeldFrame, HoldRule
from mockforge_brokers.misbehaviour.rules import Rule
from mockforge_brokers.protocols import protocol_of
from rich.style import Style

from ... import units
from ...console.cells import destination_text, operation_text, payload_text
from ...console.commands.faults import value_of
from ...console.commands.holds import decision_of, left_text
from ...text import clean
from ..drawing import Piece, sparkline
from ..keys import FAULTS
from ..palette import Glyphs, Palette
from ..snapshot import FaultLine
from ..timeline import STEP, STEPS, Track
from .table import Column, LiveTable

Cell = tuple[str, Style]
_LEAST_LINES = 7
"""Lines of the pane from which the traffic stands above the rules."""


def _fault_sign(line: FaultLine | Track, palette: Palette, glyphs: Glyphs) -> Cell:
    if isinstance(line, Track):
        return "", palette.faintest
    match line.what:
        case HeldFrame():
            return f"{glyphs.held}h{line.id}", palette.holding
        case HoldRule():
            return f"{glyphs.held} {line.id}", palette.warning
    sign = glyphs.fault if line.on else glyphs.off
    return f"{sign} {line.id}", palette.faulty if line.on else palette.faintest


def _fault_what(line: FaultLine | Track, palette: Palette, glyphs: Glyphs) -> Cell:
    if isinstance(line, Track):
        return line.name, palette.muted
    match line.what:
        case HeldFrame(rows=rows):
            first = rows[0]
            parts = [clean(first.client, 40), operation_text(first), destination_text(first)]
            if first.key and not protocol_of(first.protocol).routed:
                parts.append(payload_text(first.key, 40))
            if first.payload:
                parts.append(payload_text(first.payload, 200))
            return " ".join(parts), palette.strong
        case HoldRule(scope=scope) as rule:
            value = f" {decision_of(rule)}".rstrip()
            return f"hold{value} {clean(scope, 120) or 'everything'}", palette.plain
        case Rule(kind=kind, scope=scope) as rule:
            value = f" {value_of(rule)}".rstrip()
            style = palette.plain if line.on else palette.faintest
            return f"{kind}{value} {clean(scope, 120) or 'everything'}", style


def _fault_chart(line: FaultLine | Track, palette: Palette, glyphs: Glyphs) -> Cell:
    """The last minute, now at the right; a rule's line begins where it was added."""
    if isinstance(line, Track):
        return sparkline(line.values, glyphs.bars), palette.accented
    if line.left is not None:
        text = left_text(line.left)
        return f"{line.by} in {text}" if line.left > 0 else text, palette.warning
    marks = sparkline(line.hits, glyphs.bars) if line.hits else ""
    return marks, palette.faulty if any(line.hits) else palette.faintest


def _fault_figure(line: FaultLine | Track, palette: Palette, glyphs: Glyphs) -> Cell:
    if isinstance(line, Track):
        return units.format_count(line.now), palette.muted if line.now else palette.faintest
    if isinstance(line.what, HeldFrame):
        return units.format_duration(line.age), palette.warning
    return units.format_count(line.figure), palette.muted


class FaultsPane(LiveTable[FaultLine]):
    """What misbehaves on purpose, and what waits for a person."""

    label = "5 Faults · held"
    place = FAULTS
    nothing = "no faults, nothing held"
    columns: ClassVar[Sequence[Column[Any]]] = (
        Column("id", 5, _fault_sign),
        Column("what", 0, _fault_what),
        Column(f"last {STEPS * STEP:.0f} s", STEPS, _fault_chart, right=True, least=70),
        Column("hits", 6, _fault_figure, right=True),
    )

    chaos = ""
    """The presets of the run that goes on, in the title: some do without rules."""

    def show_beside(
        self, lines: Sequence[FaultLine], tracks: Sequence[Track], chaos: str = ""
    ) -> None:
        """Show the rules, and the traffic above them where there is room for both."""
        if chaos != self.chaos:
            self.chaos = chaos
            self.refresh()
        pinned = tuple(tracks) if self.body_height >= _LEAST_LINES else ()
        if pinned != self.pinned:
            self.pinned = pinned
            self.refresh()
        self.show(lines)

    def identity(self, record: FaultLine) -> object:
        return record.order, record.id

    def title_pieces(self) -> tuple[list[Piece], list[Piece]]:
        palette = self.palette
        right = [("ctrl+x", palette.key), (" all off, release all", palette.muted)]
        left = [(self.label, self.title_style)]
        if self.chaos:
            left += [(f"  {self.glyphs.fault} {self.chaos}", palette.faulty)]
        return left, right
