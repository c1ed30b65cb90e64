"""Server-sent events: facts of the spine and, where asked for, messages, as they come."""

import asyncio
from collections import deque
from collections.abc import Callable
from typing import Any, Final

from mockforge_brokers.events import Event
from mockforge_brokers.journal import Row
from msgspec.structs import asdict
from starlette.types import Receive, Scope, Send

from ..console.results import to_json
from ..feed.facts import event_row
from ..filters import Filter
from ..runtime import Runtime
from .hanging_up import hung_up

_MOST_BYTES: Final = 1024 * 1024
"""Bytes that wait for a reader; what comes then is left out, counted and reported."""
_BEAT: Final = 15.0
"""Seconds of silence after which a comment keeps the connection open."""


class EventStream:
    """The ASGI response to one reader; `id` is the spine's number of an event.

    A reader that comes back with Last-Event-ID gets what it missed, as far as the spine has it.
    """

    def __init__(
        self, runtime: Runtime, where: Filter, *, messages: bool, after: int | None
    ) -> None:
        self._runtime = runtime
        self._where = where
        self._messages = messages
        self._after = after
        self._waiting: deque[bytes] = deque()
        self._size = 0
        self._lost = 0
        self._changed = asyncio.Event()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        headers = [(b"content-type", b"text/event-stream"), (b"cache-control", b"no-store")]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        gone = asyncio.ensure_future(hung_up(receive))
        stops = self._watch()
        try:
            await self._send(send, gone)
        finally:
            gone.cancel()
            for stop in stops:
                stop()

    def _watch(self) -> list[Callable[[], None]]:
        spine, record = self._runtime.spine, self._runtime.record
        if self._after is not None:
            missed = min(spine.emitted - self._after, len(spine.history))
            first = spine.emitted - missed + 1
            for number, (time, event) in enumerate(
                list(spine.history)[-missed:] if missed > 0 else ()
            ):
                self._see(first + number, time, event)
        wall = self._runtime.clock.wall
        stops = [spine.watch(lambda event: self._see(spine.emitted, wall(), event))]
        if self._messages:
            record.start()
            stops.append(record.watch(self._see_message))
        return stops

    def _see(self, number: int, time: float, event: Event) -> None:
        row = event_row(time, event)
        if row is None or not self._where(row):
            return
        data = {"time": time, **asdict(event), "text": row.detail["text"]}
        self._put(type(event).__name__, data, f"id: {number}\n")

    def _see_message(self) -> None:
        (message,) = self._runtime.record.last(1)
        row: Row = message.row
        if self._where(row):
            self._put("Message", message.record)

    def _put(self, kind: str, data: Any, number: str = "") -> None:
        if self._size >= _MOST_BYTES:
            self._lost += 1
            return
        self._add(f"{number}event: {kind}\ndata: {to_json(data)}\n\n".encode())

    def _add(self, piece: bytes) -> None:
        self._waiting.append(piece)
        self._size += len(piece)
        self._changed.set()

    def _take(self) -> bytes:
        if self._lost:
            lost, self._lost = self._lost, 0
            self._add(f'event: lost\ndata: {{"count": {lost}}}\n\n'.encode())
        data = b"".join(self._waiting)
        self._waiting.clear()
        self._size = 0
        self._changed.clear()
        return data

    async def _send(self, send: Send, gone: "asyncio.Future[None]") -> None:
        # Headers reach a reader with the first bytes only.
        await send({"type": "http.response.body", "body": b": mockforge\n\n", "more_body": True})
        while not gone.done():
            changed = asyncio.ensure_future(self._changed.wait())
            either: set[asyncio.Future[Any]] = {changed, gone}
            await asyncio.wait(either, timeout=_BEAT, return_when=asyncio.FIRST_COMPLETED)
            changed.cancel()
            data = self._take() or b": still here\n\n"
            # Waits while the reader does not read.
            await send({"type": "http.response.body", "body": data, "more_body": True})
