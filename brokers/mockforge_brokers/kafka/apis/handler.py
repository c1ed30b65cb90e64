"""What one API's handler is."""

from __future__ import annotations

from collections.abc import Callable, Generator
from functools import partial
from typing import Any, Protocol, TypeVar

from ...fairness import Steps
from ..codes import ApiKey, VersionRange
from ..state.purgatory import Parked
from ..wire.catalog import RESPONSES
from ..wire.frames import response_pieces
from ..wire.refusals import refused
from ..wire.schema import Message
from .caller import Caller
from .coordinated import misplaced
from .reading import read

T = TypeVar("T")
Stepped = Generator[None, None, T]
"""An answer that is made in steps, a topic or so each."""

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
        request = read(caller, self._request, version, frame, at)
        if caller.cluster.nodes.many and (refusal := misplaced(caller, request)) is not None:
            code = caller.denied(self.api_key, refusal)
            response = refused(request, RESPONSES[self.api_key], version, code, refusal.text)
            return response_pieces(response, version, correlation_id)
        answer = self._handle(caller, request)
        if isinstance(answer, Parked):
            return answer.map(lambda message: response_pieces(message, version, correlation_id))
        return response_pieces(answer, version, correlation_id)


def stepped(
    handle: Callable[[Caller, Any], Stepped[Message]], *, changes: bool = False
) -> Callable[[Caller, Any], Parked[Message]]:
    """For what names thousands of topics: the rest is done when others had their turn.

    The client's next request waits for the answer, as it does behind a long poll. What `changes`
    things is carried out to its end, as Kafka does, also when the client has gone.

    A step is one topic, however many partitions it has, and the whole answer is encoded in one
    turn at the end: of what grows with partitions only the looking is divided.
    """

    def begin(caller: Caller, request: Any) -> Parked[Message]:
        answer: Parked[Message] = Parked()
        environment = caller.environment
        steps = _to_the_end(handle(caller, request), answer, changes)
        if changes:
            # No peer is there any more in whose name the rest could be done.
            answer.on_abandon(partial(environment.chores.later, steps))

        def some() -> None:
            if environment.turn.work(steps):
                environment.chores.soon(partial(caller.peer.work, go_on))

        def go_on() -> None:
            # All of its time is a quota's, and not that of the first steps alone.
            caller.go_on_charged()
            some()
            caller.end_charged()

        some()
        return answer

    return begin


def _to_the_end(steps: Stepped[Message], answer: Parked[Message], changes: bool) -> Steps:
    """Until it is made; what changes nothing only as long as somebody waits for it."""
    while changes or not answer.done:
        try:
            next(steps)
        except StopIteration as end:
            answer.complete(end.value)
            return
        yield
