"""Rows to the prompt as they come: from one destination, or from all traffic."""

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

from mockforge_brokers.clock import Timer
from mockforge_brokers.contract import Broker
from mockforge_brokers.errors import InvalidInput
from mockforge_brokers.events import MessageSeen
from mockforge_brokers.journal import Row

from ..expectations.message import row_of
from ..feed import Feed
from ..filters import Filter
from .lookup import BadArgument
from .results import Notice
from .rows import formatted, line_of, record_of
from .stored import open_store
from .stores import Store
from .targets import AmqpTarget, BareTarget, KafkaTarget, QueueTarget, Target

if TYPE_CHECKING:
    from .session import Session

_TICK = 0.125
_FIRST_LOOK = 0.02
"""Seconds of decoding what the journal had before the tail began."""
_SLICE = 500
"""Rows of the past that are shown in one turn of the loop."""
_PAUSE = 0.02
_ROWS = 4096
"""Kept of all traffic: a tail looks at each row once."""


class Tail:
    """Rows to notices, so many in a tick at most; the rest is counted."""

    def __init__(
        self, session: "Session", where: Filter | None, form: str | None, most: int | None
    ) -> None:
        self.shown = 0
        self._session = session
        self._where = where
        self._form = form
        self._most = most
        self._waiting: list[Row] = []
        self._more = 0
        self._timer: Timer | None = None
        self.job = session.jobs.open("tail", "", self._end)

    def follow(self, target: Target | None) -> None:
        """Begin to listen: to a destination's messages, or to all that the flow pane shows."""
        session = self._session
        self.job.what = described(target, self._where)
        if target is None and session.runtime.journal is not None:
            _Traffic(session, self)
            return
        see = self._see(target)
        self.job.on_stop += [
            broker.watch(see, destination) for broker, destination in _watched(session, target)
        ]

    def catch_up(self, store: Store, rows: Iterator[Row], target: Target) -> None:
        """Show what is stored, a slice a turn, and follow once nothing more is."""
        job, session = self.job, self._session
        job.what, job.timer = described(target, self._where), None
        for _ in range(_SLICE):
            if job.stopped or not session.has_room():
                break
            row = next(rows, None)
            if row is not None:
                self.take(row)
            elif store.grew():
                rows = store.forward(store.place())
            else:
                self.follow(target)
                return
        if not job.stopped:
            pause = 0.0 if session.has_room() else _PAUSE
            later = session.runtime.clock.call_later
            job.timer = later(pause, self.catch_up, store, rows, target)

    def take(self, row: Row) -> None:
        """Show a row if it is wanted."""
        if self.job.stopped or (self._where is not None and not self._where(row)):
            return
        self.shown += 1
        self.job.steps = self.shown
        # Who asks for a number of rows gets them all.
        limit = self._session.tail_lines if self._most is None else self._most
        if limit is None:
            self._report(row)
        elif len(self._waiting) < limit:
            self._waiting.append(row)
            if self._timer is None:
                self._timer = self._session.runtime.clock.call_later(_TICK, self._flush)
        else:
            self._more += 1
        if self._most is not None and self.shown >= self._most:
            self._session.jobs.stop(self.job)

    @property
    def wants_noise(self) -> bool:
        """Pings and empty polls are shown only to who asks for them."""
        return self._where is not None and "kind" in self._where.text

    def _see(self, target: Target | None) -> Callable[[MessageSeen], None]:
        partition = target.partition if isinstance(target, KafkaTarget) else None
        key = target.routing_key if isinstance(target, AmqpTarget) else ""
        vhost = target.vhost if isinstance(target, AmqpTarget | QueueTarget) else None

        def see(seen: MessageSeen) -> None:
            if partition is not None and seen.detail.get("partition") != partition:
                return
            if vhost is not None and seen.detail.get("vhost") != vhost:
                return
            if key and seen.detail.get("routing_key") != key:
                return
            self.take(row_of(seen))

        return see

    def _flush(self) -> None:
        self._timer = None
        rows, self._waiting, more, self._more = self._waiting, [], self._more, 0
        for row in rows:
            self._report(row)
        if more:
            self._session.report(Notice("note", f"… {more:,} more (narrow with a filter)"))

    def _report(self, row: Row) -> None:
        line = line_of(row) if self._form is None else formatted(row, self._form)
        formed = self._form is not None
        self._session.report(Notice("row", line, record_of(row), formed=formed))

    def _end(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._flush()


class _Traffic:
    """The rows of all traffic from now on, decoded in ticks."""

    def __init__(self, session: "Session", tail: Tail) -> None:
        runtime = session.runtime
        self._clock = runtime.clock
        self._feed = Feed(runtime.journal, runtime.spine, runtime.holds, slots=_ROWS)
        self._tail = tail
        self._since = runtime.clock.wall()
        self._seen = 0
        self._feed.tick(_FIRST_LOOK)
        self._timer = self._clock.call_later(_TICK, self._tick)
        tail.job.on_stop.append(lambda: self._timer.cancel())

    def _tick(self) -> None:
        self._feed.tick()
        for row in self._feed.since(self._seen):
            if row.time >= self._since and (row.kind != "noise" or self._tail.wants_noise):
                self._tail.take(row)
        self._seen = self._feed.newest
        if not self._tail.job.stopped:
            self._timer = self._clock.call_later(_TICK, self._tick)


def _watched(session: "Session", target: Target | None) -> list[tuple[Broker, str | None]]:
    brokers = session.runtime.brokers
    if target is None:
        return [(broker, None) for broker in brokers.values()]
    if isinstance(target, BareTarget):
        raise BadArgument("source", f"{target.name} is not known")
    if target.protocol not in brokers:
        raise InvalidInput(f"{target.protocol} does not run here")
    return [(brokers[target.protocol], target.watched)]


def described(target: Target | None, where: Filter | None) -> str:
    """`kafka:orders size>1k`"""
    name = "all traffic" if target is None else str(target)
    return name + (f" {where.text}" if where is not None else "")


def past(
    session: "Session", target: Target | None, start: str | None
) -> tuple[Store, Iterator[Row]] | None:
    """What Kafka's log has from an offset on, oldest first; None where no past was asked for."""
    argument = "start"
    if start is None and isinstance(target, KafkaTarget):
        start, argument = target.offset, "source"
    if start is None:
        return None
    if not isinstance(target, KafkaTarget):
        text = "only Kafka keeps its records: --from needs a kafka: target"
        raise BadArgument(argument, f"{text} (peek shows what a queue holds)")
    try:
        store = open_store(session, target)
        return store, store.forward(start)
    except BadArgument as error:
        raise BadArgument({"start": argument, "target": "source"}[error.name], str(error)) from None
