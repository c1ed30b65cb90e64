"""The graph in a given number of cells: senders, what the brokers have, consumers.

Where there is room, in three columns with the edges between them; else as a list.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby, zip_longest
from typing import Final

from mockforge_brokers.protocols import letter_of, title_of

from ...text import clean, fit, width
from ...units import counted, format_count, format_rate
from .graph import Edge, End, Graph, Hub, Inner

COLUMNS_FROM: Final = 72
"""Cells from which there are three columns."""
_MOST_ENDS: Final = 6
"""Senders, or takers, that are drawn beside one place; the others are one line."""
_LONGEST: Final = 120
"""Characters of a name that are looked at."""


@dataclass(frozen=True, slots=True)
class Signs:
    """What a graph is drawn with, each one cell; shafts by an edge's state."""

    busy: str = "━"
    idle: str = "─"
    none: str = "╌"
    head: str = "▶"
    failing: str = "×"
    held: str = "‖"
    box: str = "╭─╮│╰╯"
    leads: str = "▸"
    bars: str = "▁▂▃▄▅▆▇█"
    more: str = "…"

    def shaft(self, edge: Edge) -> str:
        return self.busy if edge.state == "busy" else self.idle if edge.rate else self.none


LINES: Final = Signs()
LETTERS: Final = Signs("=", "-", ".", ">", "x", "H", "+-+|++", ">", " .:-=+*#", "~")
"""For terminals that have no other signs."""


@dataclass(frozen=True, slots=True)
class Part:
    """A piece of a line. `role` says how it looks, `of` what it is about, if anything.

    Along an `edge` something moves from the left to the right; its text is as long as its shaft.
    """

    text: str
    role: str = "plain"
    of: Hub | Inner | End | None = None
    edge: Edge | None = None


Line = tuple[Part, ...]


def draw(graph: Graph, cells: int, signs: Signs = LINES, *, airy: bool = False) -> list[Line]:
    """Lines of at most `cells` cells; `airy`: with a free line between hubs."""
    if cells >= COLUMNS_FROM:
        return list(_Columns(cells, signs).lines(graph, airy=airy))
    return [_cut(line, cells) for line in _List(signs).lines(graph)]


def as_text(line: Line) -> str:
    return "".join(part.text for part in line)


# What is said ----------------------------------------------------------------------------


def _name(text: str) -> str:
    return clean(text, _LONGEST)


def _rate(edge: Edge) -> str:
    return format_rate(edge.rate if edge.rate < 10 else round(edge.rate)) if edge.rate else ""


def _hub_note(hub: Hub, signs: Signs, cells: int) -> str:
    """A hub's last seconds and what it holds, as far as there is room."""
    view = hub.view
    if view is None:
        return "nothing yet"
    held = format_count(view.depth) if view.depth else ""
    kind = _name(view.note.partition(",")[0]) if view.kind == "exchange" else held
    bars = _bars(hub.history, signs.bars) if any(hub.history) else ""
    long = f"{bars} {kind}".strip()
    return long if width(long) <= cells else kind


def _bars(values: Sequence[int], bars: str) -> str:
    top, steps = max(values), len(bars) - 1
    return "".join(bars[min(steps, round(value / top * steps))] for value in values)


def _hub_name(hub: Hub) -> str:
    return _name(hub.place.name) or "(default)"


def _inner_name(inner: Inner, signs: Signs) -> str:
    name = _name(inner.place.name)
    if not inner.bound:
        return f"{signs.failing} dead {signs.leads} {name}"
    if inner.by or inner.place.kind != "topic":
        key = _name(inner.by)
        return f"{key} {signs.leads} {name}" if key else f"{signs.leads} {name}"
    return name


def _inner_note(inner: Inner) -> str:
    view = inner.view
    if view is None:
        return "not there"
    depth = view.depth or 0
    return format_count(depth) if depth or view.kind == "queue" else ""


def _inner_role(inner: Inner) -> str:
    view = inner.view
    waits = view is not None and view.kind == "queue" and view.depth and not inner.takers
    return "warning" if waits and not inner.above else "plain"


