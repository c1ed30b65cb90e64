"""One Kafka client: frames in, responses out, strictly in order."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Mapping
from functools import partial
from typing import Final

from ..contract import Peer
from ..environment import Environment
from ..errors import InvalidInput, ProtocolError, TooLarge
from ..events import ClientIdentified, ProtocolViolated
from ..first_bytes import misdirected
from ..journal import IN, Past, Row
from ..misbehaviour.actions import Changes
from ..misbehaviour.skimming import Look, Skimmer
from . import misbehaviour, setting
from .apis import HANDLERS, answer_on_path, offer_of
from .apis.caller import Caller, Counters
from .apis.handler import Handler, Pieces
from .apis.throttling import charge
from .codes import ApiKey
from .events import ClientThrottled
from .gate import in_login, not_served, title
from .misbehaviour import Refusal
from .rows import RowReader
from .skimming import AnswerSkimmer, RequestSkimmer
from .state.cluster import Cluster
from .state.purgatory import Parked
from .wire.frames import RequestHeader, read_request_header
from .wire.splitter import Splitter

_PRODUCE: Final = int(ApiKey.PRODUCE)
_BULKY: Final = 32 * 1024
_MOST_QUEUED: Final = 100
"""Requests that may wait behind a parked one before the client's bytes are left unread."""
_MOST_QUEUED_BYTES: Final = 1024 * 1024
_PAUSE: Final = 10.0
"""Seconds between two events about one connection that is throttled."""
_LARGEST_RESPONSE: Final = 2**31 - 1


def _splitter(limit: int, direction: int) -> Splitter:
    return Splitter(limit if direction == IN else _LARGEST_RESPONSE)


