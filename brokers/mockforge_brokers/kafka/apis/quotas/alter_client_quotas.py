"""AlterClientQuotas 0-1: what entities are held to from now on (KIP-546)."""

from ....errors import RequestRefused
from ...codes import ApiKey, ErrorCode
from ...wire.messages.quotas import (
    AlterClientQuotasRequest,
    AlterClientQuotasResponse,
    AlteredQuota,
    AlteredQuotaResult,
)
from ..caller import Caller
from ..handler import MessageHandler


def handle(caller: Caller, request: AlterClientQuotasRequest) -> AlterClientQuotasResponse:
    return AlterClientQuotasResponse(
        entries=[_alter(caller, one, request.validate_only) for one in request.entries]
    )


def _alter(caller: Caller, wanted: AlteredQuota, validate_only: bool) -> AlteredQuotaResult:
    entity = [(one.entity_type, one.entity_name) for one in wanted.entity]
    changes = [(one.key, None if one.remove else one.value) for one in wanted.ops]
    code, text = 0, None
    try:
        caller.permit("alter_configs", "cluster")
        if len({key for key, _ in changes}) < len(changes):
            parts = ", ".join(f"{kind}={name}" for kind, name in entity)
            raise RequestRefused(
                ErrorCode.INVALID_REQUEST,
                f"Ignoring duplicate entity ClientQuotaEntity(entries={{{parts}}})",
            )
        caller.cluster.quotas.alter(entity, changes, validate_only=validate_only)
    except RequestRefused as refusal:
        code, text = caller.denied(ApiKey.ALTER_CLIENT_QUOTAS, refusal), refusal.text
    return AlteredQuotaResult(error_code=code, error_message=text, entity=wanted.entity)


API = MessageHandler(AlterClientQuotasRequest, handle)
