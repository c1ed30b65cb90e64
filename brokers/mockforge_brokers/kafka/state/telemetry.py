"""Clients that push their own metrics: what each is asked for, and what it sent (KIP-714)."""

from base64 import urlsafe_b64encode
from collections.abc import Mapping
from typing import Final
from zlib import crc32

from msgspec import Struct

from ...environment import Environment
from ...errors import ProtocolError, RequestRefused
from ..codes import Compression, ErrorCode
from ..compression import decompress
from .configs.broker import BrokerConfig
from .configs.client_metrics import ALL, DEFAULT_INTERVAL_MS, ClientMetricsConfigs

ACCEPTED: Final = (Compression.ZSTD, Compression.LZ4, Compression.GZIP, Compression.SNAPPY)
"""The best one first."""
_RESERVED: Final = (bytes(16), bytes(15) + b"\x01")
_MOST_CLIENTS: Final = 1_000
_MOST_KEPT: Final = 16 * 1024 * 1024
"""Bytes of metrics that are kept to be looked at, of all clients."""
_MOST_INFLATED: Final = 16 * 1024 * 1024


class PushingClient:
    """One client instance. Times are those of the clock; -1 where it did not ask or push yet."""

    __slots__ = (
        "asked",
        "bytes",
        "client",
        "codec",
        "connection",
        "ended",
        "instance_id",
        "interval_ms",
        "metrics",
        "newest",
        "outdated",
        "pushed",
        "pushes",
        "subscription_id",
        "terminating",
        "version",
    )

    def __init__(self, instance_id: bytes, client: Mapping[str, str], connection: int) -> None:
        self.instance_id = instance_id
        self.client = client
        self.connection = connection
        self.ended = False
        """Its connection is over: it would begin anew."""
        self.terminating = False
        self.outdated = False
        """Its last push had another subscription or compression than it was asked for."""
        self.version = -1
        self.subscription_id = 0
        self.interval_ms = DEFAULT_INTERVAL_MS
        self.metrics: tuple[str, ...] = ()
        self.asked = self.pushed = -1.0
        self.pushes = self.bytes = 0
        self.codec = Compression.NONE
        self.newest = b""
        """What it pushed last, as it came; empty if too much is kept of others."""

    def may_ask(self, now: float) -> bool:
        """A client asks again after an interval, or at once when it pushed as was not asked."""
        last = max(self.asked, self.pushed)
        if last >= 0 and now - last < self.interval_ms / 1000 and not self.outdated:
            return False
        self.outdated = False
        self.asked = now
        return True

    def may_push(self, now: float) -> bool:
        """The first push after it asked may come early, since clients spread theirs."""
        early = self.pushed >= 0 and now - self.pushed < self.interval_ms / 1000
        if early and not self.asked > self.pushed:
            return False
        self.pushed = now
        return True


class Answer(Struct, frozen=True):
    """What a client is asked for."""

    instance_id: bytes
    subscription_id: int
    interval_ms: int
    metrics: tuple[str, ...]
    max_bytes: int


