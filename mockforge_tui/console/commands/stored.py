"""`peek` and `topic read`: what is stored, left where it is."""

from typing import TYPE_CHECKING, Annotated, Any

from mockforge_brokers.journal import Row

from ... import text as screen_text
from ...expectations.message import place_of
from ...filters import Filter
from ...units import clock_time
from ..language import Token
from ..lookup import BadArgument, resolved
from ..registry import Arg, Opt, Type, command
from ..results import Column, Result, size, table
from ..rows import record_of
from ..stored import open_store
from ..stores import MOST_LOOKED_AT, Page, Store, page
from ..targets import BareTarget, KafkaTarget, QueueTarget, SessionTarget, Target, parse_target
from ..types import COUNT, FILTER, OFFSET, PARTITION, TOPIC
from .topics import known_topic

if TYPE_CHECKING:
    from ..session import Session

_PREVIEW = 4_000
_FIELDS = ("protocol", "operation", "client", "destination", "headers", "direction")


def _stored(token: Token) -> Target | SessionTarget:
    value = token.value
    if value.startswith("session:") and len(value) > len("session:"):
        return SessionTarget(value.removeprefix("session:"))
    return parse_target(value)


STORED = Type("target", _stored, "stored")
_START = Opt(
    ("--from",), OFFSET, "Kafka: 118, begin, end, @-5m, @12:00:05; else: pass over so many"
)
_MOST = Opt(("-n", "--count"), COUNT, "how many")
_LAST = Opt(("--last",), None, "the newest ones")
_BEFORE = Opt(("--before",), OFFSET, "the newest ones before a place, as a page of --last says it")
_WHERE = Arg(FILTER, "only what matches", tail=True)


@command(
    "peek",
    group="messages",
    aliases=("browse",),
    examples=(
        "peek q.inv",
        "peek queue:q.inv -n 100 json.order:1",
        "peek kafka:orders --last",
        "peek mqtt:sensors/#",
        "peek session:dev-8",
    ),
)
def peek(
    session: "Session",
    target: Annotated[
        Target | SessionTarget,
        Arg(STORED, "queue:Q, kafka:TOPIC, mqtt:FILTER (retained), session:CLIENT (what waits)"),
    ],
    where: Annotated[Filter | None, _WHERE] = None,
    *,
    start: Annotated[str | None, _START] = None,
    most: Annotated[int, _MOST] = 20,
    last: Annotated[bool, _LAST] = False,
    before: Annotated[str | None, _BEFORE] = None,
) -> Result:
    """Look at stored messages without consuming them.

    The oldest come first; `--last` shows the newest ones, `--from` goes on where a page ended.
    Nothing is taken, acknowledged or marked as delivered.
    """
    found = stored_target(session, target)
    return _shown(session, found, where, start, most, last=last, before=before)


@command(
    "topic read",
    group="topics",
    aliases=("topic peek", "read topic"),
    examples=(
        "topic read orders",
        "topic read orders --last -n 5",
        "topic read orders -p 0 --from 3 key:o-1",
    ),
)
def topic_read(
    session: "Session",
    name: Annotated[str, Arg(TOPIC, "a Kafka topic")],
    where: Annotated[Filter | None, _WHERE] = None,
    *,
    start: Annotated[str | None, _START] = None,
    partition: Annotated[
        int | None, Opt(("-p", "--partition"), PARTITION, "only this partition", "N")
    ] = None,
    most: Annotated[int, _MOST] = 20,
    last: Annotated[bool, _LAST] = False,
    before: Annotated[str | None, _BEFORE] = None,
) -> Result:
    """Read a Kafka topic's records; no group moves.

    All partitions are merged by time. `--from` goes on where a page ended.
    """
    target = KafkaTarget(known_topic(session, name), partition)
    return _shown(session, target, where, start, most, last=last, before=before)


def stored_target(
    session: "Session", target: Target | SessionTarget, argument: str = "target"
) -> Target | SessionTarget:
    """What a bare name means to who asks what is stored: a queue before an exchange or topic."""
    if isinstance(target, SessionTarget):
        return target
    if isinstance(target, BareTarget):
        views = session.destinations()
        if any(each.kind == "queue" and each.name == target.name for each in views):
            target = QueueTarget(target.name)
    return resolved(session, target, argument)


def _shown(
    session: "Session",
    target: Target | SessionTarget,
    where: Filter | None,
    start: str | None,
    most: int,
    *,
    last: bool,
    before: str | None,
) -> Result:
    if start is not None and (last or before is not None):
        raise BadArgument("start", "--from, or --last and --before, not both")
    store = open_store(session, target)
    found = page(store, most, start=start, where=where, newest=last, end=before)
    records = [_record(row) for row in found.rows]
    result = table(
        records,
        Column("place", "place"),
        *_columns(found),
        Column("size", "size", size, right=True),
        Column("preview", "payload"),
        empty="nothing is stored there" if not store.total else "nothing that matches",
        fields=_FIELDS,
    )
    return Result(
        text="\n".join(filter(None, (result.text, _what_follows(found, store)))),
        data=result.data,
        columns=result.columns,
        fields=result.fields,
    )


def _columns(found: Page) -> list[Column]:
    columns = []
    if any(row.time for row in found.rows):
        columns.append(Column("time", "time", lambda at: clock_time(at) if at else "–"))
    if any(row.key is not None for row in found.rows):
        columns.append(Column("key", "key"))
    return columns


def _record(row: Row) -> dict[str, Any]:
    body = b"" if row.payload is None else row.payload
    preview = "(no payload)" if row.payload is None else screen_text.decode(body, _PREVIEW)
    return {"place": place_of(row), "preview": preview, **record_of(row)}


def _what_follows(found: Page, store: Store) -> str:
    parts = []
    if found.rows and len(found.rows) < store.total:
        parts.append(f"{len(found.rows):,} of {store.total:,}")
    if found.looked >= MOST_LOOKED_AT:
        parts.append(f"looked at {found.looked:,}")
    if found.following:
        parts.append(f"--from {found.following} goes on")
    if found.preceding:
        parts.append(f"--before {found.preceding} goes back")
    return "; ".join(parts)


COMMANDS = (peek, topic_read)
