"""CreatePartitions 0-3: a topic grows (KIP-195)."""

from collections import Counter

from ....errors import RequestRefused
from ....fairness import Stepped
from ...codes import ApiKey, ErrorCode
from ...state.logs.topic import Topic
from ...wire.messages.topics import (
    CreatePartitionsRequest,
    CreatePartitionsResponse,
    CreatePartitionsTopic,
    CreatePartitionsTopicResult,
)
from ..caller import Caller
from ..handler import MessageHandler
from .assignments import check_assignment, check_once

_STRICT_QUOTA_SINCE = 3


def handle(caller: Caller, request: CreatePartitionsRequest) -> Stepped[CreatePartitionsResponse]:
    names = Counter(topic.name for topic in request.topics)
    results = []
    for topic in {topic.name: topic for topic in request.topics}.values():
        grown = yield from _grow(caller, topic, request.validate_only, names[topic.name] > 1)
        results.append(grown)
        yield
    return CreatePartitionsResponse(results=results)


def _grow(
    caller: Caller, wanted: CreatePartitionsTopic, validate_only: bool, repeated: bool
) -> Stepped[CreatePartitionsTopicResult]:
    cluster = caller.cluster
    try:
        check_once(repeated=repeated)
        caller.permit("alter", "topic", wanted.name)
        topic = _check_growth(caller, wanted)
        before = len(topic.logs)
        factor = len(cluster.replication.replicas(topic.logs[0]))
        for one in wanted.assignments or ():
            check_assignment(one.broker_ids, cluster.nodes, factor)
        caller.mutate(wanted.count - before, strict=caller.version >= _STRICT_QUOTA_SINCE)
        if not validate_only:
            made = yield from cluster.new_logs(wanted.name, topic.config, before, wanted.count)
            # Others had their turn meanwhile.
            topic = _check_growth(caller, wanted)
            before = len(topic.logs)
            cluster.grow_topic(wanted.name, wanted.count, made=made, source=caller.name)
            if cluster.nodes.many and wanted.assignments is not None:
                for log, one in zip(topic.logs[before:], wanted.assignments, strict=True):
                    cluster.replication.place_new(log, one.broker_ids)
    except RequestRefused as refusal:
        code = caller.denied(ApiKey.CREATE_PARTITIONS, refusal)
        return CreatePartitionsTopicResult(
            name=wanted.name, error_code=code, error_message=refusal.text
        )
    return CreatePartitionsTopicResult(name=wanted.name)


def _check_growth(caller: Caller, wanted: CreatePartitionsTopic) -> Topic:
    """Raises RequestRefused where the topic cannot get so many more, or is not told where."""
    topic = caller.cluster.check_growth(wanted.name, wanted.count)
    new = wanted.count - len(topic.logs)
    if wanted.assignments is not None and len(wanted.assignments) != new:
        raise RequestRefused(
            ErrorCode.INVALID_REPLICA_ASSIGNMENT,
            f"Attempted to add {new} additional partition(s), but only {len(wanted.assignments)}"
            " assignment(s) were specified.",
        )
    return topic


API = MessageHandler(CreatePartitionsRequest, handle)
