"""DescribeConfigs 1-4: every key with its value and where that comes from (KIP-226, KIP-569)."""

import re
from collections import Counter
from collections.abc import Iterator, Mapping
from functools import partial
from typing import Final

from msgspec import Struct

from ....errors import RequestRefused
from ....fairness import Stepped
from ...codes import ApiKey, ConfigResourceType, ConfigSource, ConfigType, ErrorCode
from ...state.configs.broker import ALL_NODES, broker_keys, is_fixed
from ...state.configs.client_metrics import CLIENT_METRICS_CONFIGS
from ...state.configs.group import GROUP_CONFIGS
from ...state.configs.keys import ConfigKey, Sourced
from ...state.configs.listener_keys import key_of
from ...state.configs.topic import TOPIC_CONFIGS
from ...state.logs.topic import Topic, check_topic_name
from ...wire.messages.configs import (
    DescribeConfigsRequest,
    DescribeConfigsResource,
    DescribeConfigsResourceResult,
    DescribeConfigsResponse,
    DescribeConfigsResult,
    DescribeConfigsSynonym,
)
from ..caller import Caller
from ..handler import MessageHandler, nothing
from ..reading import check_meant
from ..stepping import each, each_by_steps
from .config_resources import resource_kind
from .loggers import loggers

_NUMBER: Final = re.compile(r"([+-]?)0*([0-9]{1,10})")
"""As Java reads one: 01 and +1 are 1."""
_KEYS: Final = 64
"""Keys that are shown in one step: a topic has half of that, a broker hundreds."""
_ELSEWHERE: Final = "Kept and shown, but not acted on; see {}."
_REFERENCES: Final = {
    ConfigResourceType.TOPIC: "https://kafka.apache.org/documentation/#topicconfigs_",
    ConfigResourceType.BROKER: "https://kafka.apache.org/documentation/#brokerconfigs_",
    ConfigResourceType.GROUP: "https://kafka.apache.org/documentation/#groupconfigs_",
}


class Entry(Struct):
    """One key: the value in force, and all that were given for it, that one first."""

    key: ConfigKey
    value: str | None
    source: ConfigSource
    values: list[Sourced]
    read_only: bool = False


def handle(caller: Caller, request: DescribeConfigsRequest) -> Stepped[DescribeConfigsResponse]:
    check_meant(caller, DescribeConfigsRequest, _meant(request))
    describe = partial(_describe, caller, request)
    return DescribeConfigsResponse(results=(yield from each_by_steps(describe, request.resources)))


def _meant(request: DescribeConfigsRequest) -> int:
    """Keys that are asked for by naming none.

    But for those of each topic the first time: there are only so many topics, while any name is
    that of a group, and a broker is known by many (0, 00, +0).
    """
    times: Counter[int] = Counter()
    topics = set()
    for resource in request.resources:
        kind, name = resource.resource_type, resource.resource_name
        if resource.configuration_keys:
            continue
        if kind == ConfigResourceType.TOPIC and name not in topics:
            topics.add(name)
        else:
            times[kind] += 1
    return sum(count * _keys(kind) for kind, count in times.items())


def _keys(kind: int) -> int:
    match kind:
        case ConfigResourceType.TOPIC:
            return len(TOPIC_CONFIGS)
        case ConfigResourceType.BROKER:
            return len(broker_keys())
        case ConfigResourceType.GROUP:
            return len(GROUP_CONFIGS)
        case ConfigResourceType.CLIENT_METRICS:
            return len(CLIENT_METRICS_CONFIGS)
        case ConfigResourceType.BROKER_LOGGER:
            return len(loggers())
    return 0


def _describe(
    caller: Caller, request: DescribeConfigsRequest, resource: DescribeConfigsResource
) -> Stepped[DescribeConfigsResult]:
    name = resource.resource_name
    # As Kafka: no keys at all are asked for by whoever wants them all.
    wanted = frozenset(resource.configuration_keys or ())
    configs: list[DescribeConfigsResourceResult] = []
    code, text = 0, ""
    try:
        kind = resource_kind(resource.resource_type)
        entries = [
            entry
            for entry in _entries(caller, kind, name)
            if not wanted or entry.key.name in wanted
        ]
        show = partial(_result, kind=kind, request=request)
        configs = yield from each(show, entries, at_a_time=_KEYS)
    except RequestRefused as refusal:
        code, text = caller.denied(ApiKey.DESCRIBE_CONFIGS, refusal), refusal.text
    return DescribeConfigsResult(
        error_code=code,
        error_message=text,
        resource_type=resource.resource_type,
        resource_name=name,
        configs=configs,
    )


def _entries(caller: Caller, kind: ConfigResourceType, name: str) -> Iterator[Entry]:
    """Raises RequestRefused."""
    match kind:
        case ConfigResourceType.TOPIC:
            config = _topic(caller, name).config
            for key in TOPIC_CONFIGS.values():
                values = [
                    Sourced(place, key.parsed(value), source)
                    for place, value, source in config.sources(key.name)
                ]
                yield _entry(key, key.parsed(config.value(key.name)), values)
        case ConfigResourceType.BROKER:
            caller.permit("describe_configs", "cluster")
            yield from _broker_entries(caller, name)
        case ConfigResourceType.GROUP:
            if not name:
                raise RequestRefused(ErrorCode.INVALID_REQUEST, "Group name must not be empty")
            caller.permit("describe_configs", "group", name)
            groups = caller.cluster.configuring.groups
            for key in GROUP_CONFIGS.values():
                yield _entry(key, groups.value(name, key.name), groups.sources(name, key.name))
        case ConfigResourceType.CLIENT_METRICS:
            yield from _subscription_entries(caller, name)
        case _:
            caller.permit("describe_configs", "cluster")
            _check_described(caller, name, "Broker id must not be empty")
            for logger, level in loggers().items():
                key = ConfigKey(logger, ConfigType.UNKNOWN, None)
                yield Entry(key, level, ConfigSource.DYNAMIC_BROKER_LOGGER_CONFIG, [])


