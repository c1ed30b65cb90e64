"""Recordings over HTTP: started, stopped, fetched, brought along, replayed."""

import asyncio
from collections.abc import Mapping
from typing import Any, Final, NamedTuple

from mockforge_brokers.errors import InvalidInput

from ..console.commands.record import described
from ..console.replaying import factor, replay
from ..console.session import Session
from ..filters import FilterError
from ..fixtures.recordings import parse_recording
from ..recordings import Recording
from ..runtime import Runtime

MEDIA_TYPE: Final = "application/jsonl"


class Lines(NamedTuple):
    """An answer that is no JSON value: a recording as it is."""

    content: bytes


class Recorded:
    """What the endpoints below `/recordings` answer. Methods raise InvalidInput and NotThere."""

    def __init__(self, runtime: Runtime, session: Session) -> None:
        self._runtime = runtime
        self._session = session

    async def recordings(self, asked: Mapping[str, Any]) -> tuple[int, Any]:
        found = [described(each) for each in self._runtime.recordings.values()]
        return 200, {"items": found}

    async def start_recording(self, asked: Mapping[str, Any]) -> tuple[int, Any]:
        text = asked.get("filter", "")
        try:
            where = self._session.filter_of(text) if text else None
        except FilterError as error:
            raise InvalidInput(f"filter: {error.text}") from None
        recording = self._runtime.recordings.start(asked.get("name", ""), where=where)
        return 200, described(recording)

    async def stop_recording(self, asked: Mapping[str, Any]) -> tuple[int, Any]:
        recording = self._recording(asked)
        self._runtime.recordings.stop(recording)
        return 200, described(recording)

    async def recording(self, asked: Mapping[str, Any]) -> tuple[int, Any]:
        return 200, Lines(self._recording(asked).content())

    async def bring_recording(self, asked: Mapping[str, Any]) -> tuple[int, Any]:
        content = asked["lines"].encode("utf-8", "surrogatepass")
        # What cannot be replayed is refused now.
        found = parse_recording(content.decode("utf-8", "surrogateescape"), asked["name"])
        recording = self._runtime.recordings.add(asked["name"], content)
        recording.messages, recording.seconds = len(found), found[-1].after
        return 200, described(recording)

    async def remove_recording(self, asked: Mapping[str, Any]) -> tuple[int, Any]:
        recording = self._recording(asked)
        self._runtime.recordings.remove(recording)
        return 200, described(recording)

    async def replay(self, asked: Mapping[str, Any]) -> tuple[int, Any]:
        """Answers when all is published, or at once where `wait` is false."""
        recording = self._recording(asked)
        speed = factor(str(asked.get("speed", "max")))
        content = recording.content().decode("utf-8", "surrogateescape")
        messages = parse_recording(content, recording.name)
        job = replay(self._session, messages, speed)
        if not job.stopped and asked.get("wait", True):
            ended = asyncio.Event()
            job.on_stop.append(ended.set)
            await ended.wait()
        outcome = job.outcome
        if outcome is None:
            return 200, {"messages": len(messages), "published": job.steps, "job": job.id}
        if outcome.problem is not None:
            raise InvalidInput(outcome.problem.text)
        return 200, outcome.data

    def _recording(self, asked: Mapping[str, Any]) -> Recording:
        name = asked["name"]
        try:
            return self._runtime.recordings[name]
        except KeyError:
            raise NotThere(f"there is no recording {name}") from None


class NotThere(Exception):
    """The path names something that does not exist."""
