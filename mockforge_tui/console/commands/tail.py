"""`tail`: messages as they come, at the prompt."""

import re
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Annotated, Any

from mockforge_brokers.clock import Timer
from mockforge_brokers.errors import InvalidInput
from mockforge_brokers.events import MessageSeen
from mockforge_brokers.journal import Row

from ... import units
from ...filters import Filter
from ..asking import BadArgument, kafka, resolved
from ..jobs import Job
from ..language import Kind, PlacedError, Token
from ..registry import Arg, Opt, Type, command
from ..results import Notice, Result, done
from ..rows import formatted, line_of, record_of, row_of
from ..targets import (
    SCHEMES,
    AmqpTarget,
    BareTarget,
    KafkaTarget,
    MqttTarget,
    QueueTarget,
    Target,
    parse_target,
)
from ..types import COUNT, FILTER, TEXT, of_text

if TYPE_CHECKING:
    from ..session import Session

_TICK = 0.125
_READ = 500
_CLOCK = re.compile(r"(\d{1,2}):(\d{2})(?::(\d{2}(?:\.\d+)?))?")


def _source(token: Token) -> Target | Filter:
    """A target, or a filter in parentheses."""
    if token.kind is Kind.GROUP:
        found: Filter = FILTER.parse(token)
        return found
    value = token.value
    if not value.startswith(SCHEMES) and re.match(r"[a-z_]+[:~=<>^!]", value):
        text = "a target comes first, or a filter in parentheses: tail (proto:kafka)"
        raise PlacedError(text, 0, len(token.text))
    return parse_target(value)


_SOURCE = Type("target", _source, "sources")
_FROM = Type("offset", of_text(str))


@command(
    "tail",
    group="messages",
    aliases=("consume", "sub"),
    examples=(
        "tail kafka:orders --from begin -n 5",
        "tail mqtt:sensors/# size>10",
        "tail (proto:amqp) -f '%T %t %r %v'",
        "tail kafka:orders[0]@-5m",
    ),
)
def tail(
    session: "Session",
    source: Annotated[
        Target | Filter | None, Arg(_SOURCE, "a target, or a (filter) over all messages")
    ] = None,
    where: Annotated[Filter | None, Arg(FILTER, "only what matches", tail=True)] = None,
    *,
    start: Annotated[
        str | None, Opt(("--from",), _FROM, "Kafka: 118, begin, end, @-5m, @12:00:05")
    ] = None,
    form: Annotated[
        str | None, Opt(("-f", "--format"), TEXT, "%T %t %p %o %k %v %h %s %c", "FORMAT")
    ] = None,
    most: Annotated[int | None, Opt(("-n", "--count"), COUNT, "stop after so many")] = None,
) -> Result:
    """Show messages as they enter a broker.

    Without a target all brokers' messages are shown. Only so many lines are shown at a time; the
    rest is counted (narrow it with a filter). `tail stop` ends it.
    """
    if isinstance(source, Filter):
        if where is not None:
            raise BadArgument("where", "one filter is enough; write both in the parentheses")
        where, source = source, None
    target = resolved(session, source, "source") if source is not None else None
    tail = _Tail(session, where, form, most)
    past = _past(session, target, start)
    tail.follow(target)
    for row in past:
        tail.take(row)
    what = _named(target) + (f" {where.text}" if where is not None else "")
    if tail.job is not None and not tail.job.stopped:
        tail.job.what = what
        return done(f"tailing {what} (job {tail.job.id}; tail stop ends it)", {"job": tail.job.id})
    return done(f"{tail.shown} of {what}", {"shown": tail.shown})


@command("tail stop", group="messages", examples=("tail stop",))
def tail_stop(session: "Session") -> Result:
    """End all tails."""
    return done(f"{session.jobs.stop_all('tail')} stopped")


