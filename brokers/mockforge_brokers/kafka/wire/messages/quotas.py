"""Client quotas (KIP-546)."""

from collections.abc import Sequence

from ...codes import ApiKey
from ..schema import (
    Bool,
    Float64,
    Int8,
    Int16,
    Int32,
    Message,
    String,
    Struct,
    request,
    response,
    struct,
)


@struct
class QuotaComponent(Struct):
    """`match_type`: 0 exactly `match`, 1 the default, 2 any name."""

    entity_type: String
    match_type: Int8
    match: String | None


@request(ApiKey.DESCRIBE_CLIENT_QUOTAS, "0-1", flexible=1)
class DescribeClientQuotasRequest(Message):
    """`strict`: entities of other types besides are left out."""

    components: Sequence[QuotaComponent]
    strict: Bool


@struct
class QuotaEntity(Struct):
    """Without a name it is the default of its type."""

    entity_type: String
    entity_name: String | None


@struct
class QuotaValue(Struct):
    key: String
    value: Float64


@struct
class DescribedQuota(Struct):
    entity: Sequence[QuotaEntity]
    values: Sequence[QuotaValue]


@response(ApiKey.DESCRIBE_CLIENT_QUOTAS, "0-1", flexible=1)
class DescribeClientQuotasResponse(Message):
    throttle_time_ms: Int32 = 0
    error_code: Int16 = 0
    error_message: String | None = None
    entries: Sequence[DescribedQuota] | None


@struct
class QuotaOperation(Struct):
    key: String
    value: Float64
    remove: Bool


@struct
class AlteredQuota(Struct):
    entity: Sequence[QuotaEntity]
    ops: Sequence[QuotaOperation]


@request(ApiKey.ALTER_CLIENT_QUOTAS, "0-1", flexible=1)
class AlterClientQuotasRequest(Message):
    entries: Sequence[AlteredQuota]
    validate_only: Bool


@struct
class AlteredQuotaResult(Struct):
    error_code: Int16 = 0
    error_message: String | None = None
    entity: Sequence[QuotaEntity]


@response(ApiKey.ALTER_CLIENT_QUOTAS, "0-1", flexible=1)
class AlterClientQuotasResponse(Message):
    throttle_time_ms: Int32 = 0
    entries: Sequence[AlteredQuotaResult]
