"""Runs one scenario: step after step on the brokers' clock, with its captures and faults."""

import asyncio
import os
from collections.abc import Awaitable, Callable, Sequence
from random import Random
from typing import Any, Final, Protocol

from mockforge_brokers.clock import MovableClock, Timer
from mockforge_brokers.errors import BrokerError, InvalidInput
from mockforge_brokers.misbehaviour.rules import Rule

from ..advancing import advance
from ..entrance import make_room
from ..expectations.failure import Failure
from ..expectations.message import Message
from ..expectations.observed import Observed
from ..expectations.waiting import Outcome, Waiting
from ..fixtures.engine import FixtureEngine
from ..fixtures.expected.model import Came, Expectation
from ..fixtures.maker import make
from ..fixtures.messages import Outgoing, Recorded
from ..fixtures.model import Fault
from ..fixtures.native.faults import rule_of
from ..fixtures.recordings import parse_recording
from ..fixtures.scenarios import (
    Advance,
    Capture,
    Command,
    Expect,
    Parallel,
    Pause,
    Placed,
    Publish,
    PutFault,
    RecordTo,
    Repeat,
    Replay,
    ReplayKept,
    Scenario,
    Trigger,
)
from ..fixtures.templates.scope import Scope
from ..recordings import Recording, Recordings
from .outcome import ScenarioOutcome, Status, StepOutcome


class Stage(Observed, Protocol):
    """Where scenarios run; a Runtime is one."""

    @property
    def seed(self) -> int: ...

    @property
    def clock(self) -> MovableClock: ...

    @property
    def production(self) -> Any: ...

    @property
    def recordings(self) -> Recordings: ...

    def publish(self, message: Outgoing) -> object: ...

    def reset(self) -> None: ...


class _Failed(Exception):
    """A step that ends its scenario."""

    def __init__(self, status: Status, text: str, failure: Failure | None = None) -> None:
        super().__init__(text)
        self.status = status
        self.failure = failure


class Unmet(Exception):
    """What a console line expected did not come true."""

    def __init__(self, failure: Failure) -> None:
        super().__init__(failure.as_text())
        self.failure = failure


RunLine = Callable[[str], Awaitable[object]]
"""Runs a console line, to its end where the next one is for after it. Raises BrokerError, Unmet."""

_TURN: Final = 200
"""Steps and messages that take no time before others get their turn: else no timeout would hold."""
_MOST_STEPS: Final = 10_000
"""Steps that passed of which a report tells; those beyond are counted."""


