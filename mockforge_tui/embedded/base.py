"""What tests get, whether the brokers are in this process or in another."""

from __future__ import annotations

from abc import ABC, abstractmethod
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal
from uuid import uuid4

from .answer import WITHIN, Answer
from .faulting import Faults
from .handles import AmqpHandle, AwaitedHandles, KafkaHandle, MqttHandle
from .verbs import Verbs, refuse_on_a_loop, seconds, wait

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from ..expectations.message import Message
    from ..fixtures.expected.model import Came


class Forge(Verbs, ABC):
    """Running brokers with handles for what tests do."""

    @property
    def kafka(self) -> KafkaHandle:
        return KafkaHandle(self)

    @property
    def mqtt(self) -> MqttHandle:
        return MqttHandle(self)

    @property
    def amqp(self) -> AmqpHandle:
        return AmqpHandle(self)

    @property
    def faults(self) -> Faults:
        """Rules that are in force while a block runs."""
        return Faults(self)

    @property
    def clock(self) -> Clock:
        """The brokers' time."""
        return Clock(self)

    @property
    def aio(self) -> Any:
        """The same, awaited: `await mockforge.aio.kafka.expect(...)` in an async test."""
        return AwaitedHandles(self)

    # What is expected.

    def expect_in_order(
        self, *parts: Came, within: str | float = 5, since: int | None = None
    ) -> list[Message]:
        """Wait for a message for each part, each after the one before, across protocols.

        Parts are `mockforge.kafka.message("orders", key="o-1")` and the like.
        """
        __tracebackhide__ = True
        from ..fixtures.expected.model import InOrder

        return wait(self, InOrder(parts, seconds(within)), since)

    def expect_lint_clean(self, *, warnings: bool = False) -> None:
        """See that no client broke its protocol; `warnings`: nor did what is legal and risky."""
        __tracebackhide__ = True
        from ..fixtures.expected.model import LintClean

        wait(self, LintClean(warnings))

    # Recordings.

    @contextmanager
    def record(self, file: str | Path, where: str = "") -> Iterator[None]:
        """Record the messages that enter while the block runs, into a file of this machine.

        `where` is a filter (`"proto:kafka topic:orders"`). The file is what `replay` and
        `mockforge-tui replay` publish again.
        """
        name = f"record-{uuid4().hex}"
        self.begin_recording(name, where)
        try:
            yield
        finally:
            Path(file).write_bytes(self.end_recording(name))

    def replay(self, file: str | Path, *, speed: float | Literal["max"] = "max") -> int:
        """Publish a recording's messages again, in their order; returns how many when all are.

        `speed` 1 is as it was, 10 ten times as fast. Raises InvalidInput with file and line.
        """
        refuse_on_a_loop(f"mockforge.aio.replay({str(file)!r})")
        text = Path(file).read_text(encoding="utf-8", errors="surrogateescape")
        return self.replay_lines(text, str(file), speed)

    # What each kind does in its own way.

    @abstractmethod
    def begin_recording(self, name: str, where: str) -> None:
        """Raises InvalidInput for what is no filter."""

    @abstractmethod
    def end_recording(self, name: str) -> bytes:
        """End and forget it; returns its lines. Raises InvalidInput where it was too large."""

    @abstractmethod
    def replay_lines(self, text: str, name: str, speed: float | Literal["max"]) -> int: ...

    @abstractmethod
    def run(self, line: str, *, within: str | float = WITHIN) -> Answer:
        """Run one console command, to its end.

        Raises InvalidInput with the console's own words, ExpectationFailed for an `expect`, and
        LocalError where it goes on longer than `within` (a tail without -n).
        """

    @abstractmethod
    def scenario(self, name: str) -> None:
        """Run a scenario of the loaded files. Raises ExpectationFailed unless it passes."""

    @abstractmethod
    def mark(self) -> int:
        """A point in the flow of messages: `since=` it counts only what came later."""

    @abstractmethod
    def snapshot(self, name: str) -> None:
        """Keep what the brokers have now, as they would over a restart. Raises InvalidInput."""

    @abstractmethod
    def reset(self, *, to: str | None = None) -> None:
        """Back to the state right after loading, or to a snapshot; messages count from here."""

    @abstractmethod
    def renew(self, paths: Sequence[Path], seed: int | None = None) -> None:
        """Reset with the fixtures of these files or folders instead. Raises InvalidInput."""

    @abstractmethod
    def journal(self, count: int = 50) -> list[str]:
        """The newest things that happened since the start or the last reset, a line each."""


class Clock:
    """The brokers' time, which only moves forward."""

    def __init__(self, verbs: Verbs) -> None:
        self._verbs = verbs

    def advance(self, duration: str | float) -> None:
        """Move on by `90` or `"90s"` at once: whatever falls due on the way happens now."""
        self._verbs.advance(seconds(duration))

    def now(self) -> float:
        """Wall time in seconds."""
        return self._verbs.now()
