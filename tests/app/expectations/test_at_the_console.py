"""`expect` at the prompt, in a pipe and over HTTP."""

import asyncio
import io
import json
from collections.abc import AsyncIterator

from app.console.scene import Scene
from app.console.test_everywhere import request
from mockforge_tui import remote
from mockforge_tui.exit_codes import ExitCode
from mockforge_tui.shell.batch import Batch


def test_it_goes_on_as_a_job_and_reports_how_it_ended() -> None:
    scene = Scene(furnished=False, interactive=True)
    begun = scene.run("expect kafka:orders --within 2s")
    assert begun.text == "expecting a message to kafka:orders within 2s (job 1)"
    scene.run("pub kafka:orders 1")
    scene.advance(0)
    assert [notice.text for notice in scene.heard] == ["✓ a message to kafka:orders within 2s"]
    assert len(scene.session.jobs) == 0


def test_stopping_its_job_ends_it() -> None:
    scene = Scene(furnished=False, interactive=True)
    scene.run("expect kafka:orders")
    scene.run("job stop 1")
    scene.advance(60)
    assert scene.heard == []


def test_a_failure_has_what_why_knows() -> None:
    scene = Scene(interactive=True)
    scene.run("expect group billing --within 1s")
    scene.advance(1)
    first, *_, last = (notice.text for notice in scene.heard)
    assert first == "expected  group billing at lag 0 within 1s"
    assert last.startswith("try       order-svc has never fetched orders")


def run_lines(scene: Scene, *lines: str) -> tuple[int, str]:
    out, err = io.StringIO(), io.StringIO()

    async def given() -> AsyncIterator[str]:
        for line in lines:
            yield line

    async def main() -> int:
        batch = Batch(scene.session, out, err, as_json=False)
        ran = asyncio.ensure_future(batch.run(given(), asyncio.Event()))
        while not ran.done():
            await asyncio.sleep(0.001)
            scene.advance(0.01)
        return await ran

    return asyncio.run(main()), out.getvalue() + err.getvalue()


def test_in_a_pipe_the_next_line_comes_after_it() -> None:
    scene = Scene(furnished=False)
    status, shown = run_lines(
        scene, "every 100ms: pub kafka:orders 1", "expect kafka:orders -n 3", "job stop 1", "groups"
    )
    assert status == ExitCode.OK
    assert "✓ exactly 3 messages" in shown


def test_in_a_pipe_a_failure_is_status_1() -> None:
    scene = Scene(furnished=False)
    status, shown = run_lines(scene, "expect kafka:orders --within 50ms", "pub kafka:never 1")
    assert status == ExitCode.EXPECTATION_FAILED
    assert shown.splitlines()[0].startswith("line 1: × expected  a message to kafka:orders")
    assert not scene.kafka.has_topic("never")


def test_over_http_the_answer_comes_when_it_ended() -> None:
    scene = Scene(furnished=False)
    line = {"line": "expect kafka:orders --within 1s"}
    status, body = asyncio.run(request(scene, "/commands", line))
    answer = json.loads(body.splitlines()[-1])
    assert status == 200
    assert answer["ok"] is False
    assert answer["failure"]["came"] == {}
    shown = remote.show(body.splitlines(keepends=True), io.BytesIO(), as_json=False)
    assert shown == ExitCode.EXPECTATION_FAILED


def test_reset_forgets_what_came() -> None:
    scene = Scene(furnished=False)
    scene.run("pub kafka:orders 1")
    scene.run("reset -y")
    assert scene.run("expect none kafka:orders --within 0s").text.startswith("✓")
    assert scene.run("topic ls").records == []
