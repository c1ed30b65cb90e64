"""`scenario` at the prompt, in a pipe and over HTTP."""

import asyncio
import json

import pytest
from mockforge_brokers.errors import InvalidInput

from app.console.scene import Scene
from app.console.test_everywhere import in_the_shell, request

WAITS = "{expect: {kafka: orders, within: 1s}}"


async def until_done(scene: Scene) -> None:
    while len(scene.session.jobs):
        await asyncio.sleep(0)
        scene.advance(0.01)


def play(scene: Scene, line: str) -> list[str]:
    async def main() -> None:
        assert (await scene.session.execute(line)).ok
        await until_done(scene)

    asyncio.run(main())
    return [notice.text for notice in scene.heard]


def test_each_step_is_shown_as_it_ends_and_then_the_sum() -> None:
    scene = Scene(furnished=False, interactive=True)
    scene.load_scenarios("one", "two")
    shown = play(scene, "scenario run all")
    assert shown[:2] == ["  ✓ publish to mqtt:a"] * 2
    assert shown[2].startswith("✓ 2 scenarios: 2 passed in ")


def test_a_failure_is_shown_whole() -> None:
    scene = Scene(furnished=False, interactive=True)
    scene.load_scenarios("one", step=WAITS)
    shown = play(scene, "scenario run one")
    assert shown[0].startswith("  × expect {kafka: orders, within: 1s}")
    assert shown[1] == "× expected  a message to kafka:orders within 1s"
    assert any("nobody is connected to Kafka" in each for each in shown)


def test_stopping_its_job_ends_it() -> None:
    scene = Scene(furnished=False, interactive=True)
    scene.load_scenarios("one", step="{sleep: 1h}")

    async def main() -> None:
        await scene.session.execute("scenario run one")
        for _ in range(5):
            await asyncio.sleep(0)
        scene.run("job stop 1")
        for _ in range(5):
            await asyncio.sleep(0)

    asyncio.run(main())
    assert scene.heard[0].text.startswith("  – sleep 3600s")


def test_in_a_pipe_a_failure_is_status_1_and_steps_are_rows() -> None:
    scene = Scene(furnished=False)
    scene.load_scenarios("one", step=WAITS)
    shown, well = in_the_shell(scene, "scenario run one", as_json=True)
    assert not well
    row = json.loads(shown.splitlines()[1])
    assert (row["scenario"], row["status"], row["file"]) == ("one", "failed", "scene.yaml:2:33")


def test_over_http_steps_come_as_rows_and_the_outcome_last() -> None:
    scene = Scene(furnished=False)
    scene.load_scenarios("one")
    status, body = asyncio.run(request(scene, "/commands", {"line": "scenario run one"}))
    row, last = map(json.loads, body.splitlines())
    assert status == 200
    assert row["step"] == "publish to mqtt:a"
    assert last["data"]["passed"] is True


def test_an_unknown_name_names_the_nearest() -> None:
    scene = Scene(furnished=False)
    scene.load_scenarios("happy-order")
    assert "did you mean happy-order?" in scene.session.run("scenario run hapy-order").as_text()
    assert [row["name"] for row in scene.run("scenario ls").records] == ["happy-order"]


@pytest.mark.parametrize(
    ("line", "mark", "text"),
    [
        ("expect kafka:orders --within 1s", "×", "a message to kafka:orders within 1s"),
        ("expect none kafka:orders --within 1s", "✓", ""),
        ("expect kafka:orders --within 1s | name:x", "×", "a filter of rows stands before the |"),
    ],
)
def test_a_line_that_waits_is_waited_for(line: str, mark: str, text: str) -> None:
    scene = Scene(furnished=False, interactive=True)
    scene.load_scenarios("one", step=f"{{run: '{line}'}}")
    shown = play(scene, "scenario run one")
    assert any(each.startswith(f"  {mark} {line}") for each in shown)
    assert text in "\n".join(shown)
    assert len(scene.session.jobs) == 0


def test_a_scenario_that_ends_ends_what_it_waits_for() -> None:
    scene = Scene(furnished=False, interactive=True)
    scene.load_scenarios("one", step="{run: expect kafka:orders --within 1h}")

    async def main() -> None:
        await scene.session.execute("scenario run one")
        for _ in range(5):
            await asyncio.sleep(0)
        assert [job.kind for job in scene.session.jobs] == ["scenario", "expect"]
        scene.run("job stop 1")
        for _ in range(5):
            await asyncio.sleep(0)

    asyncio.run(main())
    assert len(scene.session.jobs) == 0


def test_brokers_that_cannot_be_reset_break_the_scenario(monkeypatch: pytest.MonkeyPatch) -> None:
    scene = Scene(furnished=False, interactive=True)
    scene.load_scenarios("one", reset=True)

    def refuse(to: str | None = None) -> None:
        raise InvalidInput("topic orders: no room")

    monkeypatch.setattr(scene, "reset", refuse)
    shown = play(scene, "scenario run one")
    assert "topic orders: no room" in "\n".join(shown)
    assert not any("0 scenarios" in each for each in shown)
