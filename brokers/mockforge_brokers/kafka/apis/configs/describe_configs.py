"""DescribeConfigs 1-4: every key with its value and where that comes from (KIP-226, KIP-569)."""

from collections.abc import Mapping

from ....errors import RequestRefused
from ...codes import ApiKey, ConfigResourceType, ConfigSource
from ...state.logs.configs import BROKER_CONFIGS, TOPIC_CONFIGS, ConfigKey
from ...wire.messages.configs import (
    DescribeConfigsRequest,
    DescribeConfigsResource,
    DescribeConfigsResourceResult,
    DescribeConfigsResponse,
    DescribeConfigsResult,
    DescribeConfigsSynonym,
)
from ..caller import Caller
from ..handler import MessageHandler
from .config_resources import check_resource


def handle(caller: Caller, request: DescribeConfigsRequest) -> DescribeConfigsResponse:
    return DescribeConfigsResponse(
        results=[
            _describe(caller, resource, request.include_synonyms) for resource in request.resources
        ]
    )


def _describe(
    caller: Caller, resource: DescribeConfigsResource, synonyms: bool
) -> DescribeConfigsResult:
    name = resource.resource_name
    configs: list[DescribeConfigsResourceResult] = []
    code, text = 0, None
    try:
        kind = check_resource(caller, resource.resource_type, name)
        if kind is ConfigResourceType.TOPIC:
            own: Mapping[str, str] = caller.cluster.topic(name).config.own
            source = ConfigSource.DYNAMIC_TOPIC_CONFIG
            table = TOPIC_CONFIGS
        else:
            own = _broker_values(caller)
            source = ConfigSource.STATIC_BROKER_CONFIG
            # All brokers' common values are those that were altered while running: none.
            table = BROKER_CONFIGS if name else {}
        wanted = resource.configuration_keys
        configs = [
            _entry(key, own.get(key.name), source, synonyms)
            for key in table.values()
            if wanted is None or key.name in wanted
        ]
    except RequestRefused as refusal:
        code, text = caller.denied(ApiKey.DESCRIBE_CONFIGS, refusal), refusal.text
    return DescribeConfigsResult(
        error_code=code,
        error_message=text,
        resource_type=resource.resource_type,
        resource_name=name,
        configs=configs,
    )


def _scheme(caller: Caller) -> str:
    """The security protocol of the listener that the client came by."""
    sasl = "SASL_" if caller.peer.principal.mechanism == "PLAIN" else ""
    return sasl + ("PLAINTEXT" if caller.peer.listener.tls is None else "SSL")


def _entry(
    key: ConfigKey, own: str | None, source: ConfigSource, synonyms: bool
) -> DescribeConfigsResourceResult:
    values = [] if own is None else [(own, source)]
    if key.default is not None:
        values.append((key.default, ConfigSource.DEFAULT_CONFIG))
    value, value_source = values[0] if values else (None, ConfigSource.DEFAULT_CONFIG)
    return DescribeConfigsResourceResult(
        name=key.name,
        value=value,
        read_only=source is ConfigSource.STATIC_BROKER_CONFIG,
        config_source=value_source,
        is_sensitive=False,
        synonyms=[
            DescribeConfigsSynonym(name=key.name, value=one, source=where) for one, where in values
        ]
        if synonyms
        else [],
        config_type=key.type,
    )


def _broker_values(caller: Caller) -> dict[str, str]:
    options = caller.options
    return {
        "advertised.listeners": f"{_scheme(caller)}://{caller.host}:{caller.port}",
        "auto.create.topics.enable": str(options.auto_create_topics).lower(),
        "broker.id": str(options.broker_id),
        "group.initial.rebalance.delay.ms": str(round(options.initial_rebalance_delay * 1000)),
        "group.max.session.timeout.ms": str(round(options.max_session_timeout * 1000)),
        "group.min.session.timeout.ms": str(round(options.min_session_timeout * 1000)),
        "node.id": str(options.broker_id),
        "num.partitions": str(options.default_partitions),
        "socket.request.max.bytes": str(caller.environment.limits.kafka_request),
    }


API = MessageHandler(DescribeConfigsRequest, handle)
