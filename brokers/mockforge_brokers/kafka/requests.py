"""The requests of one connection: one after the other, each when its turn comes."""

from __future__ import annotations

from collections.abc import Iterable
from functools import partial
from struct import Struct
from typing import TYPE_CHECKING, Final

from ..errors import ProtocolError
from ..events import ClientIdentified
from . import misbehaviour
from .apis import HANDLERS, answer_on_path
from .apis.caller import NO_API
from .apis.handler import Handler, Pieces
from .backlog import Backlog
from .codes import ApiKey
from .gate import in_login, not_served, title
from .misbehaviour import Refusal
from .rows import RowReader
from .state.purgatory import Parked
from .throttle import Throttle
from .wire.frames import RequestHeader, read_request_header
from .wire.splitter import LARGE, Frame, whole

if TYPE_CHECKING:
    from .apis.logs.fetch_path import FetchPath
    from .connection import KafkaConnection

_PRODUCE: Final = int(ApiKey.PRODUCE)
_FETCH: Final = int(ApiKey.FETCH)
_API_KEY: Final = slice(4, 6)
_PRODUCE_KEY: Final = _PRODUCE.to_bytes(2, "big")
_HEAD: Final = Struct(">ihhi")
"""Size, API, version, correlation id."""
_BULKY: Final = 32 * 1024
_MEASURED: Final = 16
"""Of the requests that go the short way one of so many is measured."""
_LOOK: Final = 8
"""So many of them go between two looks at the clock."""


