"""What tests do with running brokers, whether these are in this process or in another."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from concurrent.futures import Future
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, Protocol

from mockforge_brokers.errors import LocalError

if TYPE_CHECKING:
    from ..expectations.message import Message
    from ..fixtures.expected.model import Came, Expectation
    from ..fixtures.messages import Outgoing


class ExpectationFailed(AssertionError):
    """Something expected did not come true; the text is all there is to say of it."""


@dataclass(frozen=True, slots=True)
class Ended:
    """How an expectation ended; `failure` is the page of text for people, empty where it is met."""

    messages: tuple[Message, ...]
    failure: str = ""
    frames: Sequence[Mapping[str, Any]] = ()
    """Of an expectation of frames: each as a record, as `tail` has it."""


@dataclass(frozen=True, slots=True)
class Hits:
    """How often a fault fired, and how many frames matched it."""

    hits: int
    seen: int


class Verbs(Protocol):
    """What handles need; every method may be called from any thread but the brokers' own."""

    facts: dict[str, Any]

    def begin(self, expectation: Expectation, since: int | None) -> Future[Ended]:
        """Wait for an expectation. Raises InvalidInput."""
        ...

    def find(self, came: Came, since: int | None) -> list[Message]:
        """Messages that came so far, oldest first."""
        ...

    def publish(self, message: Outgoing) -> None: ...

    def add_fault(self, fault: Mapping[str, Any]) -> int:
        """Put a fault into force, in the words of fixture files. Raises InvalidInput."""
        ...

    def hits(self, fault: int) -> Hits: ...

    def remove_fault(self, fault: int) -> None: ...

    def advance(self, seconds: float) -> None: ...

    def now(self) -> float:
        """The brokers' wall time."""
        ...


_EXPECT: Final = "mockforge.aio.kafka.expect(...)"


def wait(
    verbs: Verbs, expectation: Expectation, since: int | None = None, instead: str = _EXPECT
) -> list[Message]:
    """The messages that met it. Raises ExpectationFailed, InvalidInput, LocalError."""
    __tracebackhide__ = True
    return list(ended(verbs, expectation, since, instead).messages)


def ended(
    verbs: Verbs, expectation: Expectation, since: int | None = None, instead: str = _EXPECT
) -> Ended:
    """How it ended, met; `instead` is what is awaited where a loop runs.

    Raises ExpectationFailed, InvalidInput, LocalError.
    """
    __tracebackhide__ = True
    refuse_on_a_loop(instead)
    found = verbs.begin(expectation, since).result()
    if found.failure:
        raise ExpectationFailed(found.failure)
    return found


def refuse_on_a_loop(instead: str) -> None:
    """Raise LocalError where an event loop runs in this thread: to wait would hold it up."""
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return
    text = "this waits, and would hold up the event loop that runs here"
    raise LocalError(f"{text}: await {instead}")


def seconds(duration: str | float) -> float:
    """`90`, `"90s"` or `"1h30m"` in seconds. Raises ValueError."""
    if isinstance(duration, str):
        from ..units import parse_duration

        return parse_duration(duration)
    return float(duration)