class Telemetry:
    """All clients that asked what is wanted of them, the one that was here last at the end."""

    def __init__(
        self, environment: Environment, configs: ClientMetricsConfigs, broker: BrokerConfig
    ) -> None:
        self.clients: dict[bytes, PushingClient] = {}
        self._by_connection: dict[int, set[bytes]] = {}
        """Ids of those of each open connection."""
        self._environment = environment
        self._configs = configs
        self._broker = broker
        self._version = 0
        self._kept = 0
        configs.on_change(self._changed)

    def _changed(self) -> None:
        self._version += 1

    @property
    def wanted(self) -> bool:
        """Whether anything is: else clients are not shown that there is telemetry."""
        return bool(self._configs.own)

    def subscribe(self, instance_id: bytes, client: Mapping[str, str], connection: int) -> Answer:
        """Raises RequestRefused where it asks too often. `client` are its attributes."""
        if instance_id == bytes(16):
            instance_id = self._environment.random.randbytes(16)
        one = self._client(instance_id, client, connection)
        if not one.may_ask(self._environment.clock.now()):
            raise _too_early(instance_id)
        return Answer(
            instance_id, one.subscription_id, one.interval_ms, one.metrics, self._max_bytes
        )

    def push(
        self,
        instance_id: bytes,
        client: Mapping[str, str],
        connection: int,
        subscription_id: int,
        codec: int,
        metrics: bytes,
        *,
        terminating: bool,
    ) -> None:
        """Raises RequestRefused."""
        if instance_id in _RESERVED:
            raise RequestRefused(ErrorCode.INVALID_REQUEST, "there is no such client instance id")
        one = self._client(instance_id, client, connection)
        was_terminating, one.terminating = one.terminating, terminating
        if was_terminating:
            raise RequestRefused(
                ErrorCode.INVALID_REQUEST, "it said before that its last metrics had come"
            )
        if not one.may_push(self._environment.clock.now()) and not terminating:
            raise _too_early(instance_id)
        one.outdated = subscription_id != one.subscription_id or codec not in tuple(Compression)
        if subscription_id != one.subscription_id:
            raise RequestRefused(
                ErrorCode.UNKNOWN_SUBSCRIPTION_ID,
                f"subscription {subscription_id} is not {one.subscription_id}, its newest",
            )
        if one.outdated:
            raise RequestRefused(
                ErrorCode.UNSUPPORTED_COMPRESSION_TYPE, f"there is no compression {codec}"
            )
        if len(metrics) > self._max_bytes:
            raise RequestRefused(
                ErrorCode.TELEMETRY_TOO_LARGE,
                f"{len(metrics)} bytes; telemetry.max.bytes is {self._max_bytes}",
            )
        if metrics:
            self._keep(one, Compression(codec), metrics)

    def newest(self, instance_id: str) -> bytes:
        """What a client pushed last, as OpenTelemetry's MetricsData. Raises RequestRefused."""
        found = next(
            (one for key, one in self.clients.items() if uuid_text(key) == instance_id), None
        )
        if found is None:
            raise RequestRefused(ErrorCode.INVALID_REQUEST, f"no client instance {instance_id}")
        return decompress(found.codec, found.newest, _MOST_INFLATED)

    def disconnected(self, connection: int) -> None:
        """Its clients begin anew, should they come back."""
        for instance_id in self._by_connection.pop(connection, ()):
            self.clients[instance_id].ended = True

    def clear(self) -> None:
        self.clients.clear()
        self._by_connection.clear()
        self._kept = 0

    @property
    def _max_bytes(self) -> int:
        return self._broker.number("telemetry.max.bytes")

    def _client(
        self, instance_id: bytes, client: Mapping[str, str], connection: int
    ) -> PushingClient:
        one = self.clients.pop(instance_id, None)
        if one is None or one.ended or one.version != self._version:
            made = PushingClient(instance_id, client, connection)
            self._subscribe(made)
            if one is not None:
                self._leave(one)
                made.pushes, made.bytes, made.codec = one.pushes, one.bytes, one.codec
                made.newest = one.newest
            self._by_connection.setdefault(connection, set()).add(instance_id)
            one = made
        self.clients[instance_id] = one
        if len(self.clients) > _MOST_CLIENTS:
            oldest = self.clients.pop(next(iter(self.clients)))
            self._kept -= len(oldest.newest)
            self._leave(oldest)
        return one

    def _leave(self, one: PushingClient) -> None:
        """The connection that it came by, if that is open, has it no more."""
        known = self._by_connection.get(one.connection)
        if known is not None:
            known.discard(one.instance_id)
            if not known:
                del self._by_connection[one.connection]

    def _subscribe(self, one: PushingClient) -> None:
        attributes = {**one.client, "client_instance_id": uuid_text(one.instance_id)}
        wanted = [each for each in self._configs.wanted.values() if each.matches(attributes)]
        prefixes = sorted({prefix for each in wanted for prefix in each.metrics})
        one.metrics = (ALL,) if ALL in prefixes else tuple(prefixes)
        one.interval_ms = min([DEFAULT_INTERVAL_MS, *(each.interval_ms for each in wanted)])
        one.version = self._version
        text = f"{one.metrics}{one.interval_ms}".encode() + one.instance_id
        one.subscription_id = int.from_bytes(crc32(text).to_bytes(4, "big"), "big", signed=True)

    def _keep(self, one: PushingClient, codec: Compression, metrics: bytes) -> None:
        try:
            decompress(codec, metrics, _MOST_INFLATED)
        except ProtocolError as error:
            raise RequestRefused(ErrorCode.INVALID_RECORD, str(error)) from None
        self._kept += len(metrics) - len(one.newest)
        one.pushes += 1
        one.bytes += len(metrics)
        one.codec, one.newest = codec, metrics
        for other in self.clients.values():
            if self._kept <= _MOST_KEPT or other is one:
                return
            self._kept -= len(other.newest)
            other.newest = b""


def uuid_text(instance_id: bytes) -> str:
    """As Kafka writes its ids: base64 for URLs, without padding."""
    return urlsafe_b64encode(instance_id).decode().rstrip("=")


def _too_early(instance_id: bytes) -> RequestRefused:
    return RequestRefused(
        ErrorCode.THROTTLING_QUOTA_EXCEEDED,
        f"Request from the client [{uuid_text(instance_id)}] arrived before the next push interval"
        " time",
    )
