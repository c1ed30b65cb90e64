"""AlterConfigs 0-2: all values of a topic, a node or a group are replaced (KIP-133)."""

from ....fairness import Stepped
from ...codes import ApiKey
from ...wire.messages.configs import (
    AlterConfigsRequest,
    AlterConfigsResource,
    AlterConfigsResponse,
)
from ..caller import Caller
from ..handler import MessageHandler
from .config_resources import alter_all, checked, refuse_nulls


def handle(caller: Caller, request: AlterConfigsRequest) -> Stepped[AlterConfigsResponse]:
    answers = yield from alter_all(
        caller, ApiKey.ALTER_CONFIGS, request.resources, _values, request.validate_only
    )
    return AlterConfigsResponse(responses=answers)


def _values(resource: AlterConfigsResource) -> dict[str, str | None]:
    values = checked((config.name, config.value) for config in resource.configs)
    refuse_nulls(values)
    return values


API = MessageHandler(AlterConfigsRequest, handle)
