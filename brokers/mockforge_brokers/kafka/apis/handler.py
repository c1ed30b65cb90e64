"""What one API's handler is."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol

from ..codes import ApiKey, VersionRange
from ..state.purgatory import Parked
from ..wire.catalog import RESPONSES
from ..wire.codec import TooManyItems, decode
from ..wire.frames import response_pieces
from ..wire.refusals import refused
from ..wire.schema import Message
from .caller import Caller
from .coordinated import misplaced

Pieces = list[bytes]
"""A whole response frame in pieces."""


class Handler(Protocol):
    """Answers the requests of one API."""

    api_key: ApiKey
    served: VersionRange
    shown: VersionRange
    """What ApiVersions says: all that is served, but for Produce."""

    def answer(
        self, caller: Caller, frame: bytes, at: int, correlation_id: int
    ) -> Pieces | Parked[Pieces] | None:
        """The response to the request whose message begins at `at`, now or later.

        None: nobody waits for one. Raises ProtocolError where the bytes are not what the
        specification says.
        """
        ...


class MessageHandler:
    """A handler that takes and returns decoded messages."""

    __slots__ = ("_handle", "_request", "api_key", "served", "shown")

    def __init__(
        self,
        request: type[Message],
        handle: Callable[[Caller, Any], Message | Parked[Any]],
    ) -> None:
        assert request.api_key is not None
        self.api_key = request.api_key
        self.served = self.shown = request.versions
        self._request = request
        self._handle = handle

    def answer(
        self, caller: Caller, frame: bytes, at: int, correlation_id: int
    ) -> Pieces | Parked[Pieces] | None:
        version = caller.version
        environment = caller.environment
        try:
            most = environment.limits.kafka_request_items
            request = decode(self._request, version, frame, at, most)
        except TooManyItems:
            environment.usage.count("kafka_request_items")
            raise
        if caller.cluster.nodes.many and (refusal := misplaced(caller, request)) is not None:
            code = caller.denied(self.api_key, refusal)
            response = refused(request, RESPONSES[self.api_key], version, code, refusal.text)
            return response_pieces(response, version, correlation_id)
        answer = self._handle(caller, request)
        if isinstance(answer, Parked):
            return answer.map(lambda message: response_pieces(message, version, correlation_id))
        return response_pieces(answer, version, correlation_id)
