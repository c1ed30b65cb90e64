"""Quotas as clients meet them: how long each API lets them wait, and what is read meanwhile.

`python -m tests.brokers.kafka.slowing HOST:PORT` keeps what a new Apache Kafka answers in
`recorded/slowing.json`.
"""

import json
import socket
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, Protocol

from mockforge_brokers.clock import ManualClock
from mockforge_brokers.journal import OUT
from mockforge_brokers.kafka.codes import ApiKey
from mockforge_brokers.kafka.records import Record, build_batch, split_batches
from mockforge_brokers.kafka.wire.frames import decode_response, encode_request
from mockforge_brokers.kafka.wire.messages.cluster import ApiVersionsRequest
from mockforge_brokers.kafka.wire.messages.quotas import (
    AlterClientQuotasRequest,
    AlteredQuota,
    QuotaEntity,
    QuotaOperation,
)
from mockforge_brokers.kafka.wire.schema import Message

from . import asked
from .scene import Scene

RECORDED = Path(__file__).parent / "recorded" / "slowing.json"
TOPIC = "slowing.t"
FREE = "free"
"""The client id that no quota holds."""
_SOON = 0.5
"""Seconds within which Apache Kafka answers what it reads at once."""
_PATIENCE = 10.0
"""Seconds that it has for anything else."""


class Client(Protocol):
    """One connection under one client id."""

    def call(self, message: Message, version: int) -> Any:
        """The answer; None where there is none, or the connection ends."""

    def is_read(self) -> bool:
        """Whether a further request is answered at once."""


Connect = Callable[[str], Client]


class Ticking(ManualClock):
    """Each look at it takes a millisecond: no request takes no time."""

    def now(self) -> float:
        self._now += 0.001
        return self._now


class _OurClient:
    def __init__(self, scene: Scene, client_id: str) -> None:
        self._scene = scene
        self._id = client_id
        self._client = scene.network.connect()

    def call(self, message: Message, version: int) -> Any:
        assert message.api_key is not None
        self._client.send(encode_request(message, version, 1, self._id))
        frames = self._client.connection.splitter(OUT).feed(self._client.take())
        return decode_response(frames[0], message.api_key, version)[1] if frames else None

    def is_read(self) -> bool:
        return not self._client.peer.ended and self.call(ApiVersionsRequest(), 0) is not None


def ours() -> Connect:
    scene = Scene(wall=asked.NOW / 1000, clock=Ticking(asked.NOW / 1000))
    return lambda client_id: _OurClient(scene, client_id)


class _ApachesClient:
    def __init__(self, host: str, port: int, client_id: str) -> None:
        self._id = client_id
        self._socket = socket.create_connection((host, port), timeout=_PATIENCE)

    def call(self, message: Message, version: int) -> Any:
        assert message.api_key is not None
        self._socket.sendall(encode_request(message, version, 1, self._id))
        if getattr(message, "acks", 1) == 0:
            return None
        try:
            frame = self._frame()
        except OSError:
            return None
        return decode_response(frame, message.api_key, version)[1] if frame else None

    def is_read(self) -> bool:
        try:
            self._socket.sendall(encode_request(ApiVersionsRequest(), 0, 1, self._id))
            self._socket.settimeout(_SOON)
            return bool(self._frame())
        except OSError:
            return False
        finally:
            self._socket.settimeout(_PATIENCE)

    def _frame(self) -> bytes:
        found = b""
        while len(found) < 4 or len(found) < 4 + int.from_bytes(found[:4], "big"):
            data = self._socket.recv(1 << 16)
            if not data:
                return b""
            found += data
        return found


# What is asked.


def play(connect: Connect) -> dict[str, Any]:
    free = connect(FREE)
    _limit(free, FREE, producer_byte_rate=1e9, consumer_byte_rate=1e9, request_percentage=1e9)
    asked.furnish(free.call)
    free.call(asked.created(TOPIC, dry=False), 5)
    asked.until(lambda: not _code(free.call(asked.produced(TOPIC, _batch(3100)), 9)))
    for _ in range(2):
        free.call(asked.produced(TOPIC, _batch(3100)), 9)
    # All but that one are limited, and each client id has a measure of its own.
    number = iter(range(100_000))

    def fresh() -> Client:
        # As long each time: its name is a part of what a request weighs.
        return connect(f"client{next(number):05}")

    _limit(free, None, producer_byte_rate=1000.0, consumer_byte_rate=1000.0)
    big = asked.produced("slowing.none", _batch(20_000))
    asked.until(lambda: fresh().call(big, 9).throttle_time_ms > 0)
    said = {**_fetched(fresh), **_produced(fresh)}
    _limit(free, None, producer_byte_rate=None, consumer_byte_rate=None, request_percentage=1e-6)
    asked.until(lambda: fresh().call(ApiVersionsRequest(), 2).throttle_time_ms > 0)
    asked.until(lambda: fresh().call(big, 9).throttle_time_ms < 2000)
    said |= {**_sessions(free, fresh), **_every_api(free, fresh)}
    _limit(free, None, request_percentage=None)
    return said


