"""DescribeClientQuotas 0-1: what entities are held to (KIP-546)."""

from typing import Final

from ....errors import RequestRefused
from ....fairness import Stepped
from ...codes import ApiKey, ErrorCode
from ...state.quotas import CLIENT_ID, IP, TYPES, USER, Component, fitting
from ...wire.messages.quotas import (
    DescribeClientQuotasRequest,
    DescribeClientQuotasResponse,
    DescribedQuota,
    QuotaComponent,
    QuotaEntity,
    QuotaValue,
)
from ..caller import Caller
from ..handler import MessageHandler, nothing

_EXACT, _DEFAULT, _ANY = 0, 1, 2
_APART: Final = (
    "Invalid entity filter component combination. IP filter component should not be used with user"
    " or clientId filter component."
)


def handle(
    caller: Caller, request: DescribeClientQuotasRequest
) -> Stepped[DescribeClientQuotasResponse]:
    try:
        caller.permit("describe_configs", "cluster")
        components = _components(request)
    except RequestRefused as refusal:
        code = caller.denied(ApiKey.DESCRIBE_CLIENT_QUOTAS, refusal)
        return DescribeClientQuotasResponse(
            error_code=code, error_message=refusal.text, entries=None
        )
    fits = fitting(components, strict=request.strict)
    entries = []
    for entity, values in tuple(caller.cluster.quotas.by_entity.items()):
        # An entity that was let go meanwhile has no values any more.
        if values and fits(entity):
            entries.append(
                DescribedQuota(
                    entity=[
                        QuotaEntity(entity_type=kind, entity_name=name) for kind, name in entity
                    ],
                    values=[QuotaValue(key=key, value=values[key]) for key in sorted(values)],
                )
            )
        yield
    return DescribeClientQuotasResponse(error_message="", entries=entries)


def _components(request: DescribeClientQuotasRequest) -> list[Component]:
    """Raises RequestRefused with the words of Kafka."""
    found: dict[str, Component] = {}
    for one in request.components:
        kind = one.entity_type
        component = _component(one)
        if kind in found:
            raise RequestRefused(
                ErrorCode.INVALID_REQUEST,
                f"Entity type {kind} cannot appear more than once in the filter.",
            )
        found[kind] = component
    if IP in found and (USER in found or CLIENT_ID in found):
        raise RequestRefused(ErrorCode.INVALID_REQUEST, _APART)
    return list(found.values())


def _component(one: QuotaComponent) -> Component:
    kind, match = one.entity_type, one.match_type
    problem = ""
    if not kind:
        problem = "Invalid empty entity type."
    elif kind not in TYPES:
        raise RequestRefused(ErrorCode.UNSUPPORTED_VERSION, f"Unsupported entity type {kind}")
    elif match not in (_EXACT, _DEFAULT, _ANY):
        problem = f"Unknown match type {match}"
    elif match == _EXACT and one.match is None:
        problem = "Request specified MATCH_TYPE_EXACT, but set match string to null."
    elif match != _EXACT and one.match is not None:
        name = "DEFAULT" if match == _DEFAULT else "SPECIFIED"
        problem = f"Request specified MATCH_TYPE_{name}, but also specified a match string."
    if problem:
        raise RequestRefused(ErrorCode.INVALID_REQUEST, problem)
    return Component(kind, one.match, match == _ANY)


API = MessageHandler(DescribeClientQuotasRequest, handle, changes=nothing)
