"""Scenarios read from files and run on real brokers, on a manual clock."""

import asyncio
from pathlib import Path

import pytest

from app.console.scene import Scene
from mockforge_tui.fixtures.loader import load, read
from mockforge_tui.fixtures.model import FixtureSet
from mockforge_tui.scenarios.junit import junit
from mockforge_tui.scenarios.outcome import ScenarioOutcome, Status, StepOutcome
from mockforge_tui.scenarios.runner import Runner

HEAD = "mockforge: 1\nname: shop\n"
REACTION = """
reactions:
  - id: pay
    when: {kafka: orders.created}
    do:
      - sleep: 200ms
      - publish:
          to: {kafka: payments, key: "{{in.key}}"}
          value: {status: success, payment_id: "p-{{in.key}}"}
"""


def fixtures_of(tmp_path: Path, text: str) -> FixtureSet:
    path = tmp_path / "shop.yaml"
    path.write_text(HEAD + text)
    return load([path])


class Play:
    """One scenario on a scene; its time moves as long as it runs."""

    def __init__(self, fixtures: FixtureSet) -> None:
        self.scene = Scene(furnished=False)
        self.scene.production.load(fixtures, start=False)
        self.reported: list[StepOutcome] = []
        self.records: list[int] = []
        """How many each console line showed."""
        self.runner = Runner(
            fixtures.scenarios[0],
            self.scene,
            command=self._command,
            report=self.reported.append,
        )

    async def _command(self, line: str) -> None:
        self.records.append(len(self.scene.run(line).records))

    async def _run(self, stop_after: float | None) -> ScenarioOutcome:
        task = asyncio.ensure_future(self.runner.run())
        passed = 0.0
        while not task.done():
            await asyncio.sleep(0)
            self.scene.advance(0.01)
            passed += 0.01
            if stop_after is not None and passed > stop_after:
                task.cancel()
        return await task

    def run(self, stop_after: float | None = None) -> ScenarioOutcome:
        return asyncio.run(self._run(stop_after))


def play(tmp_path: Path, text: str) -> ScenarioOutcome:
    return Play(fixtures_of(tmp_path, text)).run()


def test_a_happy_order_passes_step_by_step(tmp_path: Path) -> None:
    outcome = play(
        tmp_path,
        REACTION
        + """
scenarios:
  - name: happy
    timeout: 20s
    steps:
      - publish: {to: {kafka: orders.created, key: o-1}, value: {order_id: o-1}}
      - expect: {kafka: payments, match: {key: o-1, value: {status: success}}, count: 1,
                 within: 5s, save: {pid: value.payment_id}}
      - publish: {to: {mqtt: "paid/{{pid}}"}, value: done}
      - expect: {mqtt: paid/p-o-1}
      - expect: {none: {kafka: dlq}, within: 1s}
""",
    )
    assert outcome.status is Status.PASSED, outcome.text
    assert [step.status for step in outcome.steps] == [Status.PASSED] * 5
    assert outcome.took == pytest.approx(1.2, abs=0.1)


def test_templates_of_a_match_see_what_was_captured(tmp_path: Path) -> None:
    outcome = play(
        tmp_path,
        REACTION
        + """
scenarios:
  - name: captured
    steps:
      - capture: {id: "{{uuid}}"}
      - publish: {to: {kafka: orders.created, key: "{{id}}"}, value: {order_id: "{{id}}"}}
      - expect: {kafka: payments, match: {key: "{{id}}", value: {payment_id: "p-{{id}}"}}}
""",
    )
    assert outcome.ok, outcome.text


def test_an_unmet_expectation_ends_it_with_all_there_is_to_say(tmp_path: Path) -> None:
    outcome = play(
        tmp_path,
        """
scenarios:
  - name: unhappy
    steps:
      - publish: {to: {kafka: payments, key: o-2}, value: {status: failed}}
      - name: the payment succeeds
        expect: {kafka: payments, match: {value: {status: success}}, within: 2s}
      - publish: {to: {kafka: never}, value: 1}
""",
    )
    assert outcome.status is Status.FAILED
    assert [step.title for step in outcome.steps] == [
        "publish to kafka:payments",
        "the payment succeeds",
    ]
    assert outcome.failure is not None
    assert outcome.failure.nearest is not None
    assert 'value.status: - "success"' in outcome.text
    assert outcome.steps[-1].position.line == 8


def test_only_what_came_since_it_began_counts(tmp_path: Path) -> None:
    playing = Play(
        fixtures_of(
            tmp_path,
            "scenarios: [{name: fresh, steps: [{expect: {none: {kafka: orders}, within: 10ms}}]}]",
        )
    )
    playing.scene.run("pub kafka:orders 1")
    assert playing.run().ok


