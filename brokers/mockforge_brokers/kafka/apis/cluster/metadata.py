"""Metadata 0-13: brokers, topics and partitions (KIP-204, KIP-430, KIP-516).

Topics that are asked for by name come into being here, when client and options allow it.
"""

from functools import partial

from ....errors import RequestRefused
from ....fairness import Stepped
from ...codes import ApiKey, ErrorCode
from ...state.logs.internal import CLUSTER_METADATA, is_internal
from ...state.logs.log import PartitionLog
from ...state.logs.topic import Topic, check_topic_name
from ...state.standing import NOBODY
from ...wire.messages.cluster import (
    MetadataRequest,
    MetadataRequestTopic,
    MetadataResponse,
    MetadataResponseBroker,
    MetadataResponsePartition,
    MetadataResponseTopic,
)
from ...wire.schema import ZERO_UUID
from ..authorized import authorized
from ..caller import Caller
from ..handler import MessageHandler
from ..stepping import LIGHT, each

_BY_ID_SINCE = 12


def handle(caller: Caller, request: MetadataRequest) -> Stepped[MetadataResponse]:
    topics = yield from _topics(caller, request)
    nodes = caller.cluster.nodes
    return MetadataResponse(
        brokers=[_broker(caller, node) for node in caller.found(nodes.alive)],
        cluster_id=caller.cluster.cluster_id,
        controller_id=nodes.controller,
        topics=topics,
        cluster_authorized_operations=authorized(
            caller, "cluster", asked=request.include_cluster_authorized_operations
        ),
    )


def _broker(caller: Caller, node: int) -> MetadataResponseBroker:
    host, port = caller.address(node)
    return MetadataResponseBroker(
        node_id=node, host=host, port=port, rack=caller.cluster.nodes.rack(node)
    )


def _topics(caller: Caller, request: MetadataRequest) -> Stepped[list[MetadataResponseTopic]]:
    wanted = request.topics
    asked = request.include_topic_authorized_operations
    # Version 0 cannot say null: there an empty list asks for all topics.
    if wanted is None or (caller.version == 0 and not wanted):
        return (yield from _all(caller, asked))
    if caller.version < _BY_ID_SINCE and any(
        one.name is None or one.topic_id != ZERO_UUID for one in wanted
    ):
        # KAFKA-13334: ids stand in versions 10 and 11, but no broker ever answered them.
        refusal = RequestRefused(
            ErrorCode.INVALID_REQUEST, f"topic ids are taken from version {_BY_ID_SINCE} on"
        )
        return [_refused(caller, one, refusal) for one in wanted]
    # As Kafka: each once, and where there are ids the names beside them are not looked at.
    ids = dict.fromkeys(one.topic_id for one in wanted if one.topic_id != ZERO_UUID)
    if ids:
        each = [MetadataRequestTopic(name=None, topic_id=one) for one in ids]
    else:
        each = list({one.name: one for one in wanted}.values())
    found = []
    for one in each:
        found.append((yield from _topic(caller, request, one)))
        yield
    return found


def _all(caller: Caller, asked: bool) -> Stepped[list[MetadataResponseTopic]]:
    """Those that the user may know of."""
    found = []
    for name in tuple(caller.cluster.topics):
        # Between two steps one may go, or another come in its place.
        topic = caller.cluster.topics.get(name)
        if topic is not None and caller.may_know("topic", name):
            found.append((yield from _described(caller, topic, asked)))
        yield
    return found


def _topic(
    caller: Caller, request: MetadataRequest, wanted: MetadataRequestTopic
) -> Stepped[MetadataResponseTopic]:
    try:
        topic = _found_or_created(caller, wanted, request.allow_auto_topic_creation)
    except RequestRefused as refusal:
        if wanted.name:
            caller.note_unknown(wanted.name)
        return _refused(caller, wanted, refusal)
    return (yield from _described(caller, topic, request.include_topic_authorized_operations))


def _refused(
    caller: Caller, wanted: MetadataRequestTopic, refusal: RequestRefused
) -> MetadataResponseTopic:
    name = wanted.name
    if caller.version < _BY_ID_SINCE:
        name = name or ""
    elif wanted.topic_id != ZERO_UUID:
        name = None
    return MetadataResponseTopic(
        error_code=caller.denied(ApiKey.METADATA, refusal),
        name=name,
        topic_id=wanted.topic_id,
        is_internal=is_internal(name),
        partitions=[],
    )


def _found_or_created(caller: Caller, wanted: MetadataRequestTopic, create: bool) -> Topic:
    cluster = caller.cluster
    name = wanted.name
    if wanted.topic_id != ZERO_UUID:
        # An id decides, whatever the name is: librdkafka sends none, others an empty one.
        return caller.topic(None, wanted.topic_id)
    if name is None:
        raise RequestRefused(ErrorCode.INVALID_REQUEST, "a topic needs a name or an id")
    check_topic_name(name)
    caller.permit("describe", "topic", name)
    topic = cluster.topics.get(name)
    if topic is not None:
        return topic
    # Versions 0 to 3 have no flag: there a name creates the topic, as the schema's default says.
    # The quorum's log is refused as a topic that is not there: only CreateTopics says why.
    if create and caller.options.auto_create_topics and name != CLUSTER_METADATA:
        if not caller.may("create", "cluster"):
            caller.permit("create", "topic", name)
        return cluster.create_topic(name, source=f"auto-create for {caller.name}")
    return cluster.topics.named(name)


def _described(caller: Caller, topic: Topic, asked: bool) -> Stepped[MetadataResponseTopic]:
    return MetadataResponseTopic(
        name=topic.name,
        topic_id=topic.topic_id,
        is_internal=is_internal(topic.name),
        partitions=(
            yield from each(partial(_partition, caller), tuple(topic.logs), at_a_time=LIGHT)
        ),
        topic_authorized_operations=authorized(caller, "topic", topic.name, asked=asked),
    )


def _partition(caller: Caller, log: PartitionLog) -> MetadataResponsePartition:
    replication, stopped = caller.cluster.replication, caller.cluster.nodes.stopped
    leader, replicas = replication.leader(log), replication.replicas(log)
    return MetadataResponsePartition(
        error_code=ErrorCode.LEADER_NOT_AVAILABLE if leader == NOBODY else 0,
        partition_index=log.partition,
        leader_id=leader,
        leader_epoch=log.leader_epoch,
        replica_nodes=replicas,
        isr_nodes=replication.in_sync(log),
        offline_replicas=[node for node in replicas if node in stopped],
    )


def _may_create(request: MetadataRequest) -> bool:
    return bool(request.topics) and request.allow_auto_topic_creation


API = MessageHandler(MetadataRequest, handle, changes=_may_create)
