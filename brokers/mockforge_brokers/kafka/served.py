"""The APIs that are served, each with where it is: what nobody asks for need not be read.

Left out: share and streams groups.
"""

from collections.abc import Callable, Iterator, Mapping
from types import MappingProxyType
from typing import Final, NamedTuple, TypeVar

from .codes import ApiKey, VersionRange

V = TypeVar("V")


class Served(NamedTuple):
    versions: str
    family: str
    """The folder in `apis` in which a module of its name has the `API`."""
    messages: str
    """The module in `wire.messages` with its request and its response."""


_SERVED: Final[Mapping[ApiKey, Served]] = {
    ApiKey.PRODUCE: Served("3-13", "logs", "logs"),
    ApiKey.FETCH: Served("4-18", "logs", "logs"),
    ApiKey.LIST_OFFSETS: Served("1-11", "offsets", "offsets"),
    ApiKey.METADATA: Served("0-13", "cluster", "cluster"),
    ApiKey.OFFSET_COMMIT: Served("2-10", "offsets", "offsets"),
    ApiKey.OFFSET_FETCH: Served("1-10", "offsets", "offsets"),
    ApiKey.FIND_COORDINATOR: Served("0-6", "groups", "groups"),
    ApiKey.JOIN_GROUP: Served("0-9", "groups", "groups"),
    ApiKey.HEARTBEAT: Served("0-4", "groups", "groups"),
    ApiKey.LEAVE_GROUP: Served("0-5", "groups", "groups"),
    ApiKey.SYNC_GROUP: Served("0-5", "groups", "groups"),
    ApiKey.DESCRIBE_GROUPS: Served("0-6", "groups", "groups"),
    ApiKey.LIST_GROUPS: Served("0-5", "groups", "groups"),
    ApiKey.SASL_HANDSHAKE: Served("0-1", "security", "security"),
    ApiKey.API_VERSIONS: Served("0-5", "cluster", "cluster"),
    ApiKey.CREATE_TOPICS: Served("2-7", "topics", "topics"),
    ApiKey.DELETE_TOPICS: Served("1-6", "topics", "topics"),
    ApiKey.DELETE_RECORDS: Served("0-2", "logs", "logs"),
    ApiKey.INIT_PRODUCER_ID: Served("0-5", "producers", "producers"),
    ApiKey.OFFSET_FOR_LEADER_EPOCH: Served("2-4", "offsets", "offsets"),
    ApiKey.ADD_PARTITIONS_TO_TXN: Served("0-5", "transactions", "transactions"),
    ApiKey.ADD_OFFSETS_TO_TXN: Served("0-4", "transactions", "transactions"),
    ApiKey.END_TXN: Served("0-5", "transactions", "transactions"),
    ApiKey.WRITE_TXN_MARKERS: Served("1-2", "transactions", "transactions"),
    ApiKey.TXN_OFFSET_COMMIT: Served("0-6", "transactions", "transactions"),
    ApiKey.DESCRIBE_ACLS: Served("1-3", "security", "acls"),
    ApiKey.CREATE_ACLS: Served("1-3", "security", "acls"),
    ApiKey.DELETE_ACLS: Served("1-3", "security", "acls"),
    ApiKey.DESCRIBE_CONFIGS: Served("1-4", "configs", "configs"),
    ApiKey.ALTER_CONFIGS: Served("0-2", "configs", "configs"),
    ApiKey.ALTER_REPLICA_LOG_DIRS: Served("1-2", "logs", "nodes"),
    ApiKey.DESCRIBE_LOG_DIRS: Served("1-5", "logs", "logs"),
    ApiKey.SASL_AUTHENTICATE: Served("0-2", "security", "security"),
    ApiKey.CREATE_PARTITIONS: Served("0-3", "topics", "topics"),
    ApiKey.CREATE_DELEGATION_TOKEN: Served("1-3", "security", "nodes"),
    ApiKey.RENEW_DELEGATION_TOKEN: Served("1-2", "security", "nodes"),
    ApiKey.EXPIRE_DELEGATION_TOKEN: Served("1-2", "security", "nodes"),
    ApiKey.DESCRIBE_DELEGATION_TOKEN: Served("1-3", "security", "features"),
    ApiKey.DELETE_GROUPS: Served("0-3", "groups", "groups"),
    ApiKey.ELECT_LEADERS: Served("0-2", "reassignments", "reassignments"),
    ApiKey.INCREMENTAL_ALTER_CONFIGS: Served("0-1", "configs", "configs"),
    ApiKey.ALTER_PARTITION_REASSIGNMENTS: Served("0-1", "reassignments", "reassignments"),
    ApiKey.LIST_PARTITION_REASSIGNMENTS: Served("0", "reassignments", "reassignments"),
    ApiKey.OFFSET_DELETE: Served("0", "offsets", "offsets"),
    ApiKey.DESCRIBE_CLIENT_QUOTAS: Served("0-1", "quotas", "quotas"),
    ApiKey.ALTER_CLIENT_QUOTAS: Served("0-1", "quotas", "quotas"),
    ApiKey.DESCRIBE_USER_SCRAM_CREDENTIALS: Served("0", "security", "scram"),
    ApiKey.ALTER_USER_SCRAM_CREDENTIALS: Served("0", "security", "scram"),
    ApiKey.DESCRIBE_QUORUM: Served("0-2", "cluster", "cluster"),
    ApiKey.UPDATE_FEATURES: Served("0-2", "cluster", "features"),
    ApiKey.DESCRIBE_CLUSTER: Served("0-2", "cluster", "cluster"),
    ApiKey.DESCRIBE_PRODUCERS: Served("0", "producers", "producers"),
    ApiKey.UNREGISTER_BROKER: Served("0", "cluster", "nodes"),
    ApiKey.DESCRIBE_TRANSACTIONS: Served("0", "transactions", "transactions"),
    ApiKey.LIST_TRANSACTIONS: Served("0-2", "transactions", "transactions"),
    ApiKey.CONSUMER_GROUP_HEARTBEAT: Served("0-1", "groups", "consumer_groups"),
    ApiKey.CONSUMER_GROUP_DESCRIBE: Served("0-1", "groups", "consumer_groups"),
    ApiKey.GET_TELEMETRY_SUBSCRIPTIONS: Served("0", "telemetry", "telemetry"),
    ApiKey.PUSH_TELEMETRY: Served("0", "telemetry", "telemetry"),
    ApiKey.LIST_CONFIG_RESOURCES: Served("0-1", "configs", "configs"),
    ApiKey.DESCRIBE_TOPIC_PARTITIONS: Served("0", "topics", "topics"),
    ApiKey.ADD_RAFT_VOTER: Served("0-1", "cluster", "nodes"),
    ApiKey.REMOVE_RAFT_VOTER: Served("0", "cluster", "nodes"),
}

