"""What the inspector says of an MQTT topic's values: newest first, what changed, and a chart."""

from collections.abc import Iterator, Sequence

from .. import leaves
from ..charts import label, lines_with_axis
from ..console.cells import payload_text
from ..feed.values import Value
from ..text import clean
from .documents import Line
from .drawing import sparkline
from .rows import clock_text

_SPARK = 24
_SHOWN = 100
_LEAST = 3
"""Lines of the chart on the lowest of screens."""


def value_lines(values: Sequence[Value], width: int) -> list[Line]:
    """Each value with when and by whom, and below it what is other than in the one before."""
    if not values:
        return [(("the journal has no values of this topic", "comment"),)]
    lines: list[Line] = []
    shown = list(values)[-_SHOWN:]
    for before, value in zip([None, *shown[:-1]], shown, strict=True):
        lines += reversed(list(_value(value, before, width)))
    return lines[::-1]


def _value(value: Value, before: Value | None, width: int) -> Iterator[Line]:
    who = clean(value.client, 16)
    when = clock_text(value.time, 12) if value.time else "retained".ljust(12)
    mark = " r" if value.retain and value.time else "  "
    room = max(8, width - 18 - len(who))
    yield (
        (when, "comment"),
        (mark, "word"),
        (" ", "mark"),
        (payload_text(value.payload, room, value.topic) or "(empty)", "string"),
        (f"  {who}" if who else "", "comment"),
    )
    if before is None:
        return
    found = leaves.changes(before.payload, value.payload, value.topic)
    if found and not all(each.path == "" for each in found):
        yield ((" " * 15, "mark"), (clean(leaves.describe(found), 400), "number"))


def chart_lines(
    values: Sequence[Value], chosen: int, width: int, height: int, bars: str
) -> list[Line]:
    """The chart of one number of the payloads, and below it all that there are, one a line."""
    numbers = series(values)
    if not numbers:
        return [(("no numbers in these payloads: nothing to chart", "comment"),)]
    names = list(numbers)
    at = chosen % len(names)
    most = max(1, height - _LEAST - 2)
    first = max(0, at - most + 1)
    below = names[first : first + most] if len(names) > 1 else []
    found = numbers[names[at]]
    title: Line = (
        (f"{clean(names[at], 60) or 'value'} ", "command"),
        (label(found[-1]), "number"),
        (f"  {len(found)} values, {label(min(found))} to {label(max(found))}", "comment"),
    )
    room = max(_LEAST, height - 1 - len(below) - bool(below))
    lines: list[Line] = [title]
    for line in lines_with_axis(found, width, room, f" {bars}"):
        axis, edge, drawn = line.partition("┤" if "┤" in line else "│")
        lines.append(((axis + edge, "comment"), (drawn, "number")))
    if below:
        lines.append((("enter charts the next of these", "comment"),))
        widest = min(24, max(len(name) for name in below))
        lines += [_spark(name, numbers[name], name == names[at], widest, bars) for name in below]
    return lines


def series(values: Sequence[Value]) -> dict[str, list[float]]:
    """The numbers of the payloads by their path, each oldest first."""
    found: dict[str, list[float]] = {}
    for value in values:
        for path, number in leaves.numbers(value.payload, value.topic).items():
            found.setdefault(path, []).append(number)
    return found


def summary(values: Sequence[Value], bars: str) -> Iterator[tuple[str, str]]:
    """The facts that its values add: the last one, when it came, and how its number went."""
    if not values:
        return
    last = values[-1]
    yield "last value", payload_text(last.payload, 200, last.topic) or "(empty)"
    if last.time:
        yield "came", f"{clock_text(last.time, 12)} from {clean(last.client, 60) or '?'}"
    if len(values) > 1:
        found = leaves.changes(values[-2].payload, last.payload, last.topic)
        yield "changed", clean(leaves.describe(found), 400)
    for path, numbers in list(series(values).items())[:6]:
        if len(numbers) > 1:
            low, high = label(min(numbers)), label(max(numbers))
            yield clean(path, 16) or "value", f"{_bars(numbers, bars)}  {low} to {high}"


def _bars(numbers: Sequence[float], bars: str) -> str:
    shown = numbers[-_SPARK:]
    low = min(shown)
    return sparkline([number - low for number in shown], bars)


def _spark(name: str, numbers: Sequence[float], chosen: bool, widest: int, bars: str) -> Line:
    return (
        (clean(name, widest).ljust(widest), "command" if chosen else "key"),
        (f" {label(numbers[-1]):>9} ", "argument"),
        (_bars(numbers, bars), "number"),
    )
