"""The console's language in the brokers' own loop: lines to their end, scenarios, recordings."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from mockforge_brokers.errors import InvalidInput

from ..console.expecting import explained
from ..console.playing import runner_of
from ..console.replaying import factor, replay
from ..console.session import Session
from ..filters import FilterError
from .answer import Answer, Heard, unended

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from typing import Literal

    from ..console.jobs import Job
    from ..console.ports import Runtime
    from ..expectations.failure import Failure
    from ..fixtures.messages import Recorded
    from ..fixtures.scenarios import Scenario
    from ..scenarios.outcome import ScenarioOutcome


class Console:
    """One session, which asks nobody before it does what a person would have to confirm."""

    def __init__(self, runtime: Runtime) -> None:
        self._runtime = runtime
        self._session = Session(runtime, files=True)
        self._session.confirms = False

    def close(self) -> None:
        self._session.close()

    def streams(self, line: str) -> bool:
        """Whether this line goes on after its first answer."""
        return self._session.streams(line)

    async def answer(self, line: str, within: float) -> Answer:
        """Raises InvalidInput, ExpectationFailed, and LocalError for what goes on too long."""
        __tracebackhide__ = True
        session, heard = self._session, Heard()
        if not session.streams(line):
            return heard.answer(await session.settled(session.run(line, confirmed=True)))
        result = session.heard_by(heard.report).run(line, confirmed=True)
        job = session.jobs.of(result)
        if job is not None:
            ended = asyncio.Event()
            job.on_stop.append(ended.set)
            try:
                await asyncio.wait_for(ended.wait(), within)
            except TimeoutError:
                session.jobs.stop(job)
                raise unended(line, within) from None
            result = job.result(result)
        return heard.answer(result)

    async def play(self, scenarios: Sequence[Scenario], name: str) -> ScenarioOutcome:
        """Run the scenario of this name. Raises InvalidInput, which says which there are."""
        found = next((each for each in scenarios if each.name == name), None)
        if found is None:
            known = ", ".join(each.name for each in scenarios) or "none is loaded"
            raise InvalidInput(f"there is no scenario {name}: {known}")
        return await runner_of(self._session, found, lambda step: None).run()

    def page(self, failure: Failure) -> str:
        """All there is to say of an expectation that failed, for people."""
        return explained(self._session, failure).as_text()

    def begin_recording(self, name: str, where: str) -> None:
        """Raises InvalidInput for what is no filter."""
        try:
            found = self._session.filter_of(where) if where else None
        except FilterError as error:
            raise InvalidInput(f"filter: {error.text}") from None
        self._runtime.recordings.start(name, where=found)

    def end_recording(self, name: str) -> bytes:
        """End and forget it. Raises InvalidInput where it was too large."""
        recordings = self._runtime.recordings
        recording = recordings[name]
        recordings.remove(recording)
        if recording.problem:
            raise InvalidInput(recording.problem)
        return recording.content()

    def replay(
        self,
        messages: tuple[Recorded, ...],
        speed: float | Literal["max"],
        ended: Callable[[], None],
    ) -> Job:
        """Begin to publish these; `ended` is called once, perhaps before this returns."""
        job = replay(self._session, messages, factor(str(speed)))
        if job.stopped:
            ended()
        else:
            job.on_stop.append(ended)
        return job