SERVED: Final[Mapping[ApiKey, VersionRange]] = MappingProxyType(
    {key: VersionRange.parse(one.versions) for key, one in _SERVED.items()}
)
"""The versions that are taken, in the order of API keys."""

ADVERTISED: Final[Mapping[ApiKey, VersionRange]] = MappingProxyType(
    # KAFKA-18659: librdkafka that does not see version 0 sends uncompressed, and says nothing.
    {**SERVED, ApiKey.PRODUCE: VersionRange(0, SERVED[ApiKey.PRODUCE].last)}
)
"""What clients are shown; telemetry only where somebody wants it."""


class OnDemand(Mapping[int, V]):
    """Something for each API that is served, made when it is first asked for."""

    def __init__(self, make: Callable[[ApiKey, Served], V]) -> None:
        self._make = make
        self._made: dict[int, V] = {}

    def __getitem__(self, key: int) -> V:
        try:
            return self._made[key]
        except KeyError:
            served = _SERVED[key]  # type: ignore[index]
            made = self._made[key] = self._make(ApiKey(key), served)
            return made

    def __contains__(self, key: object) -> bool:
        return key in _SERVED

    def __iter__(self) -> Iterator[int]:
        return iter(_SERVED)

    def __len__(self) -> int:
        return len(_SERVED)
