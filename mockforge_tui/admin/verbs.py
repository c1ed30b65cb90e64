"""The endpoints at work: JSON in, what the brokers say out."""

import asyncio
import os
from collections.abc import Callable, Coroutine, Mapping
from random import Random
from typing import Any, Final

from mockforge_brokers.errors import InvalidInput
from mockforge_brokers.misbehaviour.rules import Rule

from ..advancing import advance
from ..console.commands.snapshots import described
from ..console.expecting import explained
from ..console.journal import newest_lines
from ..console.playing import runner_of
from ..console.rows import record_of
from ..console.session import Session
from ..expectations.checks import CameCheck
from ..expectations.record import Mark
from ..expectations.waiting import Outcome, Waiting
from ..fixtures.expected.model import Came, Expectation
from ..fixtures.native.faults import fault_of, rule_of
from ..fixtures.requests import expectation_of, fixtures_of, messages_of
from ..fixtures.schema import LONGEST
from ..fixtures.templates.scope import Scope
from ..protocols.kafka import lacking
from ..rehearsal import rehearse
from ..runtime import Runtime
from ..units import parse_duration
from .endpoints import LINES
from .recorded import NotThere, Recorded

Answer = tuple[int, Any]
"""Status and JSON value."""
_MOST: Final = 1_000
"""Messages in an answer unless more are asked for."""
_MOST_FAULTS: Final = 1_000


class Verbs:
    """What each endpoint answers. Methods raise InvalidInput and NotThere."""

    def __init__(self, runtime: Runtime, session: Session) -> None:
        self._runtime = runtime
        self._session = session
        self._scope = Scope(Random(), runtime.clock.wall, environ=os.environ)
        self._recorded = Recorded(runtime, session)
        self._added: dict[str, Rule] = {}
        """Faults of programs by number, until they remove them: one may be over before (`for`)."""

    def answering(self, name: str) -> Callable[[Mapping[str, Any]], Coroutine[Any, Any, Answer]]:
        """What answers an endpoint, given its body, query and path in one mapping."""
        line = LINES.get(name)
        if line is None:
            verbs = self if hasattr(self, name) else self._recorded
            found: Callable[[Mapping[str, Any]], Coroutine[Any, Any, Answer]] = getattr(verbs, name)
            return found

        async def table(asked: Mapping[str, Any]) -> Answer:
            result = await self._session.settled(self._session.run(line))
            found = {"items": [*result.records]} if result.columns else result.data
            return 200, found or {"items": []}

        return table

    # Messages ----------------------------------------------------------------------------

    async def verify(self, asked: Mapping[str, Any]) -> Answer:
        return await self._expect({"within": 0, **asked})

    async def wait(self, asked: Mapping[str, Any]) -> Answer:
        return await self._expect(asked)

    async def messages(self, asked: Mapping[str, Any]) -> Answer:
        record = self._runtime.record
        kept = record.last(_number(asked, "limit", 100))
        items = [each.record for each in kept]
        mark = record.mark()
        at = {"newest": int(mark), "mark": mark.text}
        return 200, {"items": items, **at, "kept_since_start": record.on}

    async def publish(self, asked: Mapping[str, Any]) -> Answer:
        self._scope.begin()
        places = [self._runtime.publish(each).place for each in messages_of(asked, self._scope)]
        return 200, {"places": places}

    async def find_messages(self, asked: Mapping[str, Any]) -> Answer:
        given = dict(asked)
        most = _number(given, "limit", _MOST)
        given.pop("limit", None)
        check = self._check(given)
        items = [each.record for each in check.found[:most]]
        return 200, {"items": items, "count": check.count}

    async def count(self, asked: Mapping[str, Any]) -> Answer:
        given = {name: value for name, value in asked.items() if name != "limit"}
        return 200, {"count": self._check(given).count}

    # State -------------------------------------------------------------------------------

    async def reset(self, asked: Mapping[str, Any]) -> Answer:
        self._runtime.reset(asked.get("to"))
        runtime = self._runtime
        return 200, {"status": "ok", "newest": runtime.record.newest, "seed": runtime.seed}

    async def take_snapshot(self, asked: Mapping[str, Any]) -> Answer:
        return 200, described(self._runtime.take_snapshot(asked["name"]))

    async def remove_snapshot(self, asked: Mapping[str, Any]) -> Answer:
        if asked["name"] not in self._runtime.snapshots:
            raise NotThere(f"there is no snapshot {asked['name']}")
        return 200, described(self._runtime.snapshots.remove(asked["name"]))

    async def load(self, asked: Mapping[str, Any]) -> Answer:
        files = asked.get("files")
        if not isinstance(files, dict) or not all(isinstance(text, str) for text in files.values()):
            raise InvalidInput(
                'files: texts by file name are wanted, {"shop.yaml": "mockforge: 1"}'
            )
        seed = _number(asked, "seed", None)
        fixtures = rehearse(fixtures_of(files), self._runtime.config)
        if asked.get("strict") and (problem := lacking(self._runtime.brokers.kafka, fixtures)):
            raise InvalidInput(problem)
        warnings = [str(each) for each in fixtures.warnings]
        if beyond := self._runtime.beyond(fixtures):
            warnings.append(f"kafka: cluster: {beyond}")
        self._runtime.load(fixtures, fixtures.seed if seed is None else seed)
        return 200, {"status": "ok", "seed": self._runtime.seed, "warnings": warnings}

    async def add_fault(self, asked: Mapping[str, Any]) -> Answer:
        rule = self._runtime.faults.add(rule_of(fault_of(asked)))
        self._added[str(rule.id)] = rule
        while len(self._added) > _MOST_FAULTS:
            del self._added[next(iter(self._added))]
        return 200, _fault(rule)

    async def fault(self, asked: Mapping[str, Any]) -> Answer:
        return 200, _fault(self._rule(asked))

    async def remove_fault(self, asked: Mapping[str, Any]) -> Answer:
        rule = self._rule(asked)
        self._runtime.faults.remove(rule.id)
        self._added.pop(str(rule.id), None)
        return 200, _fault(rule)

    async def run_scenario(self, asked: Mapping[str, Any]) -> Answer:
        scenarios = self._runtime.production.engine.fixtures.scenarios
        found = next((each for each in scenarios if each.name == asked["name"]), None)
        if found is None:
            raise NotThere(f"there is no scenario {asked['name']}")
        outcome = await runner_of(self._session, found, lambda step: None).run()
        steps = [
            {"step": step.title, "status": step.status.value, "took": step.took, "text": step.text}
            for step in outcome.steps
        ]
        return 200 if outcome.ok else 406, {
            "name": outcome.name,
            "status": outcome.status.value,
            "took": outcome.took,
            "text": outcome.text,
            "failure": None if outcome.failure is None else outcome.failure.as_json(),
            "steps": steps,
        }

    async def journal(self, asked: Mapping[str, Any]) -> Answer:
        runtime = self._runtime
        count = _number(asked, "limit", 100)
        since = float(asked.get("since", 0))
        return 200, {"lines": newest_lines(runtime.journal, runtime.spine, count, since)}

    async def clock(self, asked: Mapping[str, Any]) -> Answer:
        clock = self._runtime.clock
        return 200, {"wall": clock.wall(), "offset": clock.offset}

    async def advance(self, asked: Mapping[str, Any]) -> Answer:
        await advance(self._runtime.clock, _seconds(asked.get("by"), "by"))
        return await self.clock(asked)

    # Expectations ------------------------------------------------------------------------

    async def _expect(self, asked: Mapping[str, Any]) -> Answer:
        given = dict(asked)
        since = _since(given)
        outcome = await self._outcome(expectation_of(given, self._scope), since)
        answer = {
            "met": outcome.ok,
            "expected": str(outcome.expectation),
            "took": round(outcome.took, 6),
            "messages": [each.record for each in outcome.messages[:_MOST]],
        }
        if outcome.frames:
            answer["frames"] = [record_of(each) for each in outcome.frames[:_MOST]]
        if outcome.failure is None:
            return 200, answer
        failure = explained(self._session, outcome.failure)
        return 406, {**answer, "failure": failure.as_json(), "error": failure.as_text()}

    async def _outcome(self, expectation: Expectation, since: int | None) -> Outcome:
        ended: asyncio.Future[Outcome] = asyncio.get_running_loop().create_future()

        def done(outcome: Outcome) -> None:
            if not ended.done():
                ended.set_result(outcome)

        waiting = Waiting(expectation, self._runtime, done, since)
        try:
            return await ended
        finally:
            waiting.cancel()

    def _check(self, asked: dict[str, Any]) -> CameCheck:
        since = _since(asked)
        expectation = expectation_of({"within": 0, **asked}, self._scope)
        if not isinstance(expectation, Came):
            raise InvalidInput("one of kafka, mqtt and amqp is wanted")
        record = self._runtime.record
        record.start()
        check = CameCheck(expectation, self._runtime, record.begin if since is None else since)
        check.look()
        return check

    def _rule(self, asked: Mapping[str, Any]) -> Rule:
        for rule in self._runtime.faults.rules.values():
            if asked["id"] in (str(rule.id), rule.name):
                return rule
        if asked["id"] in self._added:
            return self._added[asked["id"]]
        raise NotThere(f"there is no fault {asked['id']}")


