"""`topic tree`, `history`, `diff` and `share ls`: what MQTT's topics carry, and to whom."""

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Annotated, Any

from mockforge_brokers.errors import InvalidInput
from mockforge_brokers.snapshots import DestinationView

from ... import leaves
from ... import text as screen_text
from ...charts import lines_with_axis
from ...feed.values import TopicValues, Value, newest_values
from ...units import clock_time
from ..lookup import BadArgument, known, matching_topics, mqtt
from ..registry import Arg, Opt, command
from ..results import Column, Result, count, plain, size, table
from ..types import COUNT, text

if TYPE_CHECKING:
    from ..session import Session

_PREVIEW = 80
_TOPIC = text("topic", "mqtt-topics")
_FIELD = text("field")
_CHART = (72, 8)


@command(
    "topic tree",
    group="mqtt",
    aliases=("tree",),
    examples=("topic tree", "topic tree sensors/#", "topic tree | retained:true"),
)
def topic_tree(
    session: "Session", pattern: Annotated[str | None, Arg(_TOPIC, "+ and # as in MQTT")] = None
) -> Result:
    """Show MQTT's topics as a tree: how many messages, what is retained, the last value.

    A level that has topics below it counts theirs. The last value is the retained one, or the
    newest that the journal has.
    """
    views = [each for each in mqtt(session).destinations() if each.kind == "topic"]
    shown = set(matching_topics((each.name for each in views), pattern))
    rows = tree_rows([each for each in views if each.name in shown])
    _add_values(session, rows)
    return table(
        rows,
        Column("shown", "topic"),
        Column("messages_in", "in", count, right=True),
        Column("messages_out", "out", count, right=True),
        Column("retained", "retained", lambda kept: "retained" if kept else ""),
        Column("value", "last value", lambda value: "" if value is None else plain(value)),
        empty="no topics",
        fields=("topic", "leaf"),
    )


def tree_rows(views: Iterable[DestinationView]) -> list[dict[str, Any]]:
    """A row for each topic and each level above some, depth first in the order of names.

    `shown` is the level, indented; `topic` the whole name, with `/#` for a level that is no topic
    itself; counts of what is below are in those above.
    """
    by_name = {each.name: each for each in views}
    rows: dict[tuple[str, ...], dict[str, Any]] = {}
    for name in sorted(by_name, key=lambda each: each.split("/")):
        view, levels = by_name[name], tuple(name.split("/"))
        for depth in range(1, len(levels) + 1):
            path = levels[:depth]
            row = rows.get(path)
            if row is None:
                row = rows[path] = _branch(path)
            row["messages_in"] += view.messages_in
            row["messages_out"] += view.messages_out
        rows[levels] |= {
            "topic": name,
            "leaf": True,
            "retained": "retained" in view.detail,
            "kept": view.detail.get("retained"),
        }
    for path, row in rows.items():
        row["shown"] = "  " * (len(path) - 1) + (path[-1] or "(empty level)")
    return list(rows.values())


def _branch(path: Sequence[str]) -> dict[str, Any]:
    return {
        "shown": "",
        "topic": "/".join(path) + "/#",
        "messages_in": 0,
        "messages_out": 0,
        "retained": False,
        "leaf": False,
        "kept": None,
    }


def _add_values(session: "Session", rows: Sequence[dict[str, Any]]) -> None:
    kept = {row["topic"]: row.pop("kept") for row in rows}
    wanted = [row["topic"] for row in rows if row["leaf"]]
    journal = session.runtime.journal
    newest = newest_values(journal, wanted) if journal is not None else {}
    for row in rows:
        payload = newest.get(row["topic"], kept[row["topic"]])
        row["value"] = None if payload is None else screen_text.decode(payload, _PREVIEW)


def values_of(session: "Session", topic: str, most: int) -> Sequence[Value]:
    """The newest values of a topic, oldest first; the retained one where the journal has none."""
    journal = session.runtime.journal
    if journal is not None:
        found = TopicValues(journal, topic, most)
        found.look()
        if found.values:
            return list(found.values)[-most:]
    kept = mqtt(session).retained_message(topic)
    return [] if kept is None else [Value(0, 0.0, "", bytes(kept.payload), kept.qos, True, topic)]


