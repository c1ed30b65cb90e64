"""Who asks: what handlers know of the connection and of the request in hand."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Final, Protocol

from ...access import Guard
from ...clock import Timer
from ...contract import Peer
from ...durations import Durations
from ...environment import Environment
from ...errors import NotServed, RequestRefused
from ...events import RequestDenied
from ...permissions import CLUSTER, KAFKA_ANONYMOUS
from ..acls import allows_some, resource
from ..codes import ApiKey, ErrorCode
from ..login import Login
from ..options import KafkaOptions
from ..snapshots import FetchWait, host_of
from ..state.cluster import Cluster
from ..state.fetch_sessions import FetchSession
from ..state.logs.log import PartitionLog
from ..state.logs.segments import UNBOUNDED
from ..state.logs.topic import Topic
from .logs.produce_path import ProducePath
from .logs.produce_paths import ProducePaths

if TYPE_CHECKING:
    from .logs.fetch_path import FetchPath, Learning
    from .offer import Offer

_PART_OF_LIFE: Final = frozenset(
    {
        ErrorCode.REBALANCE_IN_PROGRESS,
        ErrorCode.MEMBER_ID_REQUIRED,
        ErrorCode.TOPIC_ALREADY_EXISTS,
        ErrorCode.UNKNOWN_TOPIC_OR_PARTITION,
        ErrorCode.CONCURRENT_TRANSACTIONS,
    }
)
"""Counted, but not reported: clients meet these while all is well."""

NOWHERE: Final = ("", -1)
_LOOKED_AT: Final = 100
_MOST_NOTED: Final = 1_000
_MOST_UNKNOWN: Final = 16
_PAUSE: Final = 1.0
"""Seconds between two events about the same refusal on one connection."""


_UNAUTHORIZED: Final = {
    "topic": ErrorCode.TOPIC_AUTHORIZATION_FAILED,
    "group": ErrorCode.GROUP_AUTHORIZATION_FAILED,
    "cluster": ErrorCode.CLUSTER_AUTHORIZATION_FAILED,
    "transactional_id": ErrorCode.TRANSACTIONAL_ID_AUTHORIZATION_FAILED,
}


NO_API: Final = -1
"""Where the time of what is no API's request goes, and is not shown."""


class Counters:
    """Plain integers of the whole broker."""

    __slots__ = ("errors", "latency", "refused", "requests")

    def __init__(self) -> None:
        self.latency = [Durations() for _ in range(max(ApiKey) + 2)]
        """By API key, from a request's turn to its answer; the last is that of `NO_API`."""
        self.clear()

    def clear(self) -> None:
        for each in self.latency:
            each.clear()
        self.requests = [0] * (max(ApiKey) + 1)
        """By API key."""
        self.errors: dict[tuple[int, int], int] = {}
        """By API key and error code."""
        self.refused = 0
        """Requests of an API or version that is not served."""

    def count_error(self, api_key: int, code: int) -> None:
        self.errors[api_key, code] = self.errors.get((api_key, code), 0) + 1


class ParkedFetch(Protocol):
    """A fetch that found less than it wants."""

    @property
    def wait(self) -> FetchWait: ...


