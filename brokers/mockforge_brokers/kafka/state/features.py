"""The features of a cluster, with the levels that are in force (KIP-584)."""

from __future__ import annotations

from typing import Final

from msgspec import Struct

from ..codes import ApiKey


class Feature(Struct, frozen=True):
    """`level` is in force in a new cluster, 0 for none; `needs` is the API that makes it true."""

    name: str
    least: int
    most: int
    level: int
    needs: ApiKey | None = None


FEATURES: Final = (
    Feature("group.version", 0, 1, 1, ApiKey.CONSUMER_GROUP_HEARTBEAT),
    Feature("kraft.version", 0, 1, 0),
    Feature("metadata.version", 7, 33, 33),
    Feature("share.version", 0, 2, 2, ApiKey.SHARE_GROUP_HEARTBEAT),
    Feature("streams.version", 0, 1, 1, ApiKey.STREAMS_GROUP_HEARTBEAT),
    Feature("transaction.version", 0, 2, 2),
    Feature("eligible.leader.replicas.version", 0, 1, 1),
)
"""As Apache Kafka 4.4 has them."""


class Features:
    """`epoch` grows with each change, so that clients know which answer is newer."""

    def __init__(self) -> None:
        self.epoch = 0
        self.levels: dict[str, int] = {one.name: one.level for one in FEATURES}
