"""DeleteTopics 1-6: by name, or by id from version 6 on (KIP-516)."""

from collections import Counter
from typing import Final

from ....errors import RequestRefused
from ....fairness import Stepped
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
_BOTH: Final = "The provided topic name maps to an ID that was already supplied."


def handle(caller: Caller, request: DeleteTopicsRequest) -> Stepped[DeleteTopicsResponse]:
    if caller.version >= _BY_ID_SINCE:
        wanted = list(request.topics)
    else:
        wanted = [DeleteTopicState(name=name, topic_id=ZERO_UUID) for name in request.topic_names]
    if not caller.cluster.config.switch("delete.topic.enable"):
        return DeleteTopicsResponse(responses=[_disabled(caller, topic) for topic in wanted])
    times = Counter((topic.name, topic.topic_id) for topic in wanted)
    responses = []
    for (name, topic_id), count in times.items():
        topic = DeleteTopicState(name=name, topic_id=topic_id)
        problem = _problem(topic, count)
        found = caller.cluster.topics.by_id.get(topic_id)
        if not problem and name is None and found is not None:
            # One that is named in both ways is deleted by neither, and answered once.
            if times[found.name, ZERO_UUID] == 1:
                topic.name, problem = found.name, _BOTH
        elif not problem and name is not None:
            found = caller.cluster.topics.get(name)
            by_id = 0 if found is None else times[None, found.topic_id]
            if by_id == 1:
                continue
            if found is not None and by_id:
                topic.topic_id, problem = found.topic_id, _BOTH
        responses.append(_delete(caller, topic, problem))
        yield
    return DeleteTopicsResponse(responses=responses)


def _problem(topic: DeleteTopicState, count: int) -> str:
    """What is wrong with how a request names a topic, in Kafka's words; empty if nothing is."""
    if topic.name is not None and topic.topic_id != ZERO_UUID:
        return "You may not specify both topic name and topic id."
    if topic.name is None and topic.topic_id == ZERO_UUID:
        return "Neither topic name nor id were specified."
    if count > 1:
        return f"Duplicate topic {'id' if topic.name is None else 'name'}."
    return ""


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


def _delete(caller: Caller, wanted: DeleteTopicState, problem: str) -> DeletableTopicResult:
    try:
        if problem:
            raise RequestRefused(ErrorCode.INVALID_REQUEST, problem)
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
    if wanted.name is not None:
        return caller.cluster.topics.named(wanted.name)
    return caller.cluster.topics.with_id(wanted.topic_id)


API = MessageHandler(DeleteTopicsRequest, handle)
