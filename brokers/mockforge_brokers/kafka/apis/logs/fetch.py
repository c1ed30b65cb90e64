"""Fetch 4-18: records out, at once or when enough came (KIP-74, KIP-227, KIP-320, KIP-516)."""

from __future__ import annotations

from typing import Final

from ....errors import RequestRefused
from ....fairness import Stepped
from ...codes import ApiKey
from ...state.purgatory import Parked
from ...wire.messages.logs import FetchRequest, FetchResponse
from ..caller import Caller
from ..handler import MessageHandler, Pieces, nothing
from .asking import ask, is_follower
from .fetch_path import FetchPath, Learning
from .fetched import Reading, may_go, throttled
from .waiting import Waiting

_LONGEST: Final = 1024
"""Bytes of a request that is learned from."""


class FetchHandler(MessageHandler):
    """It also learns what a connection asks for again and again."""

    __slots__ = ()

    def answer(
        self, caller: Caller, frame: bytes, at: int, correlation_id: int
    ) -> Pieces | Parked[Pieces]:
        answer = super().answer(caller, frame, at, correlation_id)
        if len(frame) <= _LONGEST:
            learning = caller.fetch_learning
            if learning is None:
                caller.fetch_learning = Learning()
            elif learning.is_due(caller.fetch_path):
                caller.fetch_path = FetchPath.learn(caller, frame, at)
        return answer


def handle(caller: Caller, request: FetchRequest) -> Stepped[FetchResponse | Parked[FetchResponse]]:
    try:
        asking = yield from ask(caller, request)
    except RequestRefused as refusal:
        refused = FetchResponse(error_code=caller.denied(ApiKey.FETCH, refusal), responses=[])
        # As Kafka: who is throttled is told so alone, as if it had no session.
        if is_follower(request) or (yield from may_go(caller, refused)):
            return refused
        return throttled(caller)
    reading = yield from Reading.of(asking)
    if reading.answers_now or request.max_wait_ms <= 0:
        return (yield from reading.response())
    return (yield from Waiting(asking, reading).begin(reading))


def _partitions(answer: FetchResponse) -> int:
    return sum([len(topic.partitions) for topic in answer.responses])


API = FetchHandler(FetchRequest, handle, changes=nothing, things=_partitions)
