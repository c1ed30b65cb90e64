"""UpdateFeatures and DescribeDelegationToken: what administrators ask of a whole cluster."""

from collections.abc import Sequence

from ...codes import ApiKey
from ..schema import (
    Bool,
    Bytes,
    Int8,
    Int16,
    Int32,
    Int64,
    Message,
    String,
    Struct,
    field,
    request,
    response,
    struct,
)


@struct
class FeatureUpdateKey(Struct):
    feature: String
    max_version_level: Int16
    allow_downgrade: Bool = field("0", default=False)
    upgrade_type: Int8 = field("1+", default=1)


@request(ApiKey.UPDATE_FEATURES, "0-2", flexible=0)
class UpdateFeaturesRequest(Message):
    """v1 may only validate, and tells an unsafe downgrade from a safe one (KIP-584, KIP-1022)."""

    timeout_ms: Int32 = 60_000
    feature_updates: Sequence[FeatureUpdateKey]
    validate_only: Bool = field("1+", default=False)


@struct
class UpdatableFeatureResult(Struct):
    feature: String
    error_code: Int16 = 0
    error_message: String | None = None


@response(ApiKey.UPDATE_FEATURES, "0-2", flexible=0)
class UpdateFeaturesResponse(Message):
    throttle_time_ms: Int32 = 0
    error_code: Int16 = 0
    error_message: String | None = None
    results: Sequence[UpdatableFeatureResult] = field("0-1", default=())


@struct
class DescribeDelegationTokenOwner(Struct):
    principal_type: String
    principal_name: String


@request(ApiKey.DESCRIBE_DELEGATION_TOKEN, "1-3", flexible=2)
class DescribeDelegationTokenRequest(Message):
    owners: Sequence[DescribeDelegationTokenOwner] | None


@struct
class DescribedDelegationTokenRenewer(Struct):
    principal_type: String
    principal_name: String


@struct
class DescribedDelegationToken(Struct):
    principal_type: String
    principal_name: String
    token_requester_principal_type: String = field("3+", default="")
    token_requester_principal_name: String = field("3+", default="")
    issue_timestamp: Int64
    expiry_timestamp: Int64
    max_timestamp: Int64
    token_id: String
    hmac: Bytes
    renewers: Sequence[DescribedDelegationTokenRenewer]


@response(ApiKey.DESCRIBE_DELEGATION_TOKEN, "1-3", flexible=2)
class DescribeDelegationTokenResponse(Message):
    error_code: Int16 = 0
    tokens: Sequence[DescribedDelegationToken] = ()
    throttle_time_ms: Int32 = 0