class Runner:
    """One scenario under way on a stage.

    `command` runs console lines, `explain` adds what `why` knows to a failure, and `report` gets
    each step's outcome as it ends.
    """

    def __init__(
        self,
        scenario: Scenario,
        stage: Stage,
        *,
        command: RunLine,
        explain: Callable[[Failure], Failure] = lambda failure: failure,
        report: Callable[[StepOutcome], object] = lambda outcome: None,
    ) -> None:
        self._scenario = scenario
        self._stage = stage
        self._command = command
        self._explain = explain
        self._report = report
        self._scope = Scope(
            Random(f"{stage.seed}/scenario {scenario.name}"),
            stage.clock.wall,
            environ=os.environ,
        )
        self._faults: list[tuple[Placed, Rule]] = []
        self._recordings: list[Recording] = []
        self._began = 0.0
        self._since = 0
        self._at_once = 0
        """What was done since others had their turn."""
        self._outcome = ScenarioOutcome(scenario.name, scenario.position, stage.clock.wall())

    async def run(self) -> ScenarioOutcome:
        """Returns how it went, whatever happened; cancelled, it is stopped."""
        stage, scenario, outcome = self._stage, self._scenario, self._outcome
        self._began = stage.clock.now()
        try:
            if scenario.reset:
                stage.reset()
            stage.record.start()
            self._since = stage.record.mark()
            await self._in_time(self._all())
        except _Failed as failed:
            outcome.status, outcome.text = failed.status, str(failed)
            outcome.failure = failed.failure
        except BrokerError as error:
            # No step is to blame: the brokers could not be reset.
            outcome.status, outcome.text = Status.BROKEN, str(error)
        except asyncio.CancelledError:
            outcome.status, outcome.text = Status.STOPPED, "it was stopped"
        finally:
            for _, rule in self._faults:
                stage.faults.remove(rule.id)
            for recording in self._recordings:
                stage.recordings.stop(recording)
            outcome.took = stage.clock.now() - self._began
        return outcome

    async def _in_time(self, work: Awaitable[None]) -> None:
        """Do it within the scenario's time."""
        running = asyncio.ensure_future(work)
        over = False
        timer: Timer | None = None
        clock, moved = self._stage.clock, self._stage.clock.offset

        def look() -> None:
            nonlocal over, timer
            # Time that was skipped is no time that it took.
            left = self._scenario.timeout - self._now() + clock.offset - moved
            if left > 1e-9:
                timer = clock.call_later(left, look)
            else:
                over = True
                running.cancel()

        look()
        try:
            await running
        except asyncio.CancelledError:
            if not over:
                raise
            text = f"not done within its timeout of {self._scenario.timeout:g}s"
            raise _Failed(Status.TIMED_OUT, text) from None
        finally:
            if timer is not None:
                timer.cancel()
            if not running.done():
                # What is under way reports itself before all is over.
                running.cancel()
                await asyncio.wait({running})

    async def _all(self) -> None:
        await self._steps(self._scenario.steps, 0)
        for placed, rule in self._faults:
            if not rule.hits and rule.lifetime is None:
                text = f"the fault {rule.name or rule.kind} never fired"
                self._end(placed, self._now(), 0, _Failed(Status.FAILED, text))
                raise _Failed(Status.FAILED, text)

    async def _steps(self, steps: Sequence[Placed], depth: int) -> None:
        for placed in steps:
            began = self._now()
            try:
                await self._count()
                await self._do(placed, depth)
            except _Failed as failed:
                self._end(placed, began, depth, failed)
                raise
            except Unmet as unmet:
                failure = _Failed(Status.FAILED, str(unmet), unmet.failure)
                self._end(placed, began, depth, failure)
                raise failure from None
            except BrokerError as error:
                broken = _Failed(Status.BROKEN, str(error))
                self._end(placed, began, depth, broken)
                raise broken from None
            except asyncio.CancelledError:
                self._end(placed, began, depth, _Failed(Status.STOPPED, "was under way"))
                raise
            self._end(placed, began, depth)

    def _now(self) -> float:
        return self._stage.clock.now() - self._began

    def _end(self, placed: Placed, began: float, depth: int, failed: _Failed | None = None) -> None:
        outcome = StepOutcome(
            str(placed),
            placed.position,
            Status.PASSED if failed is None else failed.status,
            began,
            self._now() - began,
            depth,
            "" if failed is None else str(failed),
            None if failed is None else failed.failure,
        )
        if failed is None and len(self._outcome.steps) >= _MOST_STEPS:
            self._outcome.left_out += 1
        else:
            self._outcome.steps.append(outcome)
        self._report(outcome)

    async def _count(self, done: int = 1) -> None:
        """Give others their turn after so much that took no time."""
        self._at_once += done
        if self._at_once >= _TURN:
            self._at_once = 0
            await asyncio.sleep(0)

    # Steps -------------------------------------------------------------------------------

    async def _do(self, placed: Placed, depth: int) -> None:
        match placed.step:
            case Expect(asked):
                self._begin()
                await self._expect(asked(self._scope))
            case Pause(seconds):
                await self._sleep(seconds.pick(self._scope.random))
            case Replay(messages, speed, _):
                await self._replay(messages, speed)
            case ReplayKept(name, speed):
                await self._replay(self._recorded(name), speed)
            case RecordTo():
                await self._record(placed.step, depth)
            case Command(line):
                await self._command(line)
            case Advance(seconds):
                await advance(self._stage.clock, seconds)
            case Parallel() | Repeat() | Trigger():
                await self._several(placed.step, depth)
            case _:
                self._act(placed)

    async def _several(self, step: Parallel | Repeat | Trigger, depth: int) -> None:
        """A step of steps, or of one thing time and again."""
        match step:
            case Parallel(branches):
                await self._parallel(branches, depth)
            case Repeat(times, steps):
                for _ in range(times):
                    await self._steps(steps, depth + 1)
            case Trigger(generator, times):
                for _ in range(times):
                    self._engine.emit(generator)
                    await self._count()

    def _act(self, placed: Placed) -> None:
        """A step that takes no time."""
        stage, scope = self._stage, self._scope
        match placed.step:
            case Publish(body):
                self._begin()
                for message in make(body, scope, "scenario"):
                    stage.publish(message)
            case Capture(names):
                self._begin()
                for name, render in names:
                    scope.names[name] = render(scope)
            case PutFault():
                self._put(placed, placed.step)

    def _begin(self) -> None:
        """Begin a message; what was captured stays."""
        names = self._scope.names
        self._scope.begin()
        self._scope.names = names

    @property
    def _engine(self) -> FixtureEngine:
        engine: FixtureEngine = self._stage.production.engine
        return engine

    async def _expect(self, expectation: Expectation) -> None:
        ended: asyncio.Future[Outcome] = asyncio.get_running_loop().create_future()

        def done(outcome: Outcome) -> None:
            if not ended.done():
                ended.set_result(outcome)

        waiting = Waiting(expectation, self._stage, done, self._since)
        try:
            outcome = await ended
        finally:
            waiting.cancel()
        if outcome.failure is not None:
            failure = self._explain(outcome.failure)
            raise _Failed(Status.FAILED, failure.as_text(), failure)
        if isinstance(expectation, Came) and outcome.messages:
            self._save(expectation, outcome.messages[0])

    def _save(self, expectation: Came, message: Message) -> None:
        for name, path in expectation.save:
            found, value = _at(message.view, path)
            if not found:
                raise InvalidInput(f"save {name}: the message has no {path}: {message.text[:200]}")
            self._scope.names[name] = value

    def _put(self, placed: Placed, step: PutFault) -> None:
        rule = self._rule(step.use) if step.use else None
        if rule is None and step.fault is not None:
            rule = rule_of(step.fault)
        if rule is None:
            raise InvalidInput(f'there is no fault "{step.use}"')
        if step.seconds is not None:
            rule.lifetime = step.seconds
        rule.enabled = True
        self._faults.append((placed, self._stage.faults.add(rule)))

    def _rule(self, name: str) -> Rule | None:
        faults: Sequence[Fault] = self._engine.fixtures.faults
        return next((rule_of(fault) for fault in faults if fault.id == name), None)

    async def _sleep(self, seconds: float) -> None:
        over: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        timer = self._stage.clock.call_later(
            seconds, lambda: None if over.done() else over.set_result(None)
        )
        try:
            await over
        finally:
            timer.cancel()

    async def _record(self, step: RecordTo, depth: int) -> None:
        recordings = self._stage.recordings
        recording = recordings.start(step.name, path=step.path, where=step.where)
        self._recordings.append(recording)
        if step.steps:
            try:
                await self._steps(step.steps, depth + 1)
            finally:
                recordings.stop(recording)
        if recording.problem:
            raise InvalidInput(recording.problem)

    def _recorded(self, name: str) -> Sequence[Recorded]:
        recording = self._stage.recordings.get(name)
        if recording is None:
            known = ", ".join(self._stage.recordings) or "none"
            raise InvalidInput(f"there is no recording {name}; there is {known}")
        content = recording.content().decode("utf-8", "surrogateescape")
        return parse_recording(content, name)

    async def _replay(self, messages: Sequence[Recorded], speed: float) -> None:
        began = self._now()
        make_room(self._stage.brokers, (each.message for each in messages))
        for after, message in messages:
            wait = after / speed - (self._now() - began)
            if wait > 0:
                await self._sleep(wait)
            self._stage.publish(message)
            await self._count()

    async def _parallel(self, branches: Sequence[Sequence[Placed]], depth: int) -> None:
        tasks = [asyncio.ensure_future(self._steps(branch, depth + 1)) for branch in branches]
        try:
            await asyncio.gather(*tasks)
        except BaseException:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            raise


def _at(view: Any, path: str) -> tuple[bool, Any]:
    """The value at `value.lines[0].sku` in a message's view, and whether it is there."""
    for part in path.replace("[", ".").replace("]", "").split("."):
        if isinstance(view, list) and part.isdecimal() and int(part) < len(view):
            view = view[int(part)]
        elif isinstance(view, dict) and part in view:
            view = view[part]
        else:
            return False, None
    return True, view
