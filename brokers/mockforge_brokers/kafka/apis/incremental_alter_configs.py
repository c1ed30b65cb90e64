"""IncrementalAlterConfigs 0-1: single values set, deleted, appended, subtracted (KIP-339)."""

from ...errors import RequestRefused
from ..codes import AlterConfigOp, ApiKey, ErrorCode
from ..wire.messages.configs import (
    AlterConfigsResourceResponse,
    IncrementalAlterableConfig,
    IncrementalAlterConfigsRequest,
    IncrementalAlterConfigsResource,
    IncrementalAlterConfigsResponse,
)
from .caller import Caller
from .config_resources import check_alterable


def handle(
    caller: Caller, request: IncrementalAlterConfigsRequest
) -> IncrementalAlterConfigsResponse:
    return IncrementalAlterConfigsResponse(
        responses=[_alter(caller, one, request.validate_only) for one in request.resources]
    )


def _alter(
    caller: Caller, resource: IncrementalAlterConfigsResource, validate_only: bool
) -> AlterConfigsResourceResponse:
    code, text = 0, None
    try:
        check_alterable(caller, resource.resource_type, resource.resource_name)
        caller.cluster.configure_topic(
            resource.resource_name,
            [(one.name, _operation(one), one.value) for one in resource.configs],
            source=caller.name,
            validate_only=validate_only,
        )
    except RequestRefused as refusal:
        code, text = caller.denied(ApiKey.INCREMENTAL_ALTER_CONFIGS, refusal), refusal.text
    return AlterConfigsResourceResponse(
        error_code=code,
        error_message=text,
        resource_type=resource.resource_type,
        resource_name=resource.resource_name,
    )


def _operation(change: IncrementalAlterableConfig) -> AlterConfigOp:
    try:
        return AlterConfigOp(change.config_operation)
    except ValueError:
        raise RequestRefused(
            ErrorCode.INVALID_REQUEST,
            f"{change.name}: there is no operation {change.config_operation}",
        ) from None
