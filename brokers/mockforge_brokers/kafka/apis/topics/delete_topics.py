"""DeleteTopics 1-6: by name, or by id from version 6 on (KIP-516)."""

from ....errors import RequestRefused
from ...codes import ApiKey, ErrorCode
from ...state.logs.topic import Topic
from ...wire.messages.topics import (
    DeletableTopicResult,
    DeleteTopicsRequest,
    DeleteTopicsResponse,
    DeleteTopicState,
)
from ...wire.schema import ZERO_UUID
from ..caller import Caller
from ..handler import MessageHandler

_BY_ID_SINCE = 6
_DISABLED_SINCE = 3
"""Clients of earlier versions do not know the code (KIP-322)."""
_STRICT_QUOTA_SINCE = 5


def handle(caller: Caller, request: DeleteTopicsRequest) -> DeleteTopicsResponse:
    if caller.version >= _BY_ID_SINCE:
        wanted = list(request.topics)
    else:
        wanted = [DeleteTopicState(name=name, topic_id=ZERO_UUID) for name in request.topic_names]
    if not caller.cluster.config.switch("delete.topic.enable"):
        return DeleteTopicsResponse(responses=[_disabled(caller, topic) for topic in wanted])
    return DeleteTopicsResponse(responses=[_delete(caller, topic) for topic in wanted])


def _disabled(caller: Caller, wanted: DeleteTopicState) -> DeletableTopicResult:
    """Whether it is there or not, and who may delete it, is not even looked at."""
    code = ErrorCode.TOPIC_DELETION_DISABLED
    if caller.version < _DISABLED_SINCE:
        code = ErrorCode.INVALID_REQUEST
    refusal = RequestRefused(code, "Topic deletion is disabled (delete.topic.enable=false)")
    return DeletableTopicResult(
        name=wanted.name,
        topic_id=wanted.topic_id,
        error_code=caller.denied(ApiKey.DELETE_TOPICS, refusal),
    )


def _delete(caller: Caller, wanted: DeleteTopicState) -> DeletableTopicResult:
    try:
        if wanted.name is not None and wanted.topic_id != ZERO_UUID:
            raise RequestRefused(
                ErrorCode.INVALID_REQUEST, "You may not specify both topic name and topic id."
            )
        topic = _topic(caller, wanted)
        caller.mutate(len(topic.logs), strict=caller.version >= _STRICT_QUOTA_SINCE)
        caller.cluster.delete_topic(topic.name, source=caller.name)
    except RequestRefused as refusal:
        return DeletableTopicResult(
            name=wanted.name,
            topic_id=wanted.topic_id,
            error_code=caller.denied(ApiKey.DELETE_TOPICS, refusal),
            error_message=refusal.text,
        )
    return DeletableTopicResult(name=topic.name, topic_id=topic.topic_id)


def _topic(caller: Caller, wanted: DeleteTopicState) -> Topic:
    """The topic, if the user may delete it. Raises RequestRefused."""
    if not caller.may("delete", "cluster"):
        return caller.topic(wanted.name, wanted.topic_id, "delete")
    # As Kafka's controller: who may delete the cluster (by "all" on it) may delete any topic.
    if wanted.name:
        return caller.cluster.topics.named(wanted.name)
    return caller.cluster.topics.with_id(wanted.topic_id)


API = MessageHandler(DeleteTopicsRequest, handle)