class Requests:
    """Handles each request before the next one, as Kafka does.

    Four things hold requests back, and each knows when they go on: one that is parked (a long poll,
    a join) until it is completed; output that the client does not take; a turn of the loop that is
    up, or more output than is wise to hold (both `_deferred`); and a quota that throttles.
    """

    __slots__ = (
        "_api_key",
        "_backlog",
        "_begun",
        "_connection",
        "_deferred",
        "_environment",
        "_latency",
        "_most_alone",
        "_out",
        "_parked",
        "_room",
        "_rows",
        "_short",
        "_since",
        "_throttle",
        "_turn",
        "_writable",
        "caller",
        "ended",
        "handled",
        "identified",
    )

    def __init__(self, connection: KafkaConnection, rows: RowReader) -> None:
        self.caller = connection.caller
        self.handled = 0
        self.ended = False
        self.identified = False
        """Whether it was emitted who the client is: with its first request."""
        self._connection = connection
        # The connection's, which transport empties in place.
        self._out = connection.out
        self._rows = rows
        self._most_alone = min(LARGE, rows.reading.limit)
        self._environment = environment = connection.caller.environment
        self._turn = environment.turn
        self._room = environment.limits.write_mark
        self._backlog: Backlog | None = None
        """There while something waits in it."""
        self._throttle: Throttle | None = None
        self._parked: Parked[Pieces] | None = None
        self._writable = True
        self._deferred = False
        self._latency = connection.caller.counters.latency
        self._api_key = NO_API
        """Of the request that was handled last, be it parked."""
        self._begun = 0.0
        """When the turn of the one that is parked began."""
        self._since = 0.0
        """When the turn of the next one began, be it that of the short ones before it."""
        self._short = 0
        """Requests that went the short way since then."""

    @property
    def state(self) -> str:
        """A word for people."""
        if not self._writable:
            return "slow"
        if self._parked is not None:
            return "waiting"
        if self._throttle is not None and self._throttle.on:
            return "throttled"
        return "open" if self.identified else "handshake"

    def set_writable(self, writable: bool) -> None:
        self._writable = writable
        if writable:
            self._go_on()

    def refuse(self, refusal: Refusal) -> None:
        """A request that a rule refuses, in its place among the others."""
        if self.ended:
            return
        if self._parked is not None or self._backlog is not None or not self._free:
            self._enqueue(refusal)
        else:
            self._handle_refusal(refusal)

    def wait(self, seconds: float) -> None:
        """No request is handled for so long."""
        throttle = self._throttle = self._throttle or self._new_throttle()
        throttle.wait(self.caller, seconds)

    def forget(self) -> None:
        """The connection is over: what waits is never carried out."""
        self.ended = True
        # The two know each other: together they would stay until the collector comes by.
        del self._connection
        self._backlog = None
        self.caller.forget()
        if self._throttle is not None:
            self._throttle.stop()
        parked, self._parked = self._parked, None
        if parked is not None:
            parked.abandon()

    def run(self, frames: Iterable[Frame]) -> None:
        """Those of one burst."""
        self._begin_burst()
        caller = self.caller
        for frame in frames:
            # Answers go out in the order of the requests: behind one that waits all others do. As
            # `_free`, written out, too.
            if (
                self._parked is not None
                or self._backlog is not None
                or self._deferred
                or self.ended
                or not self._writable
            ):
                self._enqueue(whole(frame))
            elif caller.produce_paths is None or not self._take_short(frame):
                self._serve(frame if isinstance(frame, bytes) else whole(frame))
        if self._short:
            self._measure_short()

    def run_alone(self, data: bytes) -> bool:
        """Handle a burst that is one request, and one more like the last; False: it is another.

        As `run` and what it calls, written out: of who waits for each answer most bursts are such.
        """
        caller, size = self.caller, len(data)
        paths, path = caller.produce_paths, caller.fetch_path
        if (
            (path is None and (paths is None or paths.last is None))
            or not _HEAD.size <= size <= self._most_alone
            or self._parked is not None
            or self._backlog is not None
            or self._deferred
            or not self._writable
        ):
            return False
        stated, api_key, version, correlation_id = _HEAD.unpack_from(data)
        if stated + 4 != size:
            return False
        if api_key != _PRODUCE or paths is None or paths.last is None:
            if path is None or api_key != _FETCH:
                return False
            return self._fetch_alone(path, data, correlation_id)
        measured = not (self.handled + 1) % _MEASURED
        begun = self._turn.now() if measured else 0.0
        answer = answer_on_path(caller, paths, data, data)
        if answer is None:
            return False
        self.handled += 1
        caller.counters.requests[_PRODUCE] += 1
        self._rows.remember(correlation_id, _PRODUCE, version)
        self._out += answer
        if measured:
            self._latency[_PRODUCE].add(self._turn.now() - begun, _MEASURED)
        return True

    def _fetch_alone(self, path: FetchPath, data: bytes, correlation_id: int) -> bool:
        self._begin_burst()
        answer = path.answer(self.caller, data, correlation_id)
        if answer is None:
            return False
        self.handled += 1
        self.caller.counters.requests[_FETCH] += 1
        self._rows.remember(correlation_id, _FETCH, path.version)
        self._api_key = _FETCH
        if isinstance(answer, list):
            self._send(answer)
            self._latency[_FETCH].add(self._turn.now() - self._since)
        else:
            self._begun = self._since
            self._parked = answer
            answer.then(self._answered, self._failed)
        return True

    def _begin_burst(self) -> None:
        self._room = self._environment.limits.write_mark
        self._since = self._turn.now()
        self._short = 0

    def _take_short(self, frame: Frame) -> bool:
        """Handle a request that is one more like the last; False: it is not, nothing was done."""
        caller = self.caller
        paths = caller.produce_paths
        head = frame if isinstance(frame, bytes) else frame[0]
        if paths is None or paths.last is None or head[_API_KEY] != _PRODUCE_KEY:
            return False
        answer = answer_on_path(caller, paths, head, frame)
        if answer is None:
            return False
        self.handled += 1
        caller.counters.requests[_PRODUCE] += 1
        self._rows.remember(_HEAD.unpack_from(head)[3], _PRODUCE, head[7])
        self._send(answer)
        self._short = short = self._short + 1
        # A look at the clock each time would cost as much as all the counting.
        if short == _LOOK:
            self._measure_short()
            self._look_at_time()
        return True

    def _measure_short(self) -> None:
        """Requests went the short way since the last look at the clock: one stands for many."""
        short = self._short
        if self.handled % _MEASURED < short:
            now = self._turn.now()
            self._latency[_PRODUCE].add((now - self._since) / short, _MEASURED)

    def _look_at_time(self) -> None:
        """The requests behind this one wait for a later turn when its turn is up."""
        self._short = 0
        self._since = now = self._turn.now()
        if now > self._turn.until and not self._deferred:
            self._defer()

    def _serve(self, frame: bytes) -> None:
        """Handle a request whose turn it is, by the general path."""
        if self._short:
            self._measure_short()
            self._short = 0
            self._since = self._turn.now()
        begun = self._since
        self._handle(frame)
        self._look_at_time()
        if self._parked is None:
            self._latency[self._api_key].add(self._since - begun)
        else:
            self._begun = begun

    def _defer(self) -> None:
        self._deferred = True
        self._environment.chores.soon(partial(self.caller.peer.work, self._go_on_after_writing))

    @property
    def _free(self) -> bool:
        return self._writable and not self._deferred and not self.ended

    def _handle(self, frame: bytes) -> None:
        caller = self.caller
        if caller.login.agreed:
            answer = in_login(caller, self._rows, frame)
            if answer is not None:
                self._api_key = NO_API
                self._send(answer)
                return
        header, at = read_request_header(frame)
        # Only now is the request counted: one in a log-in is no API's.
        handler = self._begin(header)
        if handler is not None:
            if caller.cluster.quotas.active:
                throttle = self._throttle = self._throttle or self._new_throttle()
                self._answer_with(throttle.handle(caller, handler, header, frame, at))
            else:
                self._answer_with(handler.answer(caller, frame, at, header.correlation_id))

    def _new_throttle(self) -> Throttle:
        return Throttle(self._environment, self._hold, self._go_on_after_throttling)

    def _hold(self) -> None:
        self._deferred = True

    def _go_on_after_throttling(self) -> None:
        self.caller.peer.work(self._go_on_after_writing)

    def _handle_refusal(self, refusal: Refusal) -> None:
        """Answer with an error code a request whose turn it is."""
        # Of several partitions it may name, those that are not refused can park it.
        self._begun = self._turn.now()
        try:
            header, at = read_request_header(refusal.frame)
            if self._begin(header) is None:
                return
            self.caller.counters.count_error(header.api_key, refusal.code)
            name_of = self.caller.cluster.topics.name_of
            self._answer_with(misbehaviour.answer(self.caller, refusal, header, at, name_of))
        except ProtocolError as error:
            self._violated(error.text)

    def _begin(self, header: RequestHeader) -> Handler | None:
        """What serves a request; None when it was reported already that nothing does.

        Raises ProtocolError where the client must log in first.
        """
        api_key, version, correlation_id, client_id = header
        caller = self.caller
        served = caller.offer.served.get(api_key)
        if client_id is not None and client_id != caller.client_id:
            caller.rename(client_id)
        if not caller.login.admitted and not caller.admit(api_key):
            raise ProtocolError(
                f"{title(api_key)} came before the client logged in by SASL, which is wanted here"
            )
        # As `version in served`, written out.
        if served is None or not served.first <= version <= served.last:
            self._api_key = NO_API
            self._send(not_served(caller, self._rows, header))
            return None
        if caller.login.expires is not None:
            caller.login.check_session(api_key)
        caller.version = version
        self._api_key = api_key
        self.handled += 1
        caller.counters.requests[api_key] += 1
        self._rows.remember(correlation_id, api_key, version)
        return HANDLERS[api_key]

    def _answer_with(self, answer: Pieces | Parked[Pieces]) -> None:
        if not self.identified:
            self._identify()
        if isinstance(answer, list):
            self._send(answer)
        elif answer.done:
            answer.then(self._send)
        else:
            self._parked = answer
            answer.then(self._answered, self._failed)

    def _send(self, pieces: Pieces) -> None:
        self._out += pieces
        size = len(pieces[0]) if len(pieces) == 1 else sum(map(len, pieces))
        if size > _BULKY and not self.ended:
            self._connection.bulky = True
        self._room -= size
        if self._room < 0 and not self._deferred:
            # The client asked for more in one burst than is wise to hold: write this much first.
            self._defer()

    def _violated(self, reason: str) -> None:
        if not self.ended:
            self._connection.violated(reason)

    def _answered(self, pieces: Pieces) -> None:
        """Somebody completed the parked request: its answer goes out in the loop's next turn."""
        self._parked = None
        self._latency[self._api_key].add(self._turn.now() - self._begun)
        self._send(pieces)
        self.caller.peer.wake()
        if self._backlog is not None and not self._deferred:
            # Not at once: who completed it is in the midst of something.
            self._defer()

    def _failed(self, error: ProtocolError) -> None:
        self._parked = None
        self._violated(error.text)

    def _go_on_after_writing(self) -> None:
        if self._throttle is not None and self._throttle.on:
            return
        self._deferred = False
        self._go_on()

    def _go_on(self) -> None:
        self._turn.begin()
        self._begin_burst()
        backlog = self._backlog
        try:
            while backlog and self._parked is None and self._free:
                frame = backlog.take()
                if not isinstance(frame, bytes):
                    self._handle_refusal(frame)
                elif not self._take_short(frame):
                    self._serve(frame)
        except ProtocolError as error:
            self._violated(error.text)
        if backlog is not None and not backlog:
            self._backlog = None
            backlog.end()
        if self._out:
            self.caller.peer.wake()

    def _enqueue(self, frame: bytes | Refusal) -> None:
        if not self.ended:
            if self._backlog is None:
                self._backlog = Backlog(self.caller.peer)
            self._backlog.add(frame)

    def _identify(self) -> None:
        self.identified = True
        caller = self.caller
        self._environment.spine.emit(
            ClientIdentified("kafka", caller.peer.id, caller.client_id, caller.software)
        )
