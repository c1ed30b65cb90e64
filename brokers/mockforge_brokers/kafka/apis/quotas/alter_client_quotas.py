"""AlterClientQuotas 0-1: what entities are held to from now on (KIP-546)."""

from collections.abc import Sequence

from ....errors import RequestRefused
from ....fairness import Stepped
from ...codes import ApiKey, ErrorCode
from ...state.quotas import Changes, Entity, checked
from ...wire.messages.quotas import (
    AlterClientQuotasRequest,
    AlterClientQuotasResponse,
    AlteredQuota,
    AlteredQuotaResult,
    QuotaEntity,
)
from ..caller import Caller
from ..handler import MessageHandler


def handle(caller: Caller, request: AlterClientQuotasRequest) -> Stepped[AlterClientQuotasResponse]:
    by_entity: dict[tuple[tuple[str, str | None], ...], list[AlteredQuota]] = {}
    for one in request.entries:
        # As in Java's map: of a type that is named twice the last name counts.
        entity = {part.entity_type: part.entity_name for part in one.entity}
        by_entity.setdefault(tuple(entity.items()), []).append(one)
        yield
    entries = []
    altered: list[tuple[Entity, Changes]] = []
    for entity_of, wanted in by_entity.items():
        entries.append(_check(caller, entity_of, wanted, altered))
        yield
    # In one step, as Kafka writes them in one batch: nobody sees half of them.
    if altered and not request.validate_only:
        caller.cluster.quotas.apply(altered)
    return AlterClientQuotasResponse(entries=entries)


def _check(
    caller: Caller,
    entity: Sequence[tuple[str, str | None]],
    entries: Sequence[AlteredQuota],
    altered: list[tuple[Entity, Changes]],
) -> AlteredQuotaResult:
    """Adds to what is altered unless it is refused."""
    wanted = entries[-1]
    changes = [(one.key, None if one.remove else one.value) for one in wanted.ops]
    shown = [QuotaEntity(entity_type=kind, entity_name=name) for kind, name in entity]
    code, text = 0, None
    try:
        caller.permit("alter_configs", "cluster")
        if len(entries) > 1 or len({key for key, _ in changes}) < len(changes):
            parts = ", ".join(f"{kind}={name}" for kind, name in entity)
            raise RequestRefused(
                ErrorCode.INVALID_REQUEST,
                f"Ignoring duplicate entity ClientQuotaEntity(entries={{{parts}}})",
            )
        altered.append((checked(entity, changes), changes))
    except RequestRefused as refusal:
        code, text = caller.denied(ApiKey.ALTER_CLIENT_QUOTAS, refusal), refusal.text
    return AlteredQuotaResult(error_code=code, error_message=text, entity=shown)


API = MessageHandler(AlterClientQuotasRequest, handle)