def _folded(ends: Sequence[End]) -> tuple[list[End], str, Edge]:
    """The ends that are drawn, the busiest where there are many; the others in words."""
    if len(ends) <= _MOST_ENDS:
        return list(ends), "", Edge()
    busiest = sorted(ends, key=lambda end: (-end.edge.rate, end.name))[: _MOST_ENDS - 1]
    shown = sorted(busiest, key=lambda end: end.name)
    rest = {id(end) for end in ends} - {id(end) for end in shown}
    left = [end for end in ends if id(end) in rest]
    what = left[0].of if len({end.of for end in left}) == 1 else "other"
    edge = Edge(
        sum(end.edge.rate for end in left), sum(end.edge.messages for end in left),
        next((end.edge.trouble for end in left if end.edge.trouble), ""),
    )  # fmt: skip
    return shown, f"and {counted(len(left), what)}", edge


def _rest_of(graph: Graph, protocol: str) -> list[str]:
    """What is not drawn of a protocol's places, in words."""
    quiet, more = dict(graph.quiet).get(protocol, 0), dict(graph.more).get(protocol, 0)
    return [
        *([f"and {format_count(more)} more"] if more else []),
        *([f"{format_count(quiet)} quiet"] if quiet else []),
    ]


def _protocols(graph: Graph) -> Iterator[tuple[str, list[Hub], list[End]]]:
    hubs = {name: list(some) for name, some in groupby(graph.hubs, lambda hub: hub.place.protocol)}
    idle: dict[str, list[End]] = {}
    for end in graph.idle:
        idle.setdefault(end.protocol, []).append(end)
    counted_only = [name for name, _ in (*graph.quiet, *graph.more)]
    for name in dict.fromkeys((*hubs, *idle, *counted_only)):
        yield name, hubs.get(name, []), idle.get(name, [])


# Three columns -------------------------------------------------------------------------------

_Row = tuple[Sequence[Part], End | str | None, "Edge | None"]
"""A line within the box, and who takes from it: an end, words, or nobody."""


