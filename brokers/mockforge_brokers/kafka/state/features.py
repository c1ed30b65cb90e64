"""The features of a cluster, with the levels that are in force (KIP-584)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Final

from msgspec import Struct

from ...errors import RequestRefused
from ..codes import ApiKey, ErrorCode, UpgradeType


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


_BY_NAME: Final = {one.name: one for one in FEATURES}
_METADATA: Final = "metadata.version"


class FeatureUpdate(Struct, frozen=True):
    """A wish to bring a feature to a level; 0 takes it out of force."""

    name: str
    level: int
    upgrade_type: int = UpgradeType.UPGRADE


class Features:
    """`epoch` grows with each change, so that clients know which answer is newer."""

    def __init__(self) -> None:
        self.epoch = 0
        self.levels: dict[str, int] = {one.name: one.level for one in FEATURES}

    def update(self, updates: Iterable[FeatureUpdate], *, validate_only: bool = False) -> None:
        """All of it or nothing. Raises RequestRefused."""
        wanted = list(updates)
        for update in wanted:
            reason = self._refusal(update)
            if reason:
                raise RequestRefused(
                    ErrorCode.INVALID_UPDATE_VERSION,
                    f"nothing is updated: {update.name} cannot be {update.level}: {reason}",
                )
        changed = {one.name: one.level for one in wanted if self.levels[one.name] != one.level}
        if changed and not validate_only:
            self.levels |= changed
            self.epoch += 1

    def restore(self, levels: Mapping[str, int], epoch: int) -> None:
        self.levels |= levels
        self.epoch = epoch

    def _refusal(self, update: FeatureUpdate) -> str:
        """Why an update cannot be; empty if it can."""
        feature = _BY_NAME.get(update.name)
        if feature is None:
            return "there is no such feature"
        if update.upgrade_type not in tuple(UpgradeType):
            return f"upgrade type {update.upgrade_type} is not known"
        # Level 0 is no feature at all, which some features cannot do without.
        if not feature.least <= update.level <= feature.most:
            return f"its levels are {feature.least} to {feature.most}"
        present = self.levels[update.name]
        if update.level < present and update.upgrade_type == UpgradeType.UPGRADE:
            return f"it is {present}, and this is no downgrade"
        if update.level < present and update.name == _METADATA:
            return f"it is {present}, and metadata would be lost"
        return ""
