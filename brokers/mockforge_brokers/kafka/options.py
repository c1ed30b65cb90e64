"""What can be set about the Kafka broker when it starts."""

from collections.abc import Mapping
from typing import Final

from msgspec import Struct

from .releases import NEWEST

MOST_NODES: Final = 9
"""Nodes that a cluster may have."""


class KafkaOptions(Struct, frozen=True):
    """`cluster_id` (22 characters of base64): None makes one. Times are seconds. The session
    timeout's floor is lower than Kafka's 6 s, so that tests need not wait. Without
    `verify_transactions` a batch may begin a transaction that the coordinator does not know, as
    before Kafka 3.6: it hangs until somebody writes its marker. `as_version` is a key of
    `releases.RELEASES`. The ids of `nodes` brokers begin with `broker_id`.
    """

    broker_id: int = 1
    nodes: int = 1
    racks: tuple[str, ...] = ()
    """Kafka's broker.rack of each node in turn; those without one are in none."""
    cluster_id: str | None = None
    auto_create_topics: bool = True
    default_partitions: int = 3
    initial_rebalance_delay: float = 0.0
    min_session_timeout: float = 0.01
    max_session_timeout: float = 1800.0
    max_transaction_timeout: float = 900.0
    verify_transactions: bool = True
    consumer_heartbeat_interval: float = 5.0
    consumer_session_timeout: float = 45.0
    oauth: str = ""
    """OAUTHBEARER's key (`oauth.bearer_of`); empty: the mechanism is not offered."""
    max_reauth: float = 0.0
    """Kafka's connections.max.reauth.ms, in seconds: a login is renewed in this time. 0: never."""
    as_version: str = NEWEST
    api_versions: tuple[str, ...] = ()
    """What `releases.override` reads: versions of single APIs that differ from the release's."""
    allow_everyone: bool = False
    """The authorizer's allow.everyone.if.no.acl.found."""
    check_records: bool = False
    """Read each batch whole, as Kafka does, not only a connection's first into a partition."""
    client_metrics: Mapping[str, Mapping[str, str]] = {}
    """Subscriptions of clients' own metrics that are there at the start, by name (KIP-714)."""
    configs: Mapping[str, str] = {}
    """Further keys of Kafka's own server.properties; `configs.broker.started_with` checks them."""