@command(
    "topic history",
    group="mqtt",
    aliases=("history",),
    examples=("topic history sensors/room1/temp", "topic history sensors/room1/temp -n 50"),
)
def topic_history(
    session: "Session",
    topic: Annotated[str, Arg(_TOPIC, "an MQTT topic")],
    field: Annotated[
        str | None, Arg(_FIELD, "chart this number: a path such as t or at[0].t", "FIELD")
    ] = None,
    *,
    most: Annotated[int, Opt(("-n", "--count"), COUNT, "how many")] = 20,
) -> Result:
    """Show the last values of an MQTT topic, what changed from one to the next, and a chart.

    As far back as the journal reaches. Without FIELD the chart is of the first number there is.
    """
    values = _known_values(session, topic, most)
    rows = [_record(value, before) for before, value in zip([None, *values], values, strict=False)]
    path, numbers = numbers_of(values, field)
    if field is not None and not numbers:
        raise BadArgument("field", _no_number(field, values))
    found = table(
        rows,
        Column("time", "time", lambda at: clock_time(at) if at else "–"),
        Column("client", "client"),
        Column("qos", "qos", right=True),
        Column("retain", "", lambda retain: "retain" if retain else ""),
        Column("size", "size", size, right=True),
        Column("value", "value"),
        Column("change", "change"),
        empty=f"nothing of {topic} is in the journal",
        fields=("changes",),
    )
    if len(numbers) < 2:
        return found
    title = f"{path or 'value'}: {len(numbers)} values"
    lines = [title, *(f" {line}" for line in lines_with_axis(numbers, *_CHART))]
    return Result(
        text="\n".join(lines), data=found.data, columns=found.columns, fields=found.fields
    )


def numbers_of(values: Sequence[Value], field: str | None = None) -> tuple[str, list[float]]:
    """The path of a number in payloads and its values; of the first number where none is named."""
    found = [leaves.numbers(value.payload, value.topic) for value in values]
    path = field
    if path is None:
        path = next((each for numbers in reversed(found) for each in numbers), "")
    path = path.removeprefix("json.").removeprefix(".")
    return path, [numbers[path] for numbers in found if path in numbers]


def _no_number(field: str, values: Sequence[Value]) -> str:
    there = list(
        dict.fromkeys(path for each in values for path in leaves.numbers(each.payload, each.topic))
    )
    hint = f"; numbers are at {', '.join(there[:8])}" if any(there) else "; there are no numbers"
    return f"no number at {field}{hint}"


def _record(value: Value, before: Value | None) -> dict[str, Any]:
    found = [] if before is None else leaves.changes(before.payload, value.payload, value.topic)
    return {
        "time": round(value.time, 3) or None,
        "client": value.client,
        "qos": value.qos,
        "retain": value.retain,
        "size": len(value.payload),
        "value": screen_text.decode(value.payload, _PREVIEW),
        "change": "" if before is None else leaves.describe(found),
        "changes": _changes(found),
    }


def _changes(found: Iterable[leaves.Change]) -> list[Mapping[str, Any]]:
    return [
        {
            "path": each.path,
            "before": None if each.before is leaves.MISSING else each.before,
            "after": None if each.after is leaves.MISSING else each.after,
        }
        for each in found
    ]


@command(
    "topic diff",
    group="mqtt",
    examples=("topic diff sensors/room1/temp", "topic diff sensors/room1/temp --back 1"),
)
def topic_diff(
    session: "Session",
    topic: Annotated[str, Arg(_TOPIC, "an MQTT topic")],
    *,
    back: Annotated[int, Opt(("--back",), COUNT, "compare with the value so many before")] = 1,
) -> Result:
    """Show what is different between a topic's newest value and an older one, field by field."""
    values = _known_values(session, topic, back + 1)
    if len(values) <= back:
        have = len(values)
        raise InvalidInput(f"{topic} has {have} value{'s' * (have != 1)} here: nothing to compare")
    found = leaves.changes(values[-1 - back].payload, values[-1].payload, topic)
    rows = [
        {
            "path": each.path or "(value)",
            "before": leaves.shown(each.before),
            "after": leaves.shown(each.after),
        }
        for each in found
    ]
    return table(
        rows,
        Column("path", "field"),
        Column("before", f"before ({_when(values[-1 - back])})"),
        Column("after", f"after ({_when(values[-1])})"),
        empty="both are the same",
    )


def _when(value: Value) -> str:
    """What is retained does not say when it came."""
    return clock_time(value.time) if value.time else "retained"


def _known_values(session: "Session", topic: str, most: int) -> Sequence[Value]:
    values = values_of(session, topic, most)
    if not values:
        names = [each.name for each in mqtt(session).destinations()]
        known("topic", topic, names, "MQTT topic")
    return values


@command("share ls", group="mqtt", aliases=("shares",), examples=("share ls",))
def share_ls(session: "Session") -> Result:
    """List MQTT's shared subscriptions: who is a member, and who got how many messages."""
    rows = [
        {"filter": share["filter"], "order": share["order"], **member}
        for share in mqtt(session).shares()
        for member in share["members"]
    ]
    return table(
        rows,
        Column("filter", "share"),
        Column("order", "order"),
        Column("client", "member"),
        Column("connected", "connected"),
        Column("taken", "got", count, right=True),
        Column("waiting", "waiting", count, right=True),
        empty="nobody shares a subscription ($share/NAME/FILTER)",
        fields=("qos", "ready"),
    )


COMMANDS = (topic_tree, topic_history, topic_diff, share_ls)