def _fault(rule: Rule) -> dict[str, Any]:
    return {
        "id": rule.id,
        "name": rule.name,
        "kind": rule.kind,
        "scope": rule.scope,
        "enabled": rule.enabled,
        "hits": rule.hits,
        "seen": rule.seen,
    }


def _since(asked: dict[str, Any]) -> int | None:
    """Takes it out of what is asked: a mark, or a message's number. Raises InvalidInput."""
    value = asked.pop("since", None)
    if isinstance(value, str) and "." in value:
        return Mark.parse(value)
    number: int | None = _number({"since": value}, "since", None)
    return number


def _number(asked: Mapping[str, Any], name: str, default: Any) -> Any:
    value = asked.get(name)
    if value is None:
        return default
    if isinstance(value, str) and value.isdecimal() and len(value) <= 18:
        value = int(value)
    if isinstance(value, bool) or not isinstance(value, int) or value < 0:
        raise InvalidInput(f"{name}: a whole number is wanted, not {value!r}")
    return value


def _seconds(value: Any, name: str) -> float:
    try:
        seconds = parse_duration(value) if isinstance(value, str) else float(value)
    except (TypeError, ValueError):
        raise InvalidInput(f"{name}: a duration is wanted, such as 90s or 90") from None
    if isinstance(value, bool) or not 0 <= seconds <= LONGEST:
        raise InvalidInput(f"{name}: 0 to {LONGEST} seconds, not {seconds:g}")
    return seconds