def _batch(size: int) -> bytes:
    return build_batch([Record(0, asked.NOW, None, b"x" * size)])


def _code(answer: Any) -> int:
    return int(answer.responses[0].partition_responses[0].error_code)


def _limit(client: Client, client_id: str | None, **values: float | None) -> None:
    """Of one client id, or of each other one."""
    wanted = AlteredQuota(
        entity=[QuotaEntity(entity_type="client-id", entity_name=client_id)],
        ops=[
            QuotaOperation(key=key, value=value or 0.0, remove=value is None)
            for key, value in values.items()
        ],
    )
    answer = client.call(AlterClientQuotasRequest(entries=[wanted], validate_only=False), 1)
    assert answer.entries[0].error_code == 0


def _every_api(free: Client, fresh: Callable[[], Client]) -> dict[str, Any]:
    """Of each version how long to wait; of the newest also whether more is read meanwhile."""
    metadata = free.call(asked.cluster.MetadataRequest(topics=None), 12)
    ids = {topic.name: topic.topic_id for topic in metadata.topics}
    said: dict[str, Any] = {}
    for _, key, request in asked.cases():
        title = ApiKey(key).title
        if f"{title} is read" in said:
            continue
        for version in asked.versions(key):
            message = request(version)
            asked.identified(message, ids)
            client = fresh()
            answer = client.call(message, version)
            said[f"{title} v{version}"] = getattr(answer, "throttle_time_ms", None)
        said[f"{title} is read"] = client.is_read()
    return said


def _sessions(free: Client, fresh: Callable[[], Client]) -> dict[str, Any]:
    """Fetches of clients that have used up their time: code, whether in a session, partitions."""
    said = {}

    def ask(what: str, client: Client, session: int, epoch: int, version: int) -> int:
        request = asked.fetched(TOPIC, 0, session_id=session, session_epoch=epoch)
        answer = client.call(request, version)
        found = [len(topic.partitions) for topic in answer.responses]
        given = bool(answer.session_id)
        said[f"{what} v{version}"] = [answer.error_code, given, found, answer.throttle_time_ms]
        return int(answer.session_id)

    for version in (7, 12):
        ask("a fetch without session", fresh(), 0, -1, version)
        ask("a fetch for a session", fresh(), 0, 0, version)
        ask("a fetch in a session that is not there", fresh(), 7, 2, version)
        session = ask("one that is not slow begins a session", free, 0, 0, version)
        ask("a fetch in a session", fresh(), session, 1, version)
        ask("one at an epoch of before", fresh(), session, 1, version)
        ask("one that is not slow goes on", free, session, 2, version)
        ask("a fetch that ends a session", fresh(), session, -1, version)
        ask("a session that has ended", free, session, 3, version)
    return said


def _produced(fresh: Callable[[], Client]) -> dict[str, Any]:
    """Of 1,000 bytes a second; what comes within a window of 10 seconds is free."""
    said = {}
    for acks, size in ((-1, 9_000), (1, 20_000), (-1, 20_001), (0, 20_000), (1, 64_000)):
        client = fresh()
        answer = client.call(asked.produced(TOPIC, _batch(size), acks=acks), 9)
        wait = None if answer is None else answer.throttle_time_ms
        said[f"acks={acks}, {size} bytes"] = [wait, client.is_read()]
    return said


def _fetched(fresh: Callable[[], Client]) -> dict[str, Any]:
    """The same of what is read, here as much as comes within the window."""
    said = {}
    for version in (4, 12):
        client = fresh()
        for time in (1, 2):
            answer = client.call(asked.fetched(TOPIC, 0), version)
            count = sum(
                len(split_batches(bytes(part.records or b"")))
                for topic in answer.responses
                for part in topic.partitions
            )
            said[f"fetch {time} of 9 KB v{version}"] = [count, round(answer.throttle_time_ms, -3)]
        said[f"after it v{version}"] = client.is_read()
    return said


def recorded(said: dict[str, Any]) -> dict[str, Any]:
    """As it stands in a file."""
    found: dict[str, Any] = json.loads(json.dumps(said))
    return found


if __name__ == "__main__":
    host, port = sys.argv[1].rsplit(":", 1)
    told = play(lambda client_id: _ApachesClient(host, int(port), client_id))
    lines = [f"{json.dumps(name)}: {json.dumps(one)}" for name, one in told.items()]
    RECORDED.write_text("{\n" + ",\n".join(lines) + "\n}\n")
