"""Whose configuration a request means, and how it is altered."""

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TypeVar

from ....errors import NotServed, RequestRefused
from ....fairness import Stepped
from ...codes import ApiKey, ConfigResourceType, ErrorCode
from ...state.configs.keys import Change, null_refused
from ...state.configs.topic import TopicConfig
from ...state.configuring import Changes, check_node
from ...state.logs.topic import Topic, check_topic_name
from ...wire.messages.configs import (
    AlterConfigsResource,
    AlterConfigsResourceResponse,
    IncrementalAlterConfigsResource,
)
from ..caller import Caller
from .loggers import check_loggers, set_loggers

Resource = TypeVar("Resource", AlterConfigsResource, IncrementalAlterConfigsResource)


def resource_kind(resource_type: int) -> ConfigResourceType:
    """Raises RequestRefused for one that has no configuration here."""
    known = (
        ConfigResourceType.TOPIC,
        ConfigResourceType.BROKER,
        ConfigResourceType.BROKER_LOGGER,
        ConfigResourceType.GROUP,
        ConfigResourceType.CLIENT_METRICS,
    )
    if resource_type in known:
        return ConfigResourceType(resource_type)
    raise NotServed(
        ErrorCode.INVALID_REQUEST,
        f"configurations of type {resource_type}",
        f"Unknown resource type {resource_type}",
    )


def alter_all(
    caller: Caller,
    api_key: ApiKey,
    resources: Sequence[Resource],
    changes: Callable[[Resource], Changes],
    validate_only: bool,
) -> Stepped[list[AlterConfigsResourceResponse]]:
    """The answers to changes of each resource; `changes` may raise RequestRefused."""
    times = Counter((one.resource_type, one.resource_name) for one in resources)
    answers = []
    for one in resources:
        code, text = 0, None
        try:
            if times[one.resource_type, one.resource_name] > 1:
                raise RequestRefused(
                    ErrorCode.INVALID_REQUEST, "Each resource must appear at most once."
                )
            _alter(caller, one.resource_type, one.resource_name, changes(one), validate_only)
        except RequestRefused as refusal:
            code, text = caller.denied(api_key, refusal), refusal.text
        answers.append(
            AlterConfigsResourceResponse(
                error_code=code,
                error_message=text,
                resource_type=one.resource_type,
                resource_name=one.resource_name,
            )
        )
        yield
    return answers


def checked(names: Iterable[tuple[str, str | None]]) -> dict[str, str | None]:
    """Keys with their values, no key twice. Raises RequestRefused."""
    found: dict[str, str | None] = {}
    for name, value in names:
        if name in found:
            raise RequestRefused(ErrorCode.INVALID_REQUEST, "Error due to duplicate config keys")
        found[name] = value
    return found


def refuse_nulls(values: Mapping[str, str | None]) -> None:
    """Raises RequestRefused where a value is null: to have the default back is to delete it."""
    for name, value in values.items():
        if value is None:
            raise null_refused(name)


def _alter(
    caller: Caller, resource_type: int, name: str, changes: Changes, validate_only: bool
) -> None:
    configuring, source = caller.cluster.configuring, caller.name
    match resource_kind(resource_type):
        case ConfigResourceType.TOPIC:
            if not name:
                raise RequestRefused(
                    ErrorCode.INVALID_REQUEST, "Default topic resources are not allowed."
                )
            topic = _topic(caller, name, changes)
            configuring.topic(topic, changes, source=source, validate_only=validate_only)
        case ConfigResourceType.BROKER:
            caller.permit("alter_configs", "cluster")
            node = check_node(caller.node, name)
            configuring.node(node, changes, source=source, validate_only=validate_only)
        case ConfigResourceType.GROUP:
            caller.permit("alter_configs", "group", name)
            configuring.group(name, changes, source=source, validate_only=validate_only)
        case ConfigResourceType.CLIENT_METRICS:
            caller.permit("alter_configs", "cluster")
            configuring.subscription(name, changes, source=source, validate_only=validate_only)
        case _:
            _alter_loggers(caller, name, changes, validate_only)


def _topic(caller: Caller, name: str, changes: Changes) -> Topic:
    """Raises RequestRefused, as in Kafka for what is wrong before there being no such topic."""
    caller.permit("alter_configs", "topic", name)
    check_topic_name(name)
    if name not in caller.cluster.topics:
        TopicConfig(caller.cluster.config).change(changes)
        raise RequestRefused(
            ErrorCode.UNKNOWN_TOPIC_OR_PARTITION, f"The topic '{name}' does not exist."
        )
    return caller.cluster.topics.named(name)


def _alter_loggers(caller: Caller, name: str, changes: Changes, validate_only: bool) -> None:
    caller.permit("alter_configs", "cluster")
    if isinstance(changes, Mapping):
        raise RequestRefused(ErrorCode.INVALID_REQUEST, "Unknown resource type 8")
    if not name.isdecimal():
        raise RequestRefused(
            ErrorCode.INVALID_REQUEST, f"Node id must be an integer, but it is: {name}"
        )
    if name != str(caller.node):
        raise RequestRefused(
            ErrorCode.INVALID_REQUEST,
            f"Unexpected node id. Expected {caller.node}, but received {name}",
        )
    wanted: list[Change] = list(changes)
    check_loggers(wanted)
    if not validate_only:
        set_loggers(wanted)