def _topic(caller: Caller, name: str) -> Topic:
    caller.permit("describe_configs", "topic", name)
    check_topic_name(name)
    return caller.cluster.topics.named(name)


def _subscription_entries(caller: Caller, name: str) -> Iterator[Entry]:
    caller.permit("describe_configs", "cluster")
    if not name:
        raise RequestRefused(
            ErrorCode.INVALID_REQUEST, "Client metrics subscription name must not be empty"
        )
    metrics = caller.cluster.configuring.client_metrics
    for key in CLIENT_METRICS_CONFIGS.values():
        yield _entry(key, metrics.value(name, key.name), metrics.sources(name, key.name))


def _broker_entries(caller: Caller, name: str) -> Iterator[Entry]:
    config, keys = caller.cluster.config, broker_keys()
    if name == ALL_NODES:
        for one in sorted(config.dynamic[ALL_NODES]):
            values = [
                each
                for each in config.sources(one)
                # Kafka names no further places where all nodes are meant.
                if each.source is ConfigSource.DYNAMIC_DEFAULT_BROKER_CONFIG and each.name == one
            ]
            entry = _entry(keys.get(one) or key_of(one, keys), values[0].value, values)
            entry.read_only = is_fixed(one)
            yield entry
        return
    _check_described(caller, name, "")
    name = str(caller.node)
    here = _here(caller)
    for key in config.keys(name):
        values = config.sources(key.name, name)
        if key.name in here:
            values = [Sourced(key.name, here[key.name], ConfigSource.STATIC_BROKER_CONFIG), *values]
        value = values[0].value if values else None
        entry = _entry(key, value, values)
        entry.read_only = is_fixed(key.name)
        yield entry


def _check_described(caller: Caller, name: str, if_empty: str) -> None:
    """Raises RequestRefused unless it is the number of the node that was asked."""
    number = _int32(name)
    if name and number is None:
        text = f"Broker id must be an integer, but it is: {name}"
        raise RequestRefused(ErrorCode.INVALID_REQUEST, text)
    if number != caller.node:
        expected = caller.node if if_empty else f"{caller.node} or empty string,"
        text = f"Unexpected broker id, expected {expected} but received {name}"
        raise RequestRefused(ErrorCode.INVALID_REQUEST, text if name else if_empty)


def _int32(text: str) -> int | None:
    """As Java reads one. Python's own reads no thousands of digits, be they zeros."""
    found = _NUMBER.fullmatch(text)
    number = 2**31 if found is None else int(found[1] + found[2])
    return number if -(2**31) <= number < 2**31 else None


def _entry(key: ConfigKey, value: str | None, values: list[Sourced]) -> Entry:
    source = values[0].source if values else ConfigSource.DEFAULT_CONFIG
    return Entry(key, value, source, values)


def _result(
    entry: Entry, kind: ConfigResourceType, request: DescribeConfigsRequest
) -> DescribeConfigsResourceResult:
    key = entry.key
    # A logger's level has no type, and is no secret.
    is_logger = kind is ConfigResourceType.BROKER_LOGGER
    sensitive = key.is_secret and not is_logger
    documentation: str | None = "" if is_logger else None
    if request.include_documentation and not is_logger:
        documentation = _documentation(key, kind)
    return DescribeConfigsResourceResult(
        name=key.name,
        value=None if sensitive else entry.value,
        read_only=entry.read_only,
        config_source=entry.source,
        is_sensitive=sensitive,
        synonyms=[
            DescribeConfigsSynonym(name=name, value=None if sensitive else value, source=source)
            for name, value, source in entry.values
        ]
        if request.include_synonyms
        else [],
        config_type=key.type,
        documentation=documentation,
    )


def _documentation(key: ConfigKey, kind: ConfigResourceType) -> str | None:
    """Ours where we have any, else where Kafka's are; None for a key that is not in its table."""
    if kind is ConfigResourceType.BROKER and key.name not in broker_keys():
        return None
    if key.meaning:
        return key.meaning
    reference = _REFERENCES[kind] + key.name
    return f"See {reference}." if key.served else _ELSEWHERE.format(reference)


def _here(caller: Caller) -> Mapping[str, str]:
    """What depends on where the client reached us."""
    sasl = "SASL_" if caller.peer.principal.mechanism == "PLAIN" else ""
    scheme = sasl + ("PLAINTEXT" if caller.peer.listener.tls is None else "SSL")
    return {
        "advertised.listeners": f"{scheme}://{caller.host}:{caller.port}",
        "listeners": f"{scheme}://{caller.host}:{caller.port}",
        "max.incremental.fetch.session.cache.slots": str(
            caller.environment.limits.kafka_fetch_sessions
        ),
        "socket.request.max.bytes": str(caller.environment.limits.kafka_request),
    }


API = MessageHandler(DescribeConfigsRequest, handle, changes=nothing)
