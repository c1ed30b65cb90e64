"""One Kafka client: frames in, responses out, strictly in order."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from ..clock import Timer
from ..contract import Peer
from ..environment import Environment
from ..errors import InvalidInput, ProtocolError, TooLarge
from ..events import ProtocolViolated
from ..first_bytes import misdirected
from ..journal import IN, Row
from ..misbehaviour.decisions import Changes
from ..misbehaviour.skimming import Look, Skimmer
from . import misbehaviour, setting
from .apis.caller import Caller, Counters
from .apis.offer import Offer
from .misbehaviour import Refusal
from .requests import Requests
from .rows import PastFrames, Reading, RowReader
from .skimming import AnswerSkimmer, RequestSkimmer
from .state.cluster import Cluster
from .wire.splitter import Splitter


class KafkaConnection:
    """Cuts what comes into requests, and shows rules and journal what passes.

    When each is handled is the affair of `Requests`.
    """

    __slots__ = (
        "_environment",
        "_on_lost",
        "_peer",
        "_refusal",
        "_requests",
        "_rows",
        "_splitter",
        "bulky",
        "caller",
        "out",
        "unfinished",
    )

    def __init__(
        self,
        cluster: Cluster,
        environment: Environment,
        counters: Counters,
        offer: Offer,
        reading: Reading,
        peer: Peer,
        on_lost: Callable[[KafkaConnection], object],
    ) -> None:
        self.out: list[bytes] = []
        self.bulky = False
        self.caller = Caller(cluster, environment, counters, peer, offer)
        self._peer = peer
        self._refusal: Timer | None = None
        self._environment = environment
        self.unfinished = False
        self._on_lost = on_lost
        self._splitter = Splitter(reading.limit)
        self._rows = RowReader(reading)
        self._requests = Requests(self, self._rows)

    @property
    def client(self) -> str:
        return self.caller.client_id

    @property
    def state(self) -> str:
        """A word for people."""
        return self._requests.state

    @property
    def requests(self) -> int:
        """How many were handled."""
        return self._requests.handled

    @property
    def incomplete(self) -> int:
        """Bytes of a request that came in part."""
        return self._splitter.pending

    @property
    def missing(self) -> int:
        return self._splitter.missing

    @property
    def expected(self) -> int:
        return self._splitter.expected

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
        requests, splitter = self._requests, self._splitter
        if requests.ended:
            return 0
        try:
            if not splitter.pending and requests.run_alone(data):
                return 0
            frames = splitter.cut(data)
            if frames:
                requests.run(frames)
                # The splitter hands out whole frames before it complains of what follows them.
                if splitter.pending:
                    # What stands behind them may be an impossible size: that is reported at once.
                    requests.run(splitter.cut(b""))
        except ProtocolError as error:
            if isinstance(error, TooLarge):
                self._environment.usage.count("kafka_request")
            wrong = ""
            if not requests.identified:
                wrong = misdirected(data, self._peer.listener, self._environment.listeners)
            self.violated(wrong or error.text)
        return splitter.pending

    def take_rest(self) -> bytes:
        return self._splitter.take()

    def set_writable(self, writable: bool) -> None:
        self._requests.set_writable(writable)

    def connection_lost(self, reason: str) -> None:
        self._requests.forget()
        if self._refusal is not None:
            self._refusal.cancel()
        self._on_lost(self)

    def let_go(self) -> None:
        """Its requests know it no more since its end."""

    def violated(self, reason: str) -> None:
        """This connection ends; the answers given before still go out."""
        self._environment.spine.emit(ProtocolViolated("kafka", self._peer.id, self.client, reason))
        self.end(reason)

    def refuse_after(self, seconds: float) -> None:
        """It came too soon after others of its address: not served, and closed in time."""
        self._requests.wait(seconds)
        reason = "throttled: too many connections of its address (quota connection_creation_rate)"
        self._refusal = self._environment.clock.call_later(seconds, self.end, reason)

    def shutdown(self) -> None:
        self.end("the broker ended")

    def past(self) -> PastFrames:
        reader = self._rows
        return PastFrames(self.caller.client_id, reader.reading, reader.requests)

    def splitter(self, direction: int) -> Splitter:
        return self._rows.reading.splitter(direction)

    def rows(self, direction: int, frame: bytes) -> list[Row]:
        return self._rows.rows(direction, frame)

    def parts(self, rows: list[Row]) -> list[Row]:
        return misbehaviour.parts(rows)

    def glance(self, direction: int, frame: bytes) -> Look | None:
        return self._rows.glance(direction, frame)

    def skimmer(self, direction: int) -> Skimmer:
        return RequestSkimmer(self._rows) if direction == IN else AnswerSkimmer(self._rows)

    def refuse(self, frame: bytes, parts: list[Row], code: int, text: str) -> None:
        self._requests.refuse(Refusal(frame, parts, code, text))

    def edit(self, direction: int, frame: bytes, changes: Mapping[int, Changes]) -> bytes:
        if direction == IN:
            most = self._environment.limits.kafka_request_items
            return misbehaviour.edit_request(frame, changes, most)
        return misbehaviour.edit_response(frame, self._rows.answered(frame), changes)

    def set_fields(self, direction: int, frame: bytes, values: Mapping[str, str]) -> bytes:
        if direction == IN:
            most = self._environment.limits.kafka_request_items
            return setting.set_in_request(frame, values, most)
        return setting.set_in_response(frame, self._rows.answered(frame), values)

    malformed = None

    def notify_blocked(self, reason: str | None) -> None:
        """Kafka has no words for it."""

    def body(self, frame: bytes) -> range:
        return range(12, len(frame))

    def repeat(self, frame: bytes, *, dup: bool) -> None:
        self.receive(frame)

    def repeated(self, frame: bytes, *, dup: bool) -> bytes:
        return frame
