"""UpdateFeatures 0-2: bring features of the cluster to other levels (KIP-584, KIP-1022)."""

from ....errors import RequestRefused
from ...codes import ApiKey, UpgradeType
from ...state.features import FeatureUpdate
from ...wire.messages.features import (
    UpdatableFeatureResult,
    UpdateFeaturesRequest,
    UpdateFeaturesResponse,
)
from ..caller import Caller
from ..handler import MessageHandler

_TYPES_SINCE = 1


def handle(caller: Caller, request: UpdateFeaturesRequest) -> UpdateFeaturesResponse:
    # Kafka looks at no version 0 request's allow_downgrade: all of these are upgrades.
    typed = caller.version >= _TYPES_SINCE
    updates = [
        FeatureUpdate(
            one.feature,
            one.max_version_level,
            one.upgrade_type if typed else UpgradeType.UPGRADE,
        )
        for one in request.feature_updates
    ]
    try:
        caller.permit("alter", "cluster")
        caller.cluster.features.update(updates, validate_only=request.validate_only)
    except RequestRefused as refusal:
        code = caller.denied(ApiKey.UPDATE_FEATURES, refusal)
        return UpdateFeaturesResponse(error_code=code, error_message=refusal.text)
    return UpdateFeaturesResponse(
        # Kafka's text for what went well is the name of its code.
        results=[UpdatableFeatureResult(feature=one.name, error_message="NONE") for one in updates]
    )


API = MessageHandler(UpdateFeaturesRequest, handle)
