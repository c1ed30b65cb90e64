"""Metadata 0-13: brokers, topics and partitions (KIP-204, KIP-430, KIP-516).

Topics that are asked for by name come into being here, when client and options allow it.
"""

from ...errors import RequestRefused
from ..codes import ApiKey, ErrorCode
from ..state.topic import Topic
from ..wire.messages.cluster import (
    MetadataRequest,
    MetadataRequestTopic,
    MetadataResponse,
    MetadataResponseBroker,
    MetadataResponsePartition,
    MetadataResponseTopic,
)
from ..wire.schema import ZERO_UUID
from .authorized import NOT_ASKED, ON_CLUSTER, ON_TOPIC
from .caller import Caller


def handle(caller: Caller, request: MetadataRequest) -> MetadataResponse:
    node = caller.options.broker_id
    operations = ON_TOPIC if request.include_topic_authorized_operations else NOT_ASKED
    return MetadataResponse(
        brokers=[MetadataResponseBroker(node_id=node, host=caller.host, port=caller.port)],
        cluster_id=caller.cluster.cluster_id,
        controller_id=node,
        topics=_topics(caller, request, operations),
        cluster_authorized_operations=(
            ON_CLUSTER if request.include_cluster_authorized_operations else NOT_ASKED
        ),
    )


def _topics(
    caller: Caller, request: MetadataRequest, operations: int
) -> list[MetadataResponseTopic]:
    wanted = request.topics
    # Version 0 cannot say null: there an empty list asks for all topics.
    if wanted is None or (caller.version == 0 and not wanted):
        topics = caller.cluster.topics.values()
        return [_described(caller, topic, operations) for topic in topics]
    return [_topic(caller, request, one, operations) for one in wanted]


def _topic(
    caller: Caller, request: MetadataRequest, wanted: MetadataRequestTopic, operations: int
) -> MetadataResponseTopic:
    try:
        topic = _found_or_created(caller, wanted, request.allow_auto_topic_creation)
    except RequestRefused as refusal:
        return MetadataResponseTopic(
            error_code=caller.denied(ApiKey.METADATA, refusal),
            name=wanted.name if wanted.name is not None or caller.version >= 12 else "",
            topic_id=wanted.topic_id,
            partitions=[],
        )
    return _described(caller, topic, operations)


def _found_or_created(caller: Caller, wanted: MetadataRequestTopic, create: bool) -> Topic:
    cluster = caller.cluster
    name = wanted.name
    if name is None:
        if wanted.topic_id == ZERO_UUID:
            raise RequestRefused(ErrorCode.INVALID_REQUEST, "a topic needs a name or an id")
        return cluster.topic_by_id(wanted.topic_id)
    topic = cluster.topics.get(name)
    if topic is not None:
        return topic
    # Versions 0 to 3 have no flag: there a name creates the topic, as the schema's default says.
    if create and caller.options.auto_create_topics:
        return cluster.create_topic(name, source=f"auto-create for {caller.name}")
    return cluster.topic(name)


def _described(caller: Caller, topic: Topic, operations: int) -> MetadataResponseTopic:
    nodes = [caller.options.broker_id]
    return MetadataResponseTopic(
        name=topic.name,
        topic_id=topic.topic_id,
        partitions=[
            MetadataResponsePartition(
                partition_index=log.partition,
                leader_id=nodes[0],
                leader_epoch=log.leader_epoch,
                replica_nodes=nodes,
                isr_nodes=nodes,
            )
            for log in topic.logs
        ],
        topic_authorized_operations=operations,
    )