def test_reset_empties_the_brokers_first(tmp_path: Path) -> None:
    playing = Play(
        fixtures_of(
            tmp_path,
            "scenarios: [{name: x, reset: true, steps: [{run: queue ls}]}]",
        )
    )
    playing.scene.run("queue add q")
    assert playing.run().ok
    assert playing.scene.run("queue ls").records == []


def test_its_time_out_ends_what_is_under_way(tmp_path: Path) -> None:
    outcome = play(
        tmp_path,
        "scenarios: [{name: slow, timeout: 1s, steps: [{sleep: 1h}, {run: topic ls}]}]",
    )
    assert outcome.status is Status.TIMED_OUT
    assert outcome.text == "not done within its timeout of 1s"
    assert [step.status for step in outcome.steps] == [Status.STOPPED]


def test_a_stopped_one_leaves_no_fault_behind(tmp_path: Path) -> None:
    playing = Play(
        fixtures_of(
            tmp_path,
            """
faults: [{id: slow, where: {kafka: {api: Fetch}}, do: {delay: 200ms}, enabled: false}]
scenarios:
  - name: x
    steps: [{fault: {use: slow}}, {sleep: 1h}]
""",
        )
    )
    outcome = playing.run(stop_after=1)
    assert outcome.status is Status.STOPPED
    assert playing.scene.faults.rules == {}


def test_a_fault_of_the_file_is_used_for_as_long_as_the_step_says(tmp_path: Path) -> None:
    playing = Play(
        fixtures_of(
            tmp_path,
            """
faults: [{id: slow, where: {kafka: {api: Fetch}}, do: {delay: 200ms}, enabled: false}]
scenarios:
  - name: x
    steps: [{fault: {use: slow, for: 2s}}, {sleep: 1s}, {run: fault ls}, {sleep: 2s},
            {run: fault ls}]
""",
        )
    )
    assert playing.run().ok
    assert playing.records == [1, 0]


def test_a_fault_that_never_fired_fails_it(tmp_path: Path) -> None:
    text = """
scenarios:
  - name: x
    steps:
      - fault: {id: nacks, where: {amqp: {exchange: orders}}, do: {refuse: NACK}, times: 2}
"""
    outcome = play(tmp_path, text)
    assert outcome.status is Status.FAILED
    assert outcome.text == "the fault nacks never fired"
    assert play(tmp_path, text.replace("times: 2", "for: 1h")).ok


def test_parallel_branches_run_at_a_time_and_end_with_the_last(tmp_path: Path) -> None:
    outcome = play(
        tmp_path,
        """
scenarios:
  - name: x
    steps:
      - parallel:
          - steps: [{sleep: 1s}, {publish: {to: {kafka: a}, value: 1}}]
          - sleep: 2s
          - expect: {kafka: a, within: 3s}
""",
    )
    assert outcome.ok, outcome.text
    assert outcome.took == pytest.approx(2, abs=0.1)
    assert [step.depth for step in outcome.steps] == [1, 1, 1, 1, 0]


def test_the_first_failing_branch_stops_the_others(tmp_path: Path) -> None:
    outcome = play(
        tmp_path,
        """
scenarios:
  - name: x
    steps: [{parallel: [{sleep: 1h}, {expect: {kafka: a, within: 1s}}]}]
""",
    )
    assert outcome.status is Status.FAILED
    assert outcome.took == pytest.approx(1, abs=0.1)


def test_a_long_way_of_the_clock_leaves_others_their_turns(tmp_path: Path) -> None:
    steps = "[{advance: 2h}, {run: queue ls}]"
    played = Play(fixtures_of(tmp_path, f"scenarios: [{{name: long, steps: {steps}}}]"))
    clock, offsets = played.scene.clock, set[float]()

    def tick() -> None:
        clock.call_later(1, tick)

    async def run() -> ScenarioOutcome:
        task = asyncio.ensure_future(played.runner.run())
        while not task.done():
            await asyncio.sleep(0)
            offsets.add(clock.offset)
            # It has not come to the next step.
            assert clock.offset == 7_200 or not played.records
            played.scene.time.advance(0)
        return await task

    tick()
    assert asyncio.run(run()).ok
    assert any(0 < each < 7_200 for each in offsets)
    assert clock.offset == 7_200


