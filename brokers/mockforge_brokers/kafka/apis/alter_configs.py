"""AlterConfigs 0-2: a topic's values are replaced as a whole (KIP-133)."""

from ...errors import RequestRefused
from ..codes import ApiKey
from ..wire.messages.configs import (
    AlterConfigsRequest,
    AlterConfigsResource,
    AlterConfigsResourceResponse,
    AlterConfigsResponse,
)
from .caller import Caller
from .config_resources import check_alterable


def handle(caller: Caller, request: AlterConfigsRequest) -> AlterConfigsResponse:
    return AlterConfigsResponse(
        responses=[_alter(caller, one, request.validate_only) for one in request.resources]
    )


def _alter(
    caller: Caller, resource: AlterConfigsResource, validate_only: bool
) -> AlterConfigsResourceResponse:
    code, text = 0, None
    try:
        check_alterable(caller, resource.resource_type, resource.resource_name)
        caller.cluster.configure_topic(
            resource.resource_name,
            {config.name: config.value for config in resource.configs},
            source=caller.name,
            validate_only=validate_only,
        )
    except RequestRefused as refusal:
        code, text = caller.denied(ApiKey.ALTER_CONFIGS, refusal), refusal.text
    return AlterConfigsResourceResponse(
        error_code=code,
        error_message=text,
        resource_type=resource.resource_type,
        resource_name=resource.resource_name,
    )
