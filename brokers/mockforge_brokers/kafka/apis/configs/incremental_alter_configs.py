"""IncrementalAlterConfigs 0-1: single values set, deleted, appended, subtracted (KIP-339)."""

from ....errors import RequestRefused
from ...codes import AlterConfigOp, ApiKey, ErrorCode
from ...wire.messages.configs import (
    AlterConfigsResourceResponse,
    IncrementalAlterableConfig,
    IncrementalAlterConfigsRequest,
    IncrementalAlterConfigsResource,
    IncrementalAlterConfigsResponse,
)
from ..caller import Caller
from ..handler import MessageHandler
from .config_resources import alter


def handle(
    caller: Caller, request: IncrementalAlterConfigsRequest
) -> IncrementalAlterConfigsResponse:
    return IncrementalAlterConfigsResponse(
        responses=[_alter(caller, one, request.validate_only) for one in request.resources]
    )


def _alter(
    caller: Caller, resource: IncrementalAlterConfigsResource, validate_only: bool
) -> AlterConfigsResourceResponse:
    def changes() -> list[tuple[str, AlterConfigOp, str | None]]:
        return [(one.name, _operation(one), one.value) for one in resource.configs]

    return alter(caller, ApiKey.INCREMENTAL_ALTER_CONFIGS, resource, changes, validate_only)


def _operation(change: IncrementalAlterableConfig) -> AlterConfigOp:
    try:
        return AlterConfigOp(change.config_operation)
    except ValueError:
        raise RequestRefused(
            ErrorCode.INVALID_REQUEST,
            f"{change.name}: there is no operation {change.config_operation}",
        ) from None


API = MessageHandler(IncrementalAlterConfigsRequest, handle)
