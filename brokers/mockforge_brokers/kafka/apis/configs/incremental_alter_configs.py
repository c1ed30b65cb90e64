"""IncrementalAlterConfigs 0-1: single values set, deleted, appended, subtracted (KIP-339)."""

from ....errors import RequestRefused
from ....fairness import Stepped
from ...codes import AlterConfigOp, ApiKey, ErrorCode
from ...state.configs.keys import Change
from ...wire.messages.configs import (
    IncrementalAlterableConfig,
    IncrementalAlterConfigsRequest,
    IncrementalAlterConfigsResource,
    IncrementalAlterConfigsResponse,
)
from ..caller import Caller
from ..handler import MessageHandler
from .config_resources import alter_all, checked


def handle(
    caller: Caller, request: IncrementalAlterConfigsRequest
) -> Stepped[IncrementalAlterConfigsResponse]:
    answers = yield from alter_all(
        caller,
        ApiKey.INCREMENTAL_ALTER_CONFIGS,
        request.resources,
        _changes,
        request.validate_only,
    )
    return IncrementalAlterConfigsResponse(responses=answers)


def _changes(resource: IncrementalAlterConfigsResource) -> list[Change]:
    checked((one.name, one.value) for one in resource.configs)
    return [(one.name, _operation(one), one.value) for one in resource.configs]


def _operation(change: IncrementalAlterableConfig) -> AlterConfigOp:
    try:
        return AlterConfigOp(change.config_operation)
    except ValueError:
        raise RequestRefused(
            ErrorCode.INVALID_REQUEST,
            f"{change.name}: there is no operation {change.config_operation}",
        ) from None


API = MessageHandler(IncrementalAlterConfigsRequest, handle)