class KafkaConnection:
    """Handles each request before the next one, as Kafka does.

    A parked request (a long poll, a join) holds those behind it back; so does output that the
    client does not take.
    """

    __slots__ = (
        "_deferred",
        "_ended",
        "_environment",
        "_identified",
        "_limit",
        "_on_lost",
        "_parked",
        "_paused",
        "_peer",
        "_queue",
        "_queued",
        "_room",
        "_rows",
        "_splitter",
        "_throttle_said",
        "_throttled",
        "_turn",
        "_writable",
        "bulky",
        "caller",
        "out",
        "requests",
        "unfinished",
    )

    def __init__(
        self,
        cluster: Cluster,
        environment: Environment,
        counters: Counters,
        peer: Peer,
        on_lost: Callable[[KafkaConnection], object],
    ) -> None:
        self.out: list[bytes] = []
        self.bulky = False
        self.requests = 0
        offer = offer_of(cluster.options.as_version, cluster.options.api_versions)
        self.caller = Caller(cluster, environment, counters, peer, offer)
        self._peer = peer
        self._environment = environment
        self._turn = environment.turn
        self.unfinished = False
        self._on_lost = on_lost
        self._limit = environment.limits.kafka_request
        self._splitter = Splitter(self._limit)
        journaled = environment.limits.journal_connection
        self._rows = RowReader(cluster.topics.name_of, journaled=journaled)
        self._queue: deque[bytes | Refusal] = deque()
        self._queued = 0
        self._room = environment.limits.write_mark
        self._parked: Parked[Pieces] | None = None
        self._writable = True
        self._deferred = False
        self._paused = False
        self._ended = False
        self._identified = False
        self._throttled = False
        self._throttle_said = -_PAUSE

    @property
    def client(self) -> str:
        return self.caller.client_id

    @property
    def state(self) -> str:
        """A word for people."""
        if not self._writable:
            return "slow"
        if self._parked is not None:
            return "waiting"
        if self._throttled:
            return "throttled"
        return "open" if self._identified else "handshake"

    @property
    def incomplete(self) -> int:
        """Bytes of a request that came in part."""
        return self._splitter.pending

    @property
    def peer(self) -> Peer:
        return self._peer

    def end(self, reason: str, *, reset: bool = False, code: int | None = None) -> None:
        """End the connection; requests that wait behind a parked one are never carried out."""
        if code is not None:
            # Kafka has no frame that closes: a code stands in the answer to a request.
            raise InvalidInput("Kafka closes without a code: fault add refuse answers with one")
        if reset:
            self._peer.abort(reason)
        else:
            self._peer.close(reason)

    # What transport calls.

    def receive(self, data: bytes) -> int:
        if self._ended:
            return 0
        self._room = self._environment.limits.write_mark
        try:
            frames = self._splitter.feed(data)
            self._run(frames)
            # The splitter hands out whole frames before it complains of what follows them.
            if frames and self._splitter.pending:
                # What stands behind them may be an impossible size: that is reported at once.
                self._run(self._splitter.feed(b""))
        except ProtocolError as error:
            if isinstance(error, TooLarge):
                self._environment.usage.count("kafka_request")
            wrong = ""
            if not self._identified:
                wrong = misdirected(data, self._peer.listener, self._environment.listeners)
            self._violated(wrong or error.text)
        return self._splitter.pending

    def take_rest(self) -> bytes:
        return self._splitter.take()

    def set_writable(self, writable: bool) -> None:
        self._writable = writable
        if writable:
            self._go_on()

    def connection_lost(self, reason: str) -> None:
        self._forget_requests()
        self._on_lost(self)

    def shutdown(self) -> None:
        self.end("the broker ended")

    def past(self) -> Past:
        reader = self._rows
        return Past(self.client, partial(_splitter, self._limit), reader.rows, reader.weight)

    def splitter(self, direction: int) -> Splitter:
        return _splitter(self._limit, direction)

    def rows(self, direction: int, frame: bytes) -> list[Row]:
        return self._rows.rows(direction, frame)

    def parts(self, rows: list[Row]) -> list[Row]:
        return misbehaviour.parts(rows)

    def glance(self, direction: int, frame: bytes) -> Look | None:
        return self._rows.glance(direction, frame)

    def skimmer(self, direction: int) -> Skimmer:
        return RequestSkimmer(self._rows) if direction == IN else AnswerSkimmer(self._rows)

    def refuse(self, frame: bytes, parts: list[Row], code: int, text: str) -> None:
        if self._ended:
            return
        refusal = Refusal(frame, parts, code, text)
        if self._parked is not None or self._queue or not self._free:
            self._enqueue(refusal)
        else:
            self._handle_refusal(refusal)

    def edit(self, direction: int, frame: bytes, changes: Mapping[int, Changes]) -> bytes:
        if direction == IN:
            return misbehaviour.edit_request(frame, changes)
        return misbehaviour.edit_response(frame, self._rows.answered(frame), changes)

    def set_fields(self, direction: int, frame: bytes, values: Mapping[str, str]) -> bytes:
        if direction == IN:
            return setting.set_in_request(frame, values)
        return setting.set_in_response(frame, self._rows.answered(frame), values)

    def notify_blocked(self, reason: str | None) -> None:
        """Kafka has no words for it."""

    def body(self, frame: bytes) -> range:
        return range(12, len(frame))

    def repeat(self, frame: bytes, *, dup: bool) -> None:
        self.receive(frame)

    def repeated(self, frame: bytes, *, dup: bool) -> bytes:
        return frame

    # Requests, one after the other.

    def _run(self, frames: Iterable[bytes]) -> None:
        for frame in frames:
            # Answers go out in the order of the requests: behind one that waits all others do.
            if self._parked is not None or self._queue or not self._free:
                self._enqueue(frame)
            else:
                self._handle(frame)
                self._look_at_the_time()

    def _look_at_the_time(self) -> None:
        """The requests behind this one wait for a later turn when its turn is up."""
        if not self._deferred and self._turn.now() > self._turn.until:
            self._defer()

    def _defer(self) -> None:
        self._deferred = True
        self._environment.chores.soon(partial(self._peer.work, self._go_on_after_writing))

    @property
    def _free(self) -> bool:
        return self._writable and not self._deferred and not self._ended

    def _handle(self, frame: bytes) -> None:
        caller = self.caller
        path = caller.produce_path
        if path is not None:
            pieces = answer_on_path(caller, frame)
            if pieces is not None:
                self.requests += 1
                caller.counters.requests[_PRODUCE] += 1
                self._rows.remember(int.from_bytes(frame[8:12], "big"), _PRODUCE, path.version)
                self._send(pieces)
                return
        if caller.login.agreed:
            answer = in_login(caller, self._rows, frame)
            if answer is not None:
                self._send(answer)
                return
        header, at = read_request_header(frame)
        # Only now is the request counted: one in a log-in is no API's.
        handler = self._begin(header)
        if handler is not None:
            if caller.cluster.quotas.active:
                self._handle_metered(handler, header, frame, at)
            else:
                self._answer_with(handler.answer(caller, frame, at, header.correlation_id))

    def _handle_metered(
        self, handler: Handler, header: RequestHeader, frame: bytes, at: int
    ) -> None:
        """Where there are quotas no request goes by the short path, and each is charged."""
        caller, now = self.caller, self._environment.clock.now
        begun = now()
        answer = handler.answer(caller, frame, at, header.correlation_id)
        took = now() - begun
        # What a request is charged depends on its time: the short path measures none.
        caller.produce_path = None

        def charged(pieces: Pieces | None) -> None:
            seconds = charge(caller, header.api_key, header.api_version, len(frame), took, pieces)
            if seconds > 0:
                self._throttle(seconds)

        if isinstance(answer, Parked):
            answer = answer.map(partial(_passed, charged))
        else:
            charged(answer)
        self._answer_with(answer)

    def refuse_after(self, seconds: float) -> None:
        """It came too soon after others of its address: not served, and closed in time."""
        self._throttle(seconds)
        reason = "throttled: too many connections of its address (quota connection_creation_rate)"
        self._environment.clock.call_later(seconds, self.end, reason)

    def _throttle(self, seconds: float) -> None:
        """KIP-219: answered at once, and then not read for so long."""
        clock = self._environment.clock
        if clock.now() - self._throttle_said >= _PAUSE:
            self._throttle_said = clock.now()
            caller = self.caller
            event = ClientThrottled("kafka", self._peer.id, caller.name, caller.user, seconds)
            self._environment.spine.emit(event)
        self._throttled = self._deferred = True
        clock.call_later(seconds, self._go_on_after_throttling)

    def _go_on_after_throttling(self) -> None:
        self._throttled = False
        self._peer.work(self._go_on_after_writing)

    def _handle_refusal(self, refusal: Refusal) -> None:
        """Answer with an error code a request whose turn it is."""
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
        if client_id is not None:
            caller.client_id = caller.login.client = client_id
        if not caller.login.admitted and not caller.admit(api_key):
            raise ProtocolError(
                f"{title(api_key)} came before the client logged in by SASL, which is wanted here"
            )
        if served is None or version not in served:
            self._send(not_served(caller, self._rows, header))
            return None
        if caller.login.expires is not None:
            caller.login.check_session(api_key)
        caller.version = version
        self.requests += 1
        caller.counters.requests[api_key] += 1
        self._rows.remember(correlation_id, api_key, version)
        return HANDLERS[api_key]

    def _answer_with(self, answer: Pieces | Parked[Pieces] | None) -> None:
        if not self._identified:
            self._identify()
        if isinstance(answer, list):
            self._send(answer)
        elif answer is not None:
            if answer.done:
                answer.then(self._send)
            else:
                self._parked = answer
                answer.then(self._answered)

    def _send(self, pieces: Pieces) -> None:
        self.out += pieces
        size = len(pieces[0]) if len(pieces) == 1 else sum(map(len, pieces))
        if size > _BULKY:
            self.bulky = True
        self._room -= size
        if self._room < 0 and not self._deferred:
            # The client asked for more in one burst than is wise to hold: write this much first.
            self._defer()

    def _answered(self, pieces: Pieces) -> None:
        """Somebody completed the parked request: its answer goes out in the loop's next turn."""
        self._parked = None
        self._send(pieces)
        self._peer.wake()
        if self._queue and not self._deferred:
            # Not at once: who completed it is in the midst of something.
            self._defer()

    def _go_on_after_writing(self) -> None:
        if self._throttled:
            return
        self._deferred = False
        self._go_on()

    def _go_on(self) -> None:
        self._room = self._environment.limits.write_mark
        self._turn.begin()
        try:
            while self._queue and self._parked is None and self._free:
                frame = self._queue.popleft()
                self._queued -= len(frame)
                if isinstance(frame, bytes):
                    self._handle(frame)
                else:
                    self._handle_refusal(frame)
                self._look_at_the_time()
        except ProtocolError as error:
            self._violated(error.text)
        if self._paused and not self._queue:
            self._paused = False
            self._peer.resume_reading()
        if self.out:
            self._peer.wake()

    def _enqueue(self, frame: bytes | Refusal) -> None:
        if self._ended:
            return
        self._queue.append(frame)
        self._queued += len(frame)
        full = len(self._queue) > _MOST_QUEUED or self._queued > _MOST_QUEUED_BYTES
        if full and not self._paused:
            self._paused = True
            self._peer.pause_reading()

    def _identify(self) -> None:
        self._identified = True
        caller = self.caller
        self._environment.spine.emit(
            ClientIdentified("kafka", self._peer.id, caller.client_id, caller.software)
        )

    def _violated(self, reason: str) -> None:
        """This connection ends; the answers given before still go out."""
        self._environment.spine.emit(ProtocolViolated("kafka", self._peer.id, self.client, reason))
        self.end(reason)

    def _forget_requests(self) -> None:
        self._ended = True
        self._queue.clear()
        parked, self._parked = self._parked, None
        if parked is not None:
            parked.abandon()


def _passed(charged: Callable[[Pieces], None], pieces: Pieces) -> Pieces:
    charged(pieces)
    return pieces
