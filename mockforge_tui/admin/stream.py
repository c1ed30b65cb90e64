"""Rows to an HTTP client as they come: one JSON object a line, chunked, until either side ends."""

import asyncio
import base64
from collections import deque
from typing import Any, Final

from starlette.types import Receive, Scope, Send

from ..console.jobs import Jobs
from ..console.results import Notice, Result, to_json
from .hanging_up import hung_up

MEDIA_TYPE: Final = "application/jsonl"
_MOST_BYTES: Final = 4 * 1024 * 1024
"""Bytes that wait for a reader: beyond that an export pauses, and a tail's rows are counted."""


class Rows:
    """What was reported and not yet sent. A slow reader loses live rows and learns how many."""

    def __init__(self) -> None:
        self._lines: deque[bytes] = deque()
        self._size = 0
        self._left_out = 0
        self._changed = asyncio.Event()

    def report(self, notice: Notice) -> None:
        if notice.kind == "row" and not self.has_room():
            self._left_out += 1
            return
        self._add(_line(notice))

    def has_room(self) -> bool:
        return self._size < _MOST_BYTES

    def wake(self) -> None:
        """Something else that the reader waits for has happened."""
        self._changed.set()

    async def changed(self) -> None:
        await self._changed.wait()
        self._changed.clear()

    def take(self) -> bytes:
        """All that waits; what was left out is reported behind it."""
        if self._left_out:
            text = f"{self._left_out:,} rows were left out: this reader is slow"
            self._left_out = 0
            self._add(_line(Notice("note", text)))
        data = b"".join(self._lines)
        self._lines.clear()
        self._size = 0
        return data

    def _add(self, line: bytes) -> None:
        self._lines.append(line)
        self._size += len(line)
        self._changed.set()


class Stream:
    """The ASGI response to a line that streams; its job ends when the client goes.

    The last line is the result.
    """

    def __init__(self, rows: Rows, result: Result, jobs: Jobs) -> None:
        self._rows = rows
        self._result = result
        self._jobs = jobs
        self._job = jobs.of(result)
        if self._job is not None:
            self._job.on_stop.append(rows.wake)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        headers = [(b"content-type", MEDIA_TYPE.encode()), (b"cache-control", b"no-store")]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        gone = asyncio.ensure_future(hung_up(receive))
        try:
            await self._send_rows(send, gone)
        finally:
            gone.cancel()
            if self._job is not None:
                self._jobs.stop(self._job)

    async def _send_rows(self, send: Send, gone: "asyncio.Future[None]") -> None:
        while not gone.done():
            ended = self._job is None or self._job.stopped
            data = self._rows.take()
            if data:
                # Waits while the client does not read: `has_room` is about what waits here.
                await send({"type": "http.response.body", "body": data, "more_body": True})
            elif ended:
                last = to_json(self._outcome().as_json()).encode() + b"\n"
                await send({"type": "http.response.body", "body": last, "more_body": False})
                return
            else:
                changed = asyncio.ensure_future(self._rows.changed())
                await asyncio.wait({changed, gone}, return_when=asyncio.FIRST_COMPLETED)
                changed.cancel()

    def _outcome(self) -> Result:
        return self._result if self._job is None else self._job.result(self._result)


def _line(notice: Notice) -> bytes:
    """A row is its record with the line for people as `_text`; all else has one such name."""
    match notice.kind:
        case "note" | "problem":
            value: dict[str, Any] = {f"_{notice.kind}": notice.text}
        case _ if notice.content is not None:
            value = _content(notice.content)
        case _:
            value = {**notice.data, "_text": notice.text}
            if notice.formed:
                value["_formed"] = True
    return to_json(value).encode() + b"\n"


def _content(content: bytes) -> dict[str, Any]:
    try:
        return {"_content": content.decode()}
    except UnicodeDecodeError:
        return {"_content_b64": base64.b64encode(content).decode()}
