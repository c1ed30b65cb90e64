"""AlterConfigs 0-2: a topic's values are replaced as a whole (KIP-133)."""

from ...codes import ApiKey
from ...wire.messages.configs import (
    AlterConfigsRequest,
    AlterConfigsResource,
    AlterConfigsResourceResponse,
    AlterConfigsResponse,
)
from ..caller import Caller
from ..handler import MessageHandler
from .config_resources import alter


def handle(caller: Caller, request: AlterConfigsRequest) -> AlterConfigsResponse:
    return AlterConfigsResponse(
        responses=[_alter(caller, one, request.validate_only) for one in request.resources]
    )


def _alter(
    caller: Caller, resource: AlterConfigsResource, validate_only: bool
) -> AlterConfigsResourceResponse:
    def changes() -> dict[str, str | None]:
        return {config.name: config.value for config in resource.configs}

    return alter(caller, ApiKey.ALTER_CONFIGS, resource, changes, validate_only)


API = MessageHandler(AlterConfigsRequest, handle)
