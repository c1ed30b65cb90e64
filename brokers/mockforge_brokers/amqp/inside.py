"""Publishers inside the process (prompt, fixtures, HTTP), journaled as if they were connected."""

from collections.abc import Mapping
from typing import Final

from ..environment import Environment
from ..events import INSIDE
from ..journal import IN, Origin, Row, Splitter, Tape
from ..spine import Spine
from .channel.unroutable import Unroutable
from .events import AMQP
from .rows import read_rows
from .wire.frames import method
from .wire.units import UnitSplitter

_NO_QUEUES: Final[Mapping[str, str]] = {}


class _Source:
    """One inside publisher in one virtual host: the `Owner` of a tape that no socket feeds."""

    def __init__(self, name: str, vhost: str, number: int, spine: Spine) -> None:
        self.client = f"{INSIDE}{name}"
        self._origin = Origin(vhost=vhost)
        self.unroutable = Unroutable(spine, number, self.client)
        self.tape: Tape | None = None

    def origin(self) -> Origin:
        return self._origin

    def splitter(self, direction: int) -> Splitter:
        return UnitSplitter()

    def rows(self, direction: int, frame: bytes) -> list[Row]:
        rows = read_rows(direction, frame, _NO_QUEUES)
        for row in rows:
            self.unroutable.mark(row)
        return rows


class Inside:
    """A tape for each source and virtual host, opened when it first publishes there."""

    def __init__(self, environment: Environment) -> None:
        self._environment = environment
        self._sources: dict[tuple[str, str], _Source] = {}

    def published(
        self,
        source: str,
        exchange: str,
        routing_key: str,
        mandatory: bool,
        content: bytes,
        reached: int,
        *,
        vhost: str,
    ) -> None:
        """Journal a publish as the frames that a client would have sent.

        `reached` counts its queues; what reaches none is reported as a client's is.
        """
        found = self._sources.get((source, vhost)) or self._open(source, vhost)
        frame = method(
            1, "basic.publish", exchange=exchange, routing_key=routing_key, mandatory=mandatory
        )
        if reached:
            found.unroutable.routed(frame, content, exchange, routing_key)
        else:
            found.unroutable.add(frame, content, exchange, routing_key, returned=mandatory)
        if found.tape is not None:
            found.tape.add(IN, frame + content)

    def _open(self, source: str, vhost: str) -> _Source:
        environment = self._environment
        number = environment.next_connection()
        found = _Source(source, vhost, number, environment.spine)
        self._sources[source, vhost] = found
        if environment.journal is not None:
            found.tape = environment.journal.open(AMQP, number, found, found)
        return found
