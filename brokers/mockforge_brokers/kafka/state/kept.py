"""What a restart keeps of the cluster."""

from typing import Final

from msgspec import Struct

from .groups.kept import KeptGroup
from .logs.topic import KeptTopic
from .quotas import Entity
from .transactions.transaction import KeptTransaction

FORMAT: Final = 1


class KeptCluster(Struct):
    """By name where it is not said otherwise; fields that came later have a default."""

    format: int
    cluster_id: str
    next_producer_id: int
    topics: list[KeptTopic]
    groups: list[KeptGroup]
    transactions: list[KeptTransaction] = []
    features: dict[str, int] = {}
    features_epoch: int = 0
    broker_config: dict[str, dict[str, str]] = {}
    group_configs: dict[str, dict[str, str]] = {}
    quotas: list[tuple[Entity, dict[str, float]]] = []
    placed: dict[str, list[list[int]]] = {}
    client_metrics: dict[str, dict[str, str]] = {}
    leaders: dict[str, list[int]] = {}
    coordinators: dict[str, int] = {}
    homes: list[int] = []
