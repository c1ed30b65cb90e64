"""Watches the clients of a run: who is who, what each sent and lost, and when it came back."""

import re
from collections.abc import Callable, Iterable, Iterator
from typing import Final
from weakref import ref

from mockforge_brokers.clock import MovableClock, Timer
from mockforge_brokers.ended import EndedConnections
from mockforge_brokers.events import (
    INSIDE,
    ClientIdentified,
    ConnectionClosed,
    ConnectionOpened,
    FaultFired,
    MessageSeen,
)
from mockforge_brokers.journal import Row
from mockforge_brokers.kafka.events import TransactionAborted
from mockforge_brokers.misbehaviour.queue import Queue
from mockforge_brokers.misbehaviour.rules import Faults
from mockforge_brokers.protocols import PROTOCOLS
from mockforge_brokers.snapshots import ConnectionView
from mockforge_brokers.spine import Spine

from ...brokers import Brokers
from .aftermath import ended_by_itself
from .arrivals import Arrival, Arrivals, host_of
from .identity import Identify, name_of
from .kafka_transactions import Transactions
from .story import BUCKET, ClientStory
from .streams import Stream, address_of
from .withheld import Coming, Sent, says_how_it_arrives

_MOST_IDS: Final = 500_000
"""Ids that are remembered of all clients; of what comes after none is known again."""
_MOST_CLIENTS: Final = 1_000
_MOST_BUCKETS: Final = 50_000
GRACE: Final = 60.0
"""Seconds behind the end of a run in which what was kept from the broker may still come, and who
is away may be back."""

_STOPPED: Final = ("the broker ended", "the broker was killed")
"""The reasons of an end by `broker stop` and `restart`: a fault of no rule."""
_GONE: Final = ("the client closed the connection", "the connection was lost")
"""How the reasons of an end begin that nobody here brought about."""


