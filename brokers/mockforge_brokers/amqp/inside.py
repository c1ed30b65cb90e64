"""Publishers inside the process (prompt, fixtures, HTTP), journaled as if they were connected."""

from collections.abc import Mapping
from typing import Final

from ..environment import Environment
from ..journal import IN, Row, Splitter, Tape
from .rows import read_rows
from .wire.frames import method
from .wire.units import UnitSplitter

AMQP: Final = "amqp"
_NO_QUEUES: Final[Mapping[str, str]] = {}


class _Source:
    """One inside publisher: the `Owner` of a tape that no socket feeds."""

    def __init__(self, name: str) -> None:
        self.client = f"∗{name}"

    def splitter(self, direction: int) -> Splitter:
        return UnitSplitter()

    def rows(self, direction: int, frame: bytes) -> list[Row]:
        return read_rows(direction, frame, _NO_QUEUES)


class Inside:
    """A tape for each source, opened when it first publishes."""

    def __init__(self, environment: Environment) -> None:
        self._environment = environment
        self._tapes: dict[str, Tape] = {}

    def published(
        self, source: str, exchange: str, routing_key: str, mandatory: bool, content: bytes
    ) -> None:
        """Journal a publish as the frames that a client would have sent."""
        journal = self._environment.journal
        if journal is None:
            return
        tape = self._tapes.get(source)
        if tape is None:
            number = self._environment.next_connection()
            tape = self._tapes[source] = journal.open(AMQP, number, _Source(source))
        frame = method(
            1, "basic.publish", exchange=exchange, routing_key=routing_key, mandatory=mandatory
        )
        tape.add(IN, frame + content)
