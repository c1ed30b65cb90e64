"""Commands from a pipe."""

import asyncio
import io
import json
import os
from collections.abc import AsyncIterator

import pytest
from mockforge_brokers.errors import InvalidInput

from mockforge_tui.shell import batch
from mockforge_tui.shell.batch import Batch

from ..console.scene import Scene


async def lines_of(*lines: str) -> AsyncIterator[str]:
    for line in lines:
        yield line


def run(*lines: str, as_json: bool = False, scene: Scene | None = None) -> tuple[int, str, str]:
    """Exit status, standard output and standard error of a batch."""
    out, err = io.StringIO(), io.StringIO()

    async def main() -> int:
        batch = Batch((scene or Scene(busy=False, files=True)).session, out, err, as_json=as_json)
        return await asyncio.wait_for(batch.run(lines_of(*lines), asyncio.Event()), 50)

    return asyncio.run(main()), out.getvalue(), err.getvalue()


def test_results_go_to_standard_output() -> None:
    status, out, err = run("# a comment", "", "topic ls orders", "pub kafka:orders 1")
    assert status == 0
    assert out.splitlines()[0].split() == ["broker", "topic", "in", "out", "held", "note"]
    assert out.splitlines()[-1] == "sent to orders p0@7"
    assert err == ""


def test_json_is_one_object_a_line() -> None:
    _, out, _ = run("topic ls orders", "pub kafka:orders 1", as_json=True)
    first, second = map(json.loads, out.splitlines())
    assert first["data"][0]["name"] == "orders"
    assert second == {
        "_command": "pub",
        "_version": 1,
        "ok": True,
        "text": "sent to orders p0@7",
        "data": {"sent": 1, "place": "orders p0@7", "unreached": 0},
    }


def test_the_first_failure_ends_it_and_shows_the_place() -> None:
    scene = Scene(busy=False)
    status, out, err = run("topic ls", "topic show order", "pub kafka:orders 1", scene=scene)
    assert status == 2
    assert scene.sent == []
    assert err.splitlines() == [
        "line 2: no Kafka topic order; did you mean orders?",
        "  topic show order",
        "             ^^^^^",
    ]
    assert "sent" not in out


def test_what_needs_a_yes_is_refused_without_one() -> None:
    status, _, err = run("topic rm orders")
    assert status == 2
    assert "Confirm with -y" in err
    status, _, _ = run("set confirm off", "topic rm orders")
    assert status == 0


def test_quit_sets_the_exit_status() -> None:
    status, _, _ = run("quit --code 7", "nonsense")
    assert status == 7


def test_rows_are_data_and_notes_are_not() -> None:
    status, out, err = run("tail kafka:orders@begin -n 3", as_json=True)
    assert status == 0
    rows = [json.loads(line) for line in out.splitlines()[:3]]
    assert [row["offset"] for row in rows] == [0, 1, 2]
    assert rows[0]["payload"] == '{"id": 1}'
    assert err == ""


def test_hostile_lines_are_harmless_in_errors() -> None:
    _, _, err = run("topic show \x1b]0;owned\x07")
    assert "\x1b" not in err
    assert "\x07" not in err


def test_jobs_are_waited_for_and_a_signal_ends_the_waiting() -> None:
    scene = Scene(busy=False)
    out, err = io.StringIO(), io.StringIO()

    async def main() -> int:
        stop = asyncio.Event()
        batch = Batch(scene.session, out, err, as_json=False)
        running = asyncio.ensure_future(batch.run(lines_of("tail mqtt:a"), stop))
        while not len(scene.session.jobs):
            await asyncio.sleep(0)
        scene.mqtt.publish("a", b"1")
        assert not running.done()
        stop.set()
        return await asyncio.wait_for(running, 50)

    assert asyncio.run(main()) == 0
    assert "M→ a 1" in out.getvalue()


def test_a_line_without_end_is_refused_in_words(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(batch, "_LONGEST", 100)

    async def lines() -> list[str]:
        return [line async for line in batch.standard_input()]

    reading, writing = os.pipe()
    with os.fdopen(reading) as stdin, os.fdopen(writing, "wb") as pipe:
        monkeypatch.setattr("sys.stdin", stdin)
        pipe.write(b"topics\n" + b"a" * 1000)
        pipe.flush()
        with pytest.raises(InvalidInput, match="standard input: a line has 100 bytes at most"):
            asyncio.run(lines())
