"""Fetch 4-18: records out, at once or when enough came (KIP-74, KIP-227, KIP-320, KIP-516)."""

from __future__ import annotations

from ....errors import RequestRefused
from ....fairness import Stepped
from ...codes import ApiKey
from ...state.purgatory import Parked
from ...wire.messages.logs import FetchRequest, FetchResponse
from ..caller import Caller
from ..handler import MessageHandler, nothing
from .asking import ask, is_follower
from .fetched import Reading, may_go, throttled
from .waiting import Waiting


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


API = MessageHandler(FetchRequest, handle, changes=nothing, things=_partitions)
