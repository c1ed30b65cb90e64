"""What one API's handler is."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from types import GeneratorType
from typing import Any, Final, Protocol

from ...fairness import Stepped
from ..codes import ApiKey
from ..state.purgatory import Parked
from ..wire.catalog import RESPONSES
from ..wire.frames import response_by_steps, response_pieces
from ..wire.refusals import refused
from ..wire.schema import Message
from .caller import Caller
from .coordinated import misplaced
from .reading import read, read_by_steps
from .stepping import Told, few, told, worked

_LARGE: Final = 8 * 1024
"""Bytes of a request that is read by steps."""
_WIDE: Final = 256
"""Things that an answer which was waited for is about, above which it is encoded by steps."""

Answer = Message | Parked[Any] | Stepped[Message | Parked[Any]]

Pieces = list[bytes]
"""A whole response frame in pieces."""


class Handler(Protocol):
    """Answers the requests of one API."""

    api_key: ApiKey

    def answer(
        self, caller: Caller, frame: bytes, at: int, correlation_id: int
    ) -> Pieces | Parked[Pieces]:
        """The response to the request whose message begins at `at`, now or later.

        No pieces: nobody waits for one. Raises ProtocolError where the bytes are not what the
        specification says.
        """
        ...


def _always(request: Any) -> bool:
    return True


def nothing(request: Any) -> bool:
    """Of an API that changes nothing."""
    return False


def _never_many(answer: Any) -> int:
    return 0


class MessageHandler:
    """A handler that takes and returns decoded messages.

    One that may be about thousands of things is a generator, which yields between them; what it
    returns is encoded by steps, too.
    """

    __slots__ = ("_changes", "_handle", "_request", "_things", "api_key")

    def __init__(
        self,
        request: type[Message],
        handle: Callable[[Caller, Any], Answer],
        *,
        changes: Callable[[Any], bool] = _always,
        things: Callable[[Any], int] = _never_many,
    ) -> None:
        """`changes`: a request of which it is true is carried out for who has gone, as well.

        `things`: how many an answer is about that may be about many, and be waited for.
        """
        assert request.api_key is not None
        self.api_key = request.api_key
        self._request = request
        self._handle = handle
        self._changes = changes
        self._things = things

    def answer(
        self, caller: Caller, frame: bytes, at: int, correlation_id: int
    ) -> Pieces | Parked[Pieces]:
        version = caller.version
        if len(frame) > _LARGE:
            return self._answer_large(caller, frame, at, correlation_id)
        request = read(caller, self._request, version, frame, at)
        # As `_asked`, written out.
        many = caller.cluster.nodes.many
        answer = self._asked(caller, request) if many else self._handle(caller, request)
        if isinstance(answer, GeneratorType):
            rest = told(answer)
            found = few(caller, rest)
            if found is None:
                steps = self._made(caller, rest, version, correlation_id)
                to_the_end = partial(self._changes, request)
                return worked(caller, steps, to_the_end=to_the_end, begun=True)
            answer = found
        if isinstance(answer, Parked):
            return self._encoded(caller, answer, version, correlation_id)
        # mypy does not know that all generators are of one class.
        return response_pieces(answer, version, correlation_id)  # type: ignore[arg-type]

    def _asked(self, caller: Caller, request: Message) -> Answer:
        if caller.cluster.nodes.many and (refusal := misplaced(caller, request)) is not None:
            code = caller.denied(self.api_key, refusal)
            response = RESPONSES[self.api_key]
            return refused(request, response, caller.version, code, refusal.text)
        return self._handle(caller, request)

    def _answer_large(
        self, caller: Caller, frame: bytes, at: int, correlation_id: int
    ) -> Pieces | Parked[Pieces]:
        read: list[Message] = []

        def to_the_end() -> bool:
            # Until it is read it may be one that changes something.
            return self._changes(read[0]) if read else self._changes is not nothing

        steps = self._read_and_answer(caller, frame, at, correlation_id, read)
        return worked(caller, steps, to_the_end=to_the_end)

    def _read_and_answer(
        self, caller: Caller, frame: bytes, at: int, correlation_id: int, read: list[Message]
    ) -> Stepped[Pieces | Parked[Pieces]]:
        """`read` gets the request as soon as there is one."""
        version = caller.version
        request = yield from read_by_steps(caller, self._request, version, frame, at)
        read.append(request)
        answer = self._asked(caller, request)
        rest = told(answer) if isinstance(answer, GeneratorType) else iter((answer,))
        return (yield from self._made(caller, rest, version, correlation_id))  # type: ignore[arg-type]

    def _made(
        self,
        caller: Caller,
        rest: Told[Message | Parked[Message]],
        version: int,
        correlation_id: int,
    ) -> Stepped[Pieces | Parked[Pieces]]:
        answer: Message | Parked[Message] | None = None
        for answer in rest:
            if answer is None:
                yield
        assert answer is not None
        if isinstance(answer, Parked):
            return self._encoded(caller, answer, version, correlation_id)
        return (yield from response_by_steps(answer, version, correlation_id))

    def _encoded(
        self, caller: Caller, answer: Parked[Message], version: int, correlation_id: int
    ) -> Parked[Pieces]:
        """When it comes: what was asked of few things may be an answer about many."""

        def encode(message: Message) -> Pieces | Parked[Pieces]:
            if self._things(message) <= _WIDE:
                return response_pieces(message, version, correlation_id)
            return worked(caller, response_by_steps(message, version, correlation_id))

        return answer.map(encode)