class Observer:
    """Watches connections, faults and messages from `begin` to `end`.

    Then it waits for a while for what was kept from the broker and for who is away, and for
    nothing else.
    """

    def __init__(
        self,
        brokers: Brokers,
        spine: Spine,
        faults: Faults,
        over: EndedConnections,
        clock: MovableClock,
        identify: Identify,
    ) -> None:
        self._brokers = brokers
        self._spine = spine
        self._faults = faults
        self._over = over
        self._clock = clock
        self._identify = identify
        self._stories: list[ClientStory] = []
        self._by_name: dict[tuple[str, str], ClientStory] = {}
        self._arrivals = Arrivals()
        self._transactions = Transactions()
        self._got_before: dict[int, int] = {}
        """By connections that were there at the beginning."""
        self._stops: list[Callable[[], object]] = []
        self._started = 0.0
        self._ended: float | None = None
        self._ids = 0
        """Those that are remembered."""
        self._grace: Timer | None = None

    @property
    def lasted(self) -> float:
        """Seconds from its beginning to its end, or up to now."""
        end = self._now() if self._ended is None else self._ended
        return end - self._started

    def _now(self) -> float:
        """The clients' time: that by which a person moved the brokers' clock is none of it."""
        return self._clock.now() - self._clock.offset

    def newest(self) -> int:
        """The number of the newest connection."""
        views = (view for broker in self._brokers.values() for view in broker.connections())
        return max((view.id for view in views), default=0)

    def begin(self) -> None:
        self._started = self._now()
        for broker in self._brokers.values():
            for view in broker.connections():
                story = self._story(view.protocol, view.client, host_of(view.address))
                if story is not None:
                    story.open.add(view.id)
                    self._got_before[view.id] = view.messages_out
        spine = self._spine
        self._faults.kept_back, self._faults.changed = self._kept_back, self._changed
        self._stops = [
            spine.watch(self._opened, ConnectionOpened),
            spine.watch(self._identified, ClientIdentified),
            spine.watch(self._closed, ConnectionClosed),
            spine.watch(self._fired, FaultFired),
            spine.watch(self._aborted, TransactionAborted),
            *(broker.watch(self._sent) for broker in self._brokers.values()),
        ]

    def end(self) -> None:
        self._look()
        self._unwatch()
        self._faults.kept_back = self._faults.changed = None
        self._ended = self._now()
        for story in self._stories:
            story.withheld.settle()
        if any(story.misses for story in self._stories):
            self._stops = [broker.watch(self._came_late) for broker in self._brokers.values()]
        if any(story.awaited for story in self._stories):
            self._stops += [
                self._spine.watch(self._opened, ConnectionOpened),
                self._spine.watch(self._came_back, ClientIdentified),
                self._spine.watch(self._went, ConnectionClosed),
            ]
        if self._stops:
            self._grace = self._clock.call_later(GRACE, self._stop)
        else:
            self._stop()

    def forget(self) -> None:
        """Another run begins."""
        if self._grace is not None:
            self._grace.cancel()
        self._stop()

    def _stop(self) -> None:
        self._unwatch()
        self._arrivals.clear()

    def _unwatch(self) -> None:
        for stop in self._stops:
            stop()
        self._stops.clear()

    def stories(self) -> Iterator[ClientStory]:
        """Of those that were there, in the order in which they came."""
        if self._ended is None:
            self._look()
        return iter(self._stories)

    def _look(self) -> None:
        """What came by connections that are open up to now."""
        for story in self._stories:
            story.until = self.lasted
            story.shut_out = story.protocol in self._brokers.stopped
            broker = self._brokers.get(story.protocol)
            views = [] if broker is None else [broker.connection(each) for each in story.open]
            story.getting = sum(self._got(view) for view in views if view is not None)

    def _got(self, view: ConnectionView) -> int:
        return view.messages_out - self._got_before.get(view.id, 0)

    def _story(self, protocol: str, client: str, host: str = "") -> ClientStory | None:
        known = self._by_name.get((protocol, client))
        if known is None and client and len(self._stories) < _MOST_CLIENTS and client[0] != INSIDE:
            known = self._successor(protocol, client, host) or ClientStory(protocol, client, host)
            if known.client == client:
                self._stories.append(known)
            self._by_name[protocol, client] = known
        if known is not None:
            known.host = known.host or host
        return known

    def _successor(self, protocol: str, client: str, host: str) -> ClientStory | None:
        """Who is back under another name, since it gave none before and gives none now."""
        pattern = PROTOCOLS[protocol].unnamed
        if not host or not re.fullmatch(pattern, client):
            return None
        for (of, name), story in self._by_name.items():
            there = of == protocol and story.host == host
            if there and story.awaited and re.fullmatch(pattern, name):
                self._by_name[protocol, client] = self._by_name.pop((of, name))
                return story
        return None

    def _stranger(self, event: ConnectionClosed, arrival: Arrival | None) -> ClientStory | None:
        """Whose connection was put out before it could say: the one from there that is away.

        Where there are several of them its host is all that is known.
        """
        if arrival is None or not (arrival.faults or not event.reason.startswith(_GONE)):
            return None
        protocol, host = event.protocol, arrival.host
        away = [one for one in self._stories if (one.protocol, one.host) == (protocol, host)]
        away = [one for one in away if one.awaited]
        if len(away) == 1:
            return away[0]
        return self._story(protocol, f"someone at {host}", host)

    def _opened(self, event: ConnectionOpened) -> None:
        self._arrivals.opened(event.connection, event.address, self._now())

    def _identified(self, event: ClientIdentified) -> None:
        arrival = self._arrivals.take(event.connection)
        story = self._story(event.protocol, event.client, arrival.host if arrival else "")
        if story is None:
            return
        story.open.add(event.connection)
        story.begun = self.lasted
        self._back(story, arrival)
        if arrival is not None:
            self._hit(story, arrival.faults)

    def _back(self, story: ClientStory, arrival: Arrival | None) -> None:
        if story.lost_at is None:
            return
        now = self._now()
        story.tried(arrival.opened if arrival else now)
        pause = now - story.lost_at
        story.back(pause)
        story.lost_at = None
        story.note(self.lasted, "back")

    def _came_back(self, event: ClientIdentified) -> None:
        """The run was over before it could: it did not give up."""
        arrival = self._arrivals.take(event.connection)
        story = self._by_name.get((event.protocol, event.client)) or self._successor(
            event.protocol, event.client, arrival.host if arrival else ""
        )
        if story is not None and story.awaited:
            story.shut_out = False
            self._back(story, arrival)

    def _went(self, event: ConnectionClosed) -> None:
        """Behind the run nobody asks whose it was."""
        self._arrivals.take(event.connection)

    def _closed(self, event: ConnectionClosed) -> None:
        arrival = self._arrivals.take(event.connection)
        if event.client:
            story = self._story(event.protocol, event.client, arrival.host if arrival else "")
        else:
            story = self._stranger(event, arrival)
        if story is None:
            return
        if event.connection in story.open:
            story.lost += 1
            story.open.discard(event.connection)
            view = self._over.find(event.connection)
            story.got += 0 if view is None else self._got(view.view)
            self._got_before.pop(event.connection, None)
        else:
            story.refused += 1
            if arrival is not None:
                self._hit(story, arrival.faults)
                if not story.open:
                    story.tried(arrival.opened)
        story.tried_at = self._now()
        if event.reason in _STOPPED:
            self._hit(story, [("stop", "broker")])
        if not story.open and story.lost_at is None:
            story.lost_at = story.tried_at
            story.left = ended_by_itself(event.protocol, event.reason)
            story.causes.lost()
            story.note(self.lasted, "lost", event.reason)

    def _hit(self, story: ClientStory, faults: Iterable[tuple[str, str]]) -> None:
        for kind, operation in faults:
            story.faults[kind] += 1
            story.causes.hit(kind, operation, self.lasted)
            story.hit(self.lasted, kind, operation)

    def _fired(self, event: FaultFired) -> None:
        story = self._story(event.protocol, event.client)
        if story is not None:
            self._hit(story, [(event.kind, event.operation)])
        else:
            self._arrivals.hit(event.connection, event.kind, event.operation)

    def _sent(self, event: MessageSeen) -> None:
        story = self._story(event.protocol, event.client)
        if story is None:
            return
        at = self.lasted
        if len(story.buckets) < _MOST_BUCKETS:
            story.buckets[int(at / BUCKET)] += 1
        sent = story.withheld.arrived(self._coming(event))
        if sent is None:
            story.uncounted += 1
        else:
            self._meet(story, event, sent, at)

    def _coming(self, message: MessageSeen | Row) -> Coming:
        value = self._identify(message)
        return address_of(message), None if value is None else name_of(value)

    def _aborted(self, event: TransactionAborted) -> None:
        for stream, comings in self._transactions.aborted(event):
            known = stream.remembered
            stream.forget(comings)
            self._ids -= known - stream.remembered

    def _kept_back(self, rows: list[Row], queue: Queue) -> None:
        """A client sent it, and a fault or hold has it, or it waits behind what one has."""
        place = ref(queue)
        for row in rows:
            # Of a repetition the first may have arrived before the run.
            if row.kind != "message" or row.detail.get("dup"):
                continue
            if not says_how_it_arrives(row, queue):
                continue
            story, (address, name) = self._story(row.protocol, row.client), self._coming(row)
            if story is None or name is None:
                continue
            stream = story.streams.get(address)
            if stream is None or name not in stream.ids:
                story.withheld.add(address, name, place)

    def _changed(self, before: list[Row], instead: list[Row]) -> None:
        """Something else goes in than what a client sent."""
        for place, row in enumerate(before):
            story = self._by_name.get((row.protocol, row.client))
            if story is None or row.kind != "message":
                continue
            if not instead:
                story.withheld.forget(self._coming(row))
            elif place < len(instead) and instead[place].kind == "message":
                story.withheld.change(self._coming(row), self._coming(instead[place]))

    def _came_late(self, event: MessageSeen) -> None:
        story = self._by_name.get((event.protocol, event.client))
        if story is not None and story.misses:
            story.arrived_late(self._coming(event))

    def _meet(self, story: ClientStory, event: MessageSeen, sent: Sent, at: float) -> None:
        """A message, and how its client called it."""
        address, name = sent
        stream = story.streams.get(address)
        if (stream is None or not stream.knows(name)) and self._ids == _MOST_IDS:
            story.uncounted += 1
            return
        if stream is None:
            stream = story.streams[address] = Stream()
        known = stream.remembered
        coming = stream.add(name, at, event.detail.get("partition"))
        self._ids += stream.remembered - known
        self._transactions.met(event, stream, coming)
        match coming.kind:
            case "doubled":
                story.note(at, "doubled", name)
                first = stream.ids[name]
                if PROTOCOLS[story.protocol].resends and (story.begun or 0.0) > first:
                    story.resent.append(name)
                story.causes.doubled(name, stream.gaps[-1])
            case "disordered":
                story.causes.disordered(name)