class _Columns:
    def __init__(self, cells: int, signs: Signs) -> None:
        self._signs = signs
        self._edge = min(20, max(9, cells // 9))
        self._left = min(28, max(12, cells // 6))
        self._right = min(40, max(18, cells // 4))
        box = cells - self._left - self._right - 2 * self._edge
        # On a very wide screen names have the room that the box does not need.
        over = max(0, box - 64)
        self._left += over // 2
        self._right += over - over // 2
        self._inner = box - over - 2

    def lines(self, graph: Graph, *, airy: bool) -> Iterator[Line]:
        first = True
        for protocol, hubs, idle in _protocols(graph):
            if not first and airy:
                yield ()
            yield self._top(protocol, hubs, titled=first)
            first = False
            for at, hub in enumerate(hubs):
                if at and airy:
                    yield self._line(None, None, (), None)
                yield from self._hub(hub)
            yield from self._idle(idle, bool(hubs))
            rest = ", ".join(_rest_of(graph, protocol))
            yield self._bottom(rest)

    # Edges of the box

    def _top(self, protocol: str, hubs: Sequence[Hub], *, titled: bool) -> Line:
        box, room = self._signs.box, self._inner
        rate = _rate(Edge(sum(hub.rate for hub in hubs)))
        said = f" {rate} " if rate else ""
        title = f" {title_of(protocol)} "
        across = box[1] * max(0, room - 2 - width(title) - width(said))
        left, right = ("SENDERS", "CONSUMERS") if titled else ("", "")
        return (
            Part(left.rjust(self._left - 1) + " " * (self._edge + 1), "faint"),
            Part(box[0] + box[1], "border"),
            Part(title, f"protocol:{protocol}"),
            Part(across, "border"),
            Part(said, "muted"),
            Part(box[1] + box[2], "border"),
            Part(" " * (self._edge + 1) + right if right else "", "faint"),
        )

    def _bottom(self, rest: str) -> Line:
        box = self._signs.box
        said = f" {fit(rest, min(width(rest), self._inner - 4))} " if rest else ""
        across = box[1] * (self._inner - 1 - width(said))
        return (
            Part(" " * (self._left + self._edge)),
            Part(box[4] + box[1], "border"),
            Part(said, "faint"),
            Part(across + box[5], "border"),
        )

    # Lines between them

    def _hub(self, hub: Hub) -> Iterator[Line]:
        sources, more, rest = _folded(hub.sources)
        left: list[tuple[End | str, Edge]] = [(end, end.edge) for end in sources]
        left += [(more, rest)] if more else []
        for sent, row in zip_longest(left, self._rows(hub)):
            source, edge = sent or (None, None)
            inner, taker, out = row or ((), None, None)
            yield self._line(source, edge, inner, taker, out)

    def _rows(self, hub: Hub) -> Iterator[_Row]:
        # What an exchange gives on is beside its queues.
        nobody = "" if hub.place.kind == "exchange" else "nobody"
        yield from self._with_takers(self._hub_line(hub), hub.takers, nobody)
        for inner in hub.inner:
            said = "above" if inner.above else "nobody"
            if inner.place.kind != "queue" or inner.place == hub.place:
                said = ""
            if inner.place != hub.place:
                takers = () if inner.above else inner.takers
                yield from self._with_takers(self._inner_line(inner), takers, said)
            if inner.dead is not None:
                signs = self._signs
                text = f"   {signs.failing} dead {signs.leads} {_name(inner.dead.name)}"
                yield (Part(fit(text, self._inner), "muted"),), None, None
        if hub.left_out:
            what = "topic" if hub.place.kind == "topic" else "binding"
            text = f"  {self._signs.more} {counted(hub.left_out, f'more {what}')}"
            yield (Part(fit(text, self._inner), "faint"),), None, None

    def _with_takers(
        self, line: Sequence[Part], ends: Sequence[End], nobody: str
    ) -> Iterator[_Row]:
        shown, more, rest = _folded(ends)
        right: list[tuple[End | str, Edge]] = [(end, end.edge) for end in shown]
        right += [(more, rest)] if more else []
        if not right:
            yield line, nobody or None, None
        for at, (taker, edge) in enumerate(right):
            yield line if not at else (), taker, edge

    def _hub_line(self, hub: Hub) -> Sequence[Part]:
        room = self._inner - 2
        name = _hub_name(hub)
        most = max(0, min(room - min(width(name), room * 2 // 3) - 1, room // 2))
        note = _hub_note(hub, self._signs, most)
        note = fit(note, min(width(note), most))
        shown = fit(name, room - width(note))
        return (
            Part(" "),
            Part(shown, "strong" if hub.view is not None else "warning", hub),
            Part(f"{note} ", "muted"),
        )

    def _inner_line(self, inner: Inner) -> Sequence[Part]:
        note = _inner_note(inner)
        room = self._inner - 3 - width(note) - 1
        role = _inner_role(inner)
        signs = self._signs
        shown = _inner_name(inner, signs)
        key, leads, name = shown.partition(f"{signs.leads} ")
        if leads and width(shown) > room:
            # The queue's name says more than its binding's key.
            key = fit(key, max(4, room - width(leads) - width(name)))
            shown = f"{key}{leads}{name}"
        return (
            Part("  "),
            Part(fit(shown, room), role, inner),
            Part(f" {note} ", "warning" if role == "warning" else "muted"),
        )

    def _idle(self, ends: Sequence[End], below: bool) -> Iterator[Line]:
        shown, more, _ = _folded(ends)
        said = "connected, no messages"
        inner = (Part(fit(f" {said}", self._inner), "faint"),)
        ends_and_words: list[End | str] = [*shown, *([more] if more else [])]
        for at, end in enumerate(ends_and_words):
            yield self._line(end, Edge(), inner if not at else (), None)

    def _line(
        self, source: End | str | None, edge: Edge | None, inner: Sequence[Part],
        taker: End | str | None, out: Edge | None = None,
    ) -> Line:  # fmt: skip
        side = self._signs.box[3]
        return (
            *self._source(source, edge),
            Part(side, "border"),
            *(inner or (Part(" " * self._inner),)),
            Part(side, "border"),
            *self._taker(taker, out),
        )

    def _source(self, source: End | str | None, edge: Edge | None) -> Iterator[Part]:
        if source is None or edge is None:
            yield Part(" " * (self._left + self._edge))
            return
        room = self._left - 1
        if isinstance(source, str):
            yield Part(fit(_right(source, room), room) + " ", "muted")
        else:
            name = _name(source.name)
            note = f" {clean(source.note, room)}" if source.note else ""
            shown = fit(name, min(width(name), max(1, room - width(note)))) + note
            text = fit(_right(shown, room), room)
            yield Part(f"{text} ", f"protocol:{source.protocol}", source)
        yield from self._arrow(edge)

    def _taker(self, taker: End | str | None, edge: Edge | None) -> Iterator[Part]:
        if taker is None:
            return
        if edge is not None:
            yield from self._arrow(edge)
        room = self._right - 1
        if isinstance(taker, str):
            before = "" if edge is not None else " " * self._edge
            yield Part(
                f"{before} {fit(taker, min(room, width(taker)))}",
                "muted" if edge is not None else "faint",
            )
            return
        name = _name(taker.name)
        note = taker.note
        least = 8 if note else 0
        shown = fit(name, min(width(name), room - least))
        yield Part(f" {shown}", f"protocol:{taker.protocol}", taker)
        left = room - width(shown) - 2
        if note and left > 3:
            role = "warning" if taker.warns else "muted"
            said = clean(note, _LONGEST)
            yield Part(f"  {fit(said, min(left, width(said)))}", role)

    def _arrow(self, edge: Edge) -> Iterator[Part]:
        signs, role, rate = self._signs, f"edge:{edge.state}", _rate(edge)
        mark = {"failing": signs.failing, "held": signs.held}.get(edge.state, "")
        said = f"{mark}{rate}"
        room = self._edge - 1 - width(said)
        if said and room >= 5:
            said, room = f" {said} ", room - 2
        shaft = signs.shaft(edge)
        moving = edge if edge.rate else None
        behind = room // 3
        yield Part(shaft * (room - behind), role, None, moving)
        yield Part(said, role if mark else "plain")
        yield Part(shaft * behind, role)
        yield Part(signs.head, role)


def _right(text: str, cells: int) -> str:
    return " " * max(0, cells - width(text)) + text


# A list --------------------------------------------------------------------------------------


class _List:
    def __init__(self, signs: Signs) -> None:
        self._signs = signs

    def lines(self, graph: Graph) -> Iterator[Line]:
        for protocol, hubs, idle in _protocols(graph):
            for hub in hubs:
                yield from self._hub(hub)
            ends, more, _ = _folded(idle)
            for end in ends:
                yield (*self._end(end, "", "  "), Part("  no messages", "faint"))
            rest = [*([more] if more else []), *_rest_of(graph, protocol)]
            if rest:
                text = f"{letter_of(protocol)} {', '.join(rest)}"
                yield (Part(text, "faint"),)

    def _hub(self, hub: Hub) -> Iterator[Line]:
        letter = letter_of(hub.place.protocol)
        note = _hub_note(hub, self._signs, 20)
        yield (
            Part(f"{letter} ", f"protocol:{hub.place.protocol}"),
            Part(_hub_name(hub), "strong" if hub.view is not None else "warning", hub),
            Part(f"  {note}" if note else "", "muted"),
        )
        yield from self._ends(hub.sources, "from ", "   ")
        yield from self._ends(hub.takers, "to   ", "   ")
        for inner in hub.inner:
            if inner.place != hub.place:
                note = _inner_note(inner)
                role = _inner_role(inner)
                yield (
                    Part("   "),
                    Part(_inner_name(inner, self._signs), role, inner),
                    Part(f"  {note}" if note else "", "muted"),
                )
                if not inner.above:
                    yield from self._ends(inner.takers, "to   ", "     ")
            if inner.dead is not None:
                yield (Part(f"     dead {self._signs.leads} {_name(inner.dead.name)}", "muted"),)
        if hub.left_out:
            yield (Part(f"   {self._signs.more} {format_count(hub.left_out)} more", "faint"),)

    def _ends(self, ends: Sequence[End], word: str, before: str) -> Iterator[Line]:
        shown, more, rest = _folded(ends)
        for end in shown:
            yield self._end(end, word, before)
        if more:
            yield (*self._flow(rest, word, before), Part(more, "muted"))

    def _end(self, end: End, word: str, before: str) -> Line:
        note = f"  {clean(end.note, _LONGEST)}" if end.note else ""
        return (
            *self._flow(end.edge, word, before),
            Part(_name(end.name), f"protocol:{end.protocol}", end),
            Part(note, "warning" if end.warns else "muted"),
        )

    def _flow(self, edge: Edge, word: str, before: str) -> Line:
        signs, role = self._signs, f"edge:{edge.state}"
        mark = {"failing": signs.failing, "held": signs.held}.get(edge.state, "")
        shaft = signs.shaft(edge)
        return (
            Part(f"{before}{word}", "faint"),
            Part(shaft * 2, role, None, edge if edge.rate else None),
            Part(f"{signs.head if word else ''}{mark} ", role),
            Part(f"{_rate(edge):>6} " if word else "", "plain"),
        )


def _cut(line: Line, cells: int) -> Line:
    """As many parts as fit, the last one cut."""
    kept: list[Part] = []
    left = max(0, cells)
    for part in line:
        size = width(part.text)
        if size > left:
            if left:
                kept.append(Part(fit(part.text, left), part.role, part.of, part.edge))
            break
        kept.append(part)
        left -= size
    return tuple(kept)
