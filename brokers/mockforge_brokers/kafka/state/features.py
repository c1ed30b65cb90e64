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
_ALL_OR_NOTHING: Final = (
    "The update failed for all features since the following feature had an error: "
)


def _new_levels() -> dict[str, int]:
    return {one.name: one.level for one in FEATURES}


class FeatureUpdate(Struct, frozen=True):
    """A wish to bring a feature to a level; 0 takes it out of force."""

    name: str
    level: int
    upgrade_type: int = UpgradeType.UPGRADE


class Features:
    """`epoch` grows with each change, so that clients know which answer is newer."""

    def __init__(self, controller: int) -> None:
        """`controller`: the node that decides, as refusals name it."""
        self.epoch = 0
        self.levels: Mapping[str, int] = _new_levels()
        """Made anew by each change: while it is the same, so is what was made from it."""
        self._controller = controller

    def update(self, updates: Iterable[FeatureUpdate], *, validate_only: bool = False) -> None:
        """All of it or nothing. Raises RequestRefused."""
        wanted = list(updates)
        for update in wanted:
            reason = self._refusal(update)
            if reason:
                raise RequestRefused(ErrorCode.INVALID_UPDATE_VERSION, f"{_ALL_OR_NOTHING}{reason}")
        changed = {one.name: one.level for one in wanted if self.levels[one.name] != one.level}
        if changed and not validate_only:
            self.levels = {**self.levels, **changed}
            self.epoch += 1

    def clear(self) -> None:
        """As in a new cluster; who knew other levels sees that these are newer."""
        if self.levels != (levels := _new_levels()):
            self.levels = levels
            self.epoch += 1

    def restore(self, levels: Mapping[str, int], epoch: int) -> None:
        self.levels = {**self.levels, **levels}
        self.epoch = epoch

    def _refusal(self, update: FeatureUpdate) -> str:
        """Why an update cannot be, in Kafka's words; empty if it can."""
        feature, how = _BY_NAME.get(update.name), update.upgrade_type
        reason = ""
        if how not in tuple(UpgradeType):
            reason = "The controller does not support the given upgrade type."
        elif update.level < 0:
            reason = "A feature version cannot be less than 0."
        elif feature is None and not update.level:
            reason = f"Feature {update.name} not found."
        elif feature is None:
            reason = f"Local controller {self._controller} does not support this feature."
        # Level 0 is no feature at all, which some features cannot do without.
        elif not feature.least <= update.level <= feature.most:
            levels = f"{feature.least}-{feature.most}"
            reason = f"Local controller {self._controller} only supports versions {levels}"
        elif update.level < self.levels[update.name]:
            if how != UpgradeType.UPGRADE:
                return self._lost(update) if update.name == _METADATA else ""
            reason = (
                "Can't downgrade the version of this feature without setting the upgrade type to"
                " either safe or unsafe downgrade."
            )
        wrong = f"Invalid update version {update.level} for feature {update.name}."
        return f"{wrong} {reason}" if reason else ""

    def _lost(self, update: FeatureUpdate) -> str:
        """Kafka would have to forget what older levels cannot write down, and does not."""
        present = self.levels[_METADATA]
        why = (
            "Refusing to perform the requested downgrade because it might delete metadata"
            " information."
            if update.upgrade_type == UpgradeType.SAFE_DOWNGRADE
            else "Unsafe metadata downgrade is not supported in this version."
        )
        return f"Unsupported {_METADATA} downgrade from {present} to {update.level}. {why}"
