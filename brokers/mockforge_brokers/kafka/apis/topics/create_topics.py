"""CreateTopics 2-7: topics with partitions and configuration (KIP-4, KIP-464, KIP-525)."""

from collections import Counter
from collections.abc import Sequence
from itertools import pairwise

from ....errors import RequestRefused
from ....fairness import Stepped
from ...codes import ApiKey, ConfigSource, ErrorCode
from ...state.configs.topic import TOPIC_CONFIGS, TopicConfig
from ...state.nodes import Nodes
from ...wire.messages.topics import (
    CreatableTopic,
    CreatableTopicConfigs,
    CreatableTopicResult,
    CreateTopicsRequest,
    CreateTopicsResponse,
)
from ..caller import Caller
from ..handler import MessageHandler
from .assignments import check_assignment, check_factor, check_once, spread

_STRICT_QUOTA_SINCE = 6


def handle(caller: Caller, request: CreateTopicsRequest) -> Stepped[CreateTopicsResponse]:
    names = Counter(topic.name for topic in request.topics)
    results = []
    for topic in {topic.name: topic for topic in request.topics}.values():
        made = yield from _create(caller, topic, request.validate_only, names[topic.name] > 1)
        results.append(made)
        yield
    return CreateTopicsResponse(topics=results)


def _create(
    caller: Caller, wanted: CreatableTopic, validate_only: bool, repeated: bool
) -> Stepped[CreatableTopicResult]:
    configs = {config.name: config.value for config in wanted.configs}
    try:
        check_once(repeated=repeated)
        if not caller.may("create", "cluster"):
            caller.permit("create", "topic", wanted.name)
        config = caller.cluster.check_new_name(wanted.name, configs)
        partitions = _count(caller, wanted)
        _check_replicas(caller, wanted, partitions)
        caller.mutate(partitions, strict=caller.version >= _STRICT_QUOTA_SINCE)
        if validate_only:
            return CreatableTopicResult(
                name=wanted.name,
                error_message=None,
                num_partitions=partitions,
                replication_factor=_factor(caller, wanted),
                topic_config_error_code=_config_code(caller, wanted.name),
                configs=None if _config_code(caller, wanted.name) else _configs(config),
            )
        made = yield from caller.cluster.new_logs(wanted.name, config, 0, partitions)
        topic = caller.cluster.create_topic(
            wanted.name, partitions, configs=configs, made=made, source=caller.name
        )
        placed = _placed(caller, wanted, partitions)
        if placed:
            caller.cluster.replication.place(topic.name, placed)
    except RequestRefused as refusal:
        return CreatableTopicResult(
            name=wanted.name,
            error_code=caller.denied(ApiKey.CREATE_TOPICS, refusal),
            error_message=refusal.text,
        )
    return CreatableTopicResult(
        name=topic.name,
        topic_id=topic.topic_id,
        error_message=None,
        num_partitions=len(topic.logs),
        replication_factor=_factor(caller, wanted),
        topic_config_error_code=_config_code(caller, topic.name),
        configs=None if _config_code(caller, topic.name) else _configs(topic.config),
    )


def _config_code(caller: Caller, name: str) -> int:
    """Who may not describe the new topic's configuration is not shown it (KIP-525)."""
    hidden = not caller.may("describe_configs", "topic", name)
    return int(ErrorCode.TOPIC_AUTHORIZATION_FAILED) if hidden else 0


def _count(caller: Caller, wanted: CreatableTopic) -> int:
    if wanted.assignments:
        return len(wanted.assignments)
    if wanted.num_partitions == -1:
        return caller.options.default_partitions
    return wanted.num_partitions


def _factor(caller: Caller, wanted: CreatableTopic) -> int:
    if wanted.assignments:
        return len(wanted.assignments[0].broker_ids)
    usual = wanted.replication_factor == -1
    return caller.cluster.nodes.usual_replicas if usual else wanted.replication_factor


def _placed(caller: Caller, wanted: CreatableTopic, partitions: int) -> list[list[int]]:
    """The replicas of each partition, where they are not where they usually are."""
    if wanted.assignments:
        by_index = sorted(wanted.assignments, key=lambda one: one.partition_index)
        return [list(one.broker_ids) for one in by_index]
    nodes, factor = caller.cluster.nodes, _factor(caller, wanted)
    return [] if factor == nodes.usual_replicas else spread(partitions, factor, nodes)


def _check_replicas(caller: Caller, wanted: CreatableTopic, partitions: int) -> None:
    """Raises RequestRefused for replicas and partitions that cannot be, in Kafka's order."""
    nodes = caller.cluster.nodes
    if wanted.assignments:
        _check_manual(wanted, nodes)
    elif wanted.replication_factor < 1 and wanted.replication_factor != -1:
        check_factor(wanted.replication_factor, nodes)
    caller.cluster.check_new_partitions(wanted.name, partitions)
    if not wanted.assignments and wanted.replication_factor != -1:
        check_factor(wanted.replication_factor, nodes)


def _check_manual(wanted: CreatableTopic, nodes: Nodes) -> None:
    """Raises RequestRefused for an assignment that cannot be."""
    for what, value in (
        ("replication factor", wanted.replication_factor),
        ("numPartitions", wanted.num_partitions),
    ):
        if value != -1:
            raise RequestRefused(
                ErrorCode.INVALID_REQUEST,
                f"A manual partition assignment was specified, but {what} was not set to -1.",
            )
    _check_indexes(sorted(one.partition_index for one in wanted.assignments))
    for one in wanted.assignments:
        check_assignment(one.broker_ids, nodes, len(wanted.assignments[0].broker_ids))


def _check_indexes(indexes: Sequence[int]) -> None:
    """Raises RequestRefused unless these are all partitions from 0 on, each once."""
    for before, index in pairwise(indexes):
        if before == index:
            raise RequestRefused(
                ErrorCode.INVALID_REPLICA_ASSIGNMENT,
                f"Found multiple manual partition assignments for partition {index}",
            )
    if list(indexes) != list(range(len(indexes))):
        raise RequestRefused(
            ErrorCode.INVALID_REPLICA_ASSIGNMENT,
            "partitions should be a consecutive 0-based integer sequence",
        )


def _source(config: TopicConfig, name: str) -> ConfigSource:
    sources = config.sources(name)
    return sources[0].source if sources else ConfigSource.DEFAULT_CONFIG


def _configs(config: TopicConfig) -> list[CreatableTopicConfigs]:
    return [
        CreatableTopicConfigs(
            name=name,
            value=config.value(name),
            read_only=False,
            config_source=_source(config, name),
            is_sensitive=False,
        )
        for name in TOPIC_CONFIGS
    ]


API = MessageHandler(CreateTopicsRequest, handle)