class _Tail:
    """Rows to notices, so many in a tick at most; the rest is counted."""

    def __init__(
        self, session: "Session", where: Filter | None, form: str | None, most: int | None
    ) -> None:
        self.session = session
        self.where = where
        self.form = form
        self.most = most
        self.shown = 0
        self.waiting: list[Row] = []
        self.more = 0
        self.timer: Timer | None = None
        self.job: Job | None = None

    def follow(self, target: Target | None) -> None:
        """Begin to listen."""
        stops = [
            broker.watch(self.see(target), destination)
            for broker, destination in _watched(self.session, target)
        ]
        self.job = self.session.jobs.open("tail", _named(target), self.end)
        self.job.on_stop += stops

    def see(self, target: Target | None) -> Callable[[MessageSeen], None]:
        partition = target.partition if isinstance(target, KafkaTarget) else None
        key = target.routing_key if isinstance(target, AmqpTarget) else ""

        def see(seen: MessageSeen) -> None:
            if partition is not None and seen.detail.get("partition") != partition:
                return
            if key and seen.detail.get("routing_key") != key:
                return
            self.take(row_of(seen))

        return see

    def take(self, row: Row) -> None:
        if self.job is None or self.job.stopped or (self.where and not self.where(row)):
            return
        self.shown += 1
        self.job.steps = self.shown
        limit = self.session.tail_lines
        if limit is None:
            self.tell(row)
        elif len(self.waiting) < limit:
            self.waiting.append(row)
            if self.timer is None:
                self.timer = self.session.runtime.clock.call_later(_TICK, self.flush)
        else:
            self.more += 1
        if self.most is not None and self.shown >= self.most:
            self.session.jobs.stop(self.job)

    def flush(self) -> None:
        self.timer = None
        rows, self.waiting, more, self.more = self.waiting, [], self.more, 0
        for row in rows:
            self.tell(row)
        if more:
            self.session.tell(Notice("note", f"… {more:,} more (narrow with a filter)"))

    def tell(self, row: Row) -> None:

        line = line_of(row) if self.form is None else formatted(row, self.form)
        self.session.tell(Notice("row", line, record_of(row)))

    def end(self) -> None:
        if self.timer is not None:
            self.timer.cancel()
        self.flush()


def _watched(session: "Session", target: Target | None) -> list[tuple[Any, str | None]]:
    brokers = session.runtime.brokers
    match target:
        case None:
            return [(broker, None) for broker in brokers.values()]
        case KafkaTarget():
            protocol, destination = "kafka", target.topic
        case MqttTarget():
            protocol, destination = "mqtt", target.topic
        case AmqpTarget():
            protocol, destination = "amqp", target.exchange
        case QueueTarget():
            protocol, destination = "amqp", f"queue:{target.name}"
        case BareTarget():
            raise BadArgument("source", f"{target.name} is not known")
    if protocol not in brokers:
        raise InvalidInput(f"{protocol} does not run here")
    return [(brokers[protocol], destination)]


def _named(target: Target | None) -> str:
    match target:
        case None:
            return "all messages"
        case KafkaTarget():
            return f"kafka:{target.topic}" + (
                "" if target.partition is None else f"[{target.partition}]"
            )
        case MqttTarget():
            return f"mqtt:{target.topic}"
        case AmqpTarget():
            return f"amqp:{target.exchange}/{target.routing_key}"
        case QueueTarget():
            return f"queue:{target.name}"
        case BareTarget():
            return target.name


def _past(session: "Session", target: Target | None, start: str | None) -> list[Row]:
    """What Kafka's log has from an offset on, oldest first."""
    argument = "start"
    if start is None and isinstance(target, KafkaTarget):
        start, argument = target.offset, "source"
    if start is None:
        return []
    if not isinstance(target, KafkaTarget):
        raise BadArgument(argument, "only Kafka keeps its records: --from needs a kafka: target")
    start = start.removeprefix("@")
    if start == "end":
        return []
    admin = kafka(session)
    offsets = admin.offsets(target.topic)
    partitions = range(len(offsets)) if target.partition is None else (target.partition,)
    since = None if start == "begin" or start.isdecimal() else _moment(session, start, argument)
    rows = []
    for partition in partitions:
        if partition >= len(offsets):
            raise BadArgument("source", f"{target.topic} has partitions 0 to {len(offsets) - 1}")
        offset = int(start) if start.isdecimal() else offsets[partition][0]
        for record in admin.read(target.topic, partition, offset, _READ):
            if since is None or record.time >= since:
                seen = MessageSeen(
                    "kafka", record.time, target.topic, record.key, record.value, record.headers,
                    "", {"partition": partition, "offset": record.offset},
                )  # fmt: skip
                rows.append(row_of(seen))
    return sorted(rows, key=lambda row: row.time)


def _moment(session: "Session", text: str, argument: str) -> float:
    """`-5m` or `12:00:05` (today or the day before) as seconds since 1970."""
    now = session.runtime.clock.wall()
    at = _CLOCK.fullmatch(text)
    if at is not None:
        day = time.localtime(now)
        midnight = now - (day.tm_hour * 3600 + day.tm_min * 60 + day.tm_sec) - now % 1
        moment = midnight + int(at[1]) * 3600 + int(at[2]) * 60 + float(at[3] or 0)
        return moment if moment <= now else moment - 86_400
    try:
        if text.startswith("-"):
            return now - units.parse_duration(text[1:])
    except ValueError:
        pass
    raise BadArgument(argument, f"{text!r} is not an offset (118, begin, end, @-5m, @12:00:05)")


COMMANDS = (tail, tail_stop)
