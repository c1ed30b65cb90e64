"""Whose configuration a request means, and how it is altered."""

from collections.abc import Callable, Iterable, Mapping

from ....errors import NotServed, RequestRefused
from ...codes import AlterConfigOp, ApiKey, ConfigResourceType, ErrorCode
from ...wire.messages.configs import (
    AlterConfigsResource,
    AlterConfigsResourceResponse,
    IncrementalAlterConfigsResource,
)
from ..caller import Caller

Changes = Mapping[str, str | None] | Iterable[tuple[str, AlterConfigOp, str | None]]


def check_resource(
    caller: Caller, resource_type: int, resource_name: str, operation: str = "describe_configs"
) -> ConfigResourceType:
    """TOPIC or BROKER, of one that is there (an empty broker name stands for all brokers).

    Raises RequestRefused.
    """
    match resource_type:
        case ConfigResourceType.TOPIC:
            caller.topic(resource_name, b"", operation)
            return ConfigResourceType.TOPIC
        case ConfigResourceType.BROKER:
            if resource_name not in ("", str(caller.options.broker_id)):
                raise RequestRefused(
                    ErrorCode.INVALID_REQUEST,
                    f"there is broker {caller.options.broker_id} only, not {resource_name!r}",
                )
            caller.permit(operation, "cluster")
            return ConfigResourceType.BROKER
    raise NotServed(
        ErrorCode.INVALID_REQUEST,
        f"configurations of type {resource_type}",
        f"configurations of type {resource_type} are not served",
    )


def alter(
    caller: Caller,
    api_key: ApiKey,
    resource: AlterConfigsResource | IncrementalAlterConfigsResource,
    changes: Callable[[], Changes],
    validate_only: bool,
) -> AlterConfigsResourceResponse:
    """The answer to a change of one resource; `changes` may raise RequestRefused."""
    code, text = 0, None
    try:
        _check_alterable(caller, resource.resource_type, resource.resource_name)
        caller.cluster.configure_topic(
            resource.resource_name, changes(), source=caller.name, validate_only=validate_only
        )
    except RequestRefused as refusal:
        code, text = caller.denied(api_key, refusal), refusal.text
    return AlterConfigsResourceResponse(
        error_code=code,
        error_message=text,
        resource_type=resource.resource_type,
        resource_name=resource.resource_name,
    )


def _check_alterable(caller: Caller, resource_type: int, resource_name: str) -> None:
    """Raises RequestRefused for all but topics."""
    kind = check_resource(caller, resource_type, resource_name, "alter_configs")
    if kind is not ConfigResourceType.TOPIC:
        raise RequestRefused(
            ErrorCode.INVALID_REQUEST,
            "the broker's configuration is set when it starts and cannot be altered",
        )
