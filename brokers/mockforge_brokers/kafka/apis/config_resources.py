"""Whose configuration a request means."""

from ...errors import RequestRefused
from ..codes import ConfigResourceType, ErrorCode
from .caller import Caller


def check_resource(caller: Caller, resource_type: int, resource_name: str) -> ConfigResourceType:
    """TOPIC or BROKER, of one that is there (an empty broker name stands for all brokers).

    Raises RequestRefused.
    """
    match resource_type:
        case ConfigResourceType.TOPIC:
            caller.cluster.topic(resource_name)
            return ConfigResourceType.TOPIC
        case ConfigResourceType.BROKER:
            if resource_name not in ("", str(caller.options.broker_id)):
                raise RequestRefused(
                    ErrorCode.INVALID_REQUEST,
                    f"there is broker {caller.options.broker_id} only, not {resource_name!r}",
                )
            return ConfigResourceType.BROKER
    raise RequestRefused(
        ErrorCode.INVALID_REQUEST, f"configurations of type {resource_type} are not served"
    )


def check_alterable(caller: Caller, resource_type: int, resource_name: str) -> None:
    """Raises RequestRefused for all but topics."""
    if check_resource(caller, resource_type, resource_name) is not ConfigResourceType.TOPIC:
        raise RequestRefused(
            ErrorCode.INVALID_REQUEST,
            "the broker's configuration is set when it starts and cannot be altered",
        )