class Caller:
    """One for each connection; `version` and `client_id` are those of the request in hand."""

    __slots__ = (
        "_begun",
        "_expiry",
        "_reported",
        "_took",
        "client_id",
        "cluster",
        "counters",
        "environment",
        "fetch_learning",
        "fetch_path",
        "fetch_session",
        "guard",
        "login",
        "messages_in",
        "messages_out",
        "offer",
        "options",
        "parked_fetch",
        "peer",
        "produce_paths",
        "reading",
        "software",
        "unknown_topics",
        "version",
        "wait",
        "wrote_to",
    )

    def __init__(
        self,
        cluster: Cluster,
        environment: Environment,
        counters: Counters,
        peer: Peer,
        offer: Offer,
    ) -> None:
        self.cluster = cluster
        self.environment = environment
        self.options: KafkaOptions = cluster.options
        self.counters = counters
        self.peer = peer
        self.offer = offer
        self.login = Login(peer, environment, cluster.options)
        self.guard: Guard | None = None
        self.client_id = ""
        self.software = ""
        self.version = 0
        self.produce_paths: ProducePaths | None = None
        """There while some were learned."""
        self.fetch_path: FetchPath | None = None
        """The same for what it fetches."""
        self.fetch_learning: Learning | None = None
        self.messages_in = 0
        self.messages_out = 0
        self.wait = 0.0
        """Seconds for which the request in hand is throttled by what it makes, deletes, reads."""
        self.reading: dict[tuple[str, int], list[int]] = {}
        """By partition: first position, high watermark then, present position, read_committed."""
        self.fetch_session: FetchSession | None = None
        """That of its last fetch; it is the broker's, and outlives the connection."""
        self.parked_fetch: ParkedFetch | None = None
        """One that waits for bytes, for who asks why it gets nothing."""
        self.wrote_to: dict[tuple[str, int], None] = {}
        self.unknown_topics: dict[str, None] = {}
        """Topics that were asked for and are not there, the newest last."""
        self._reported: dict[tuple[ApiKey, int], float] = {}
        self._begun: float | None = None
        """Since when the request in hand is handled, where quotas charge its time."""
        self._took = 0.0
        """How long it was handled before: until it was parked, or until its last step."""
        self._expiry: Timer | None = None
        """Rings when its login ends, which may be in a hundred years."""

    def rename(self, client_id: str) -> None:
        """Its requests bear this client id, which may be another one, from here on."""
        changed = client_id != self.client_id
        self.client_id = self.login.client = client_id
        if changed:
            self.peer.identify(self.peer.principal)

    def begin_charged(self) -> None:
        """A request is handled from now on whose time a quota may charge."""
        self._took = 0.0
        self.go_on_charged()

    def go_on_charged(self) -> None:
        """What was left of it is handled now."""
        if self.cluster.quotas.active:
            self._begun = self.environment.clock.now()

    def end_charged(self) -> None:
        """It was handled, or is parked, or goes on later."""
        self._took, self._begun = self.took, None

    @property
    def took(self) -> float:
        """For how many seconds the request in hand was handled so far."""
        if self._begun is None:
            return self._took
        return self._took + self.environment.clock.now() - self._begun

    def note_fetch(self, log: PartitionLog, offset: int, committed: bool) -> None:
        """Remember where this connection reads, for who asks why it gets nothing."""
        key = (log.topic, log.partition)
        known = self.reading.get(key)
        if known is not None:
            known[2] = offset
        elif len(self.reading) < _MOST_NOTED:
            self.reading[key] = [offset, log.high_watermark, offset, committed]

    def looks_at(self, log: PartitionLog) -> int:
        """How many records of its next batch into a partition are looked at.

        A client that writes wrong records does so from its first batch on, and from its first
        records on. Kafka reads each one: here that would double what small records cost, and a
        first batch of 1 MB would take 20 ms (`KafkaOptions.check_records`).
        """
        if self.options.check_records:
            return UNBOUNDED
        return 0 if (log.topic, log.partition) in self.wrote_to else _LOOKED_AT

    def note_written(self, log: PartitionLog) -> None:
        if len(self.wrote_to) >= _MOST_NOTED:
            self.wrote_to.clear()
        self.wrote_to[log.topic, log.partition] = None

    def note_unknown(self, topic: str) -> None:
        self.unknown_topics.pop(topic, None)
        self.unknown_topics[topic] = None
        if len(self.unknown_topics) > _MOST_UNKNOWN:
            del self.unknown_topics[next(iter(self.unknown_topics))]

    @property
    def node(self) -> int:
        """The node that this connection was made to."""
        return self.cluster.nodes.at(self.peer.listener.node)

    def address(self, node_id: int) -> tuple[str, int]:
        """Where this client finds a node of the cluster: by a listener such as its own.

        `NOWHERE` while the node does not listen yet: at the start one begins after the other.
        """
        if node_id == self.node:
            return self.host, self.port
        mine = self.peer.listener
        place = self.cluster.nodes.place(node_id)
        for each in self.environment.listeners:
            if (each.protocol, each.name, each.node) == (mine.protocol, mine.name, place):
                return each.advertised_host or self.peer.local[0], each.port
        return NOWHERE

    def found(self, nodes: Iterable[int]) -> list[int]:
        """Those of the nodes that this client can be sent to."""
        return [node for node in nodes if self.address(node) != NOWHERE]

    @property
    def host(self) -> str:
        """Where clients are told to find this broker: where this one found it, unless told."""
        return self.peer.listener.advertised_host or self.peer.local[0]

    @property
    def port(self) -> int:
        return self.peer.local[1]

    @property
    def client_host(self) -> str:
        """As Kafka's group descriptions show it."""
        return host_of(self.peer.address)

    @property
    def name(self) -> str:
        """Who sent it, for people."""
        return self.client_id or self.peer.address

    def topic(self, name: str | None, topic_id: bytes, operation: str = "describe") -> Topic:
        """By name, or by id where it is None; raises RequestRefused.

        `operation` is what the client wants with it, one of `ACL_OPERATIONS`.
        """
        if name is None:
            found = self.cluster.topics.with_id(topic_id)
            self.permit(operation, "topic", found.name)
            return found
        self.permit(operation, "topic", name)
        return self.cluster.topics.named(name)

    def admit(self, api_key: int) -> bool:
        """Whether it may send this: it has logged in, or need not."""
        admitted = self.login.admit(api_key)
        if self.login.admitted:
            self.renew_guard()
        return admitted

    def authenticate(self, token: bytes) -> bytes:
        """Log in by SASL; returns our token, and raises RequestRefused."""
        answer = self.login.authenticate(token)
        self.renew_guard()
        if self.login.expires is not None:
            # A request on the short path is not asked whether the login still holds.
            self.forget()
            lifetime = self.login.lifetime_ms() / 1000
            self._expiry = self.environment.clock.call_later(lifetime, self.leave_short_path)
        return answer

    def learn_path(self, path: ProducePath) -> None:
        """Requests like this one may go the short way from now on."""
        if self.produce_paths is None:
            self.produce_paths = ProducePaths()
        self.produce_paths.add(path)

    def took_general_path(self) -> None:
        """So does the next request, unless something is learned of this one."""
        if self.produce_paths is not None:
            self.produce_paths.last = None

    def leave_short_path(self) -> None:
        """What it may do has changed, or what is to be counted of it."""
        self.produce_paths = self.fetch_path = None

    def forget(self) -> None:
        """The connection is over, or its login begins anew: nothing waits for the end of that."""
        if self._expiry is not None:
            self._expiry.cancel()
            self._expiry = None

    def renew_guard(self) -> None:
        """What it may do: rules changed, or it is known who it is."""
        self.guard = self.login.guard()
        self.leave_short_path()

    def permit(self, operation: str, kind: str, name: str = CLUSTER) -> None:
        """Raise RequestRefused where the user may not do this.

        `operation` is one of `ACL_OPERATIONS`, `kind` a key of `acls.OF_KIND`.
        """
        guard = self.guard
        if guard is not None and guard.denial(operation, resource(kind, name)):
            raise RequestRefused(_UNAUTHORIZED[kind], f"not authorized: {operation} {kind} {name}")

    def may(self, operation: str, kind: str, name: str = CLUSTER) -> bool:
        """The same for who only wants to know: nothing is reported."""
        return self.guard is None or self.guard.allows(operation, resource(kind, name))

    def may_know(self, kind: str, name: str) -> bool:
        """Whether lists show it."""
        return self.may("describe", kind, name)

    def may_some(self, operation: str, kind: str) -> bool:
        """Whether there is anything of a kind that it may do this to."""
        return self.guard is None or allows_some(self.guard, operation, kind)

    @property
    def user(self) -> str:
        """As quotas name it."""
        return self.peer.principal.name or KAFKA_ANONYMOUS

    def mutate(self, partitions: int, *, strict: bool) -> None:
        """Partitions are about to be made or deleted; raises RequestRefused (KIP-599)."""
        quotas = self.cluster.quotas
        if not quotas.active:
            return
        try:
            wait = quotas.mutate(self.user, self.client_id, partitions, strict=strict)
        except RequestRefused:
            self.wait = quotas.mutation_wait(self.user, self.client_id)
            raise
        self.wait = max(self.wait, wait)

    def may_send(self, size: int) -> bool:
        """Whether what was fetched may go out, or its client has to wait (KIP-219)."""
        quotas = self.cluster.quotas
        if not quotas.active:
            return True
        wait = quotas.fetch(self.user, self.client_id, size, self.took)
        self.wait = max(self.wait, wait)
        return wait <= 0

    def denied(self, api: ApiKey, refusal: RequestRefused) -> int:
        """Count a refusal, report it if it is worth it, and return its code for the response."""
        code = int(refusal.code)
        self.counters.count_error(api, code)
        if code in _PART_OF_LIFE:
            return code
        if isinstance(refusal, NotServed):
            self.environment.unserved.report(
                "kafka", self.peer.id, self.name, refusal.feature, refusal.text
            )
            return code
        now = self.environment.clock.now()
        if now - self._reported.get((api, code), -_PAUSE) >= _PAUSE:
            self._reported[api, code] = now
            self.environment.spine.emit(
                RequestDenied("kafka", self.peer.id, self.name, api.title, code, refusal.text)
            )
        return code