def test_repeat_trigger_advance_and_order(tmp_path: Path) -> None:
    outcome = play(
        tmp_path,
        """
generators: [{id: tick, to: {mqtt: "t/{{sequence}}"}, value: 1}]
scenarios:
  - name: x
    steps:
      - repeat: {times: 3, steps: [{trigger: tick}, {sleep: 100ms}]}
      - advance: 90s
      - expect: {mqtt: t/+, count: 3, settle: 100ms}
      - expect: {order: [{mqtt: t/1}, {mqtt: t/3}]}
      - expect: {lint: clean}
""",
    )
    assert outcome.ok, outcome.text
    assert len([step for step in outcome.steps if step.depth]) == 6


def test_a_step_that_cannot_be_done_is_broken_not_failed(tmp_path: Path) -> None:
    outcome = play(tmp_path, "scenarios: [{name: x, steps: [{expect: {fault: {id: nope}}}]}]")
    assert outcome.status is Status.BROKEN
    assert outcome.text == "there is no fault nope; fault ls lists them"


@pytest.mark.parametrize(
    ("steps", "problem"),
    [
        ("[]", "has no steps"),
        ("[{wait: 1s}]", "a step does one of publish, expect"),
        ("[{sleep: 1s, advance: 2s}]", "not sleep and advance"),
        ("[{sleep: soon}]", "sleep: 'soon' is not a duration"),
        ("[{trigger: tack}]", 'there is no generator "tack", did you mean "tick"?'),
        ("[{fault: {use: slw}}]", 'there is no fault "slw"'),
        ("[{expect: {kafka: a, mqtt: b}}]", "needs exactly one of kafka, mqtt"),
        ("[{expect: {kafka: a, count: 1, least: 1}}]", '"count" is exact'),
        ("[{expect: {kafka: a, macth: {key: x}}}]", '"macth" is not known, did you mean "match"?'),
        ("[{expect: {kafka: a, match: {value: {gt: 1, x: 2}}}}]", "cannot stand beside"),
        ("[{expect: {kafka: a, match: {key: '{{pid}}'}}}]", "pid"),
        ("[{expect: {mqtt: 'a/#/b'}}]", "is no topic filter"),
        ("[{expect: {none: {kafka: a}, count: 1}}]", '"count" is not known'),
        ("[{expect: {group: {topic: a}}}]", '"id" is missing'),
        ("[{expect: {lint: dirty}}]", "lint is clean"),
        ("[{replay: {file: x}}]", "replay: file "),
        ("[{repeat: {times: 0, steps: [{sleep: 1s}]}}]", "times must be 1 to 1000000, not 0"),
        ("[{parallel: {sleep: 1s}}]", "parallel is a list"),
        ("[{publish: {to: {kafka: a}}}]", '"value" is missing'),
    ],
)
def test_what_is_wrong_in_a_file_is_named_with_its_place(
    tmp_path: Path, steps: str, problem: str
) -> None:
    path = tmp_path / "shop.yaml"
    path.write_text(
        f"{HEAD}generators: [{{id: tick, to: {{mqtt: a}}, value: 1}}]\n"
        f"scenarios:\n  - name: x\n    steps: {steps}\n"
    )
    _, problems = read([path])
    shown = [str(each) for each in problems.errors]
    assert any(problem in each for each in shown), shown
    assert all("shop.yaml:" in each for each in shown)


def test_two_of_one_name_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "shop.yaml"
    one = "{name: x, steps: [{sleep: 1s}]}"
    path.write_text(f"{HEAD}scenarios: [{one}, {one}]\n")
    _, problems = read([path])
    assert "is there already, at" in str(problems.errors[0])


@pytest.mark.parametrize(
    "step",
    [
        "repeat: {times: 1000000, steps: [{publish: {to: {mqtt: a}, value: 1}}]}",
        "trigger: {id: tick, times: 1000000}",
    ],
    ids=["repeat", "trigger"],
)
def test_what_takes_no_time_leaves_others_their_turn(tmp_path: Path, step: str) -> None:
    text = "generators: [{id: tick, to: {mqtt: a}, value: 1}]\n"
    text += f"scenarios: [{{name: long, timeout: 100ms, steps: [{{{step}}}]}}]\n"
    fixtures = fixtures_of(tmp_path, text)
    outcome = Play(fixtures).run()
    assert outcome.status is Status.TIMED_OUT
    assert len(outcome.steps) + outcome.left_out < 100_000


def test_a_report_counts_steps_that_would_be_too_many(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("mockforge_tui.scenarios.runner._MOST_STEPS", 10)
    text = "scenarios: [{name: many, steps: [{repeat: {times: 30, steps: [{advance: 1ms}]}}]}]"
    outcome = Play(fixtures_of(tmp_path, text)).run()
    assert (len(outcome.steps), outcome.left_out) == (10, 21)
    assert "and 21 more that passed" in junit([outcome])
