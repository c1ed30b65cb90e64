"""Traffic without brokers: a protocol of length-prefixed JSON, written to tapes of a journal."""

import json
from typing import Any

from mockforge_brokers.clock import ManualClock
from mockforge_brokers.environment import Environment
from mockforge_brokers.errors import ProtocolError
from mockforge_brokers.journal import IN, OUT, Row, Tape
from mockforge_brokers.limits import Limits


class LengthSplitter:
    """Two bytes of length, then so many bytes; a length of 0 breaks the rules."""

    def __init__(self) -> None:
        self._rest = b""

    def feed(self, data: bytes) -> list[bytes]:
        self._rest += data
        frames = []
        while len(self._rest) >= 2:
            size = int.from_bytes(self._rest[:2], "big")
            if not size:
                raise ProtocolError("a frame of no bytes")
            if len(self._rest) < 2 + size:
                break
            frames.append(self._rest[: 2 + size])
            self._rest = self._rest[2 + size :]
        return frames

    @property
    def pending(self) -> int:
        return len(self._rest)

    def take(self) -> bytes:
        rest, self._rest = self._rest, b""
        return rest


class Client:
    """Whose bytes a tape holds; `rows` reads what `frame` wrote."""

    def __init__(self, name: str) -> None:
        self.client = name

    def splitter(self, direction: int) -> LengthSplitter:
        return LengthSplitter()

    def rows(self, direction: int, frame: bytes) -> list[Row]:
        body = frame[2:]
        if body == b"BUG":
            raise RuntimeError("a decoder's bug")
        try:
            said: dict[str, Any] = json.loads(body)
        except ValueError:
            return [Row("", direction, "data", payload=body, size=len(body), kind="message")]
        key = said.get("key")
        payload = said.get("payload")
        return [
            Row(
                "",
                direction,
                said.get("op", "send"),
                kind=said.get("kind", "message"),
                destination=said.get("to", ""),
                key=key.encode() if key is not None else None,
                payload=payload.encode("utf-8", "surrogateescape") if payload is not None else None,
                size=len(payload or ""),
                detail=dict(said.get("detail", {})),
                headers=tuple(said.get("headers", {}).items()),
                error=said.get("error", ""),
            )
        ] * said.get("times", 1)


def frame(body: bytes | None = None, /, **said: Any) -> bytes:
    body = json.dumps(said).encode() if body is None else body
    return len(body).to_bytes(2, "big") + body


class Traffic:
    """A journal, a spine and tapes by client, on a manual clock."""

    def __init__(
        self, limits: Limits | None = None, environment: Environment | None = None
    ) -> None:
        self.clock = ManualClock(wall=1_700_000_000.0)
        self.environment = environment or Environment.create(self.clock, seed=1, limits=limits)
        assert self.environment.journal is not None
        self.journal = self.environment.journal
        self.spine = self.environment.spine
        self._tapes: dict[str, Tape] = {}

    def tape(self, client: str, protocol: str = "mqtt") -> Tape:
        if client not in self._tapes:
            number = self.environment.next_connection()
            self._tapes[client] = self.journal.open(protocol, number, Client(client))
        return self._tapes[client]

    def say(self, client: str, *, protocol: str = "mqtt", direction: int = IN, **said: Any) -> None:
        """One chunk with one frame."""
        self.tape(client, protocol).add(direction, frame(**said))

    def write(self, client: str, data: bytes, tail: int = 0, direction: int = IN) -> None:
        self.tape(client).add(direction, data, tail)


__all__ = ["IN", "OUT", "Client", "LengthSplitter", "Traffic", "frame"]
