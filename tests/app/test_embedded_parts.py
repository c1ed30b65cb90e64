"""What MockForge is made of, without brokers in a thread: the thread, the console, the readings."""

import asyncio
import os
import threading
from collections.abc import Callable
from pathlib import Path

import pytest
from mockforge_brokers.errors import InvalidInput, LocalError

from mockforge_tui.config import Config
from mockforge_tui.embedded.answer import Answer
from mockforge_tui.embedded.console import Console
from mockforge_tui.embedded.reading import Readings
from mockforge_tui.embedded.thread import LoopThread
from mockforge_tui.fixtures.source.problems import FixtureError

from .console.scene import Scene


class Served:
    """Something to serve, which notes what happens to it."""

    def __init__(self, failure: Exception | None = None, *, late: bool = False) -> None:
        self.seen: list[str] = []
        self.failure, self.late = failure, late
        self.thread = LoopThread(self.serve, lambda: self.seen.append("over"))

    async def serve(self, ready: Callable[[], None], ending: asyncio.Event) -> None:
        self.seen.append(threading.current_thread().name)
        if self.failure is not None and not self.late:
            raise self.failure
        ready()
        await ending.wait()
        self.seen.append("ending")
        if self.failure is not None:
            raise self.failure


def test_what_is_called_runs_in_the_loops_thread_from_start_to_stop() -> None:
    served = Served()
    with pytest.raises(LocalError, match="does not run"):
        served.thread.call(len, "abc")
    for _ in range(2):
        served.thread.start(30)
        assert served.thread.call(lambda: threading.current_thread().name) == "mockforge"
        assert served.thread.wait(asyncio.sleep(0, "slept")) == "slept"
        with pytest.raises(ZeroDivisionError):
            served.thread.call(lambda: 1 / 0)
        with pytest.raises(LocalError, match="runs already"):
            served.thread.start(30)
        served.thread.stop()
        served.thread.stop()
    assert served.seen == ["mockforge", "ending", "over"] * 2


def test_what_fails_at_the_start_is_raised_by_the_start_and_it_may_be_tried_again() -> None:
    served = Served(InvalidInput("no port"))
    for _ in range(2):
        with pytest.raises(InvalidInput, match="no port"):
            served.thread.start(30)
    assert served.seen == ["mockforge", "over"] * 2
    with pytest.raises(LocalError, match="does not run"):
        served.thread.wait(asyncio.sleep(0))


def test_what_fails_at_the_end_is_raised_by_the_end() -> None:
    served = Served(InvalidInput("disk full"), late=True)
    served.thread.start(30)
    with pytest.raises(InvalidInput, match="disk full"):
        served.thread.stop()


def test_a_start_that_takes_too_long_says_so() -> None:
    async def never(ready: Callable[[], None], ending: asyncio.Event) -> None:
        await ending.wait()

    thread = LoopThread(never, lambda: None)
    with pytest.raises(LocalError, match=r"not ready within 0.01 s"):
        thread.start(0.01)
    thread.stop()


def test_a_start_that_nobody_waits_for_any_more_ends_by_itself() -> None:
    begun, go_on, ended = threading.Event(), threading.Event(), threading.Event()

    async def late(ready: Callable[[], None], ending: asyncio.Event) -> None:
        begun.set()
        go_on.wait()
        ready()
        await ending.wait()

    thread = LoopThread(late, ended.set)
    with pytest.raises(LocalError, match="not ready"):
        thread.start(0.01)
    assert begun.wait(30)
    with pytest.raises(LocalError, match="runs already"):
        thread.start(30)
    go_on.set()
    assert ended.wait(30)


def test_who_waits_for_what_a_stop_cuts_off_learns_that() -> None:
    served = Served()
    served.thread.start(30)
    begun = threading.Event()
    found: list[BaseException] = []

    async def for_ever() -> None:
        begun.set()
        await asyncio.Event().wait()

    def wait() -> None:
        try:
            served.thread.wait(for_ever())
        except BaseException as error:
            found.append(error)

    waiting = threading.Thread(target=wait)
    waiting.start()
    assert begun.wait(30)
    served.thread.stop()
    waiting.join(30)
    assert [type(each) for each in found] == [LocalError]
    assert "stopped meanwhile" in str(found[0])


def test_the_loops_own_thread_is_not_made_to_wait_for_itself() -> None:
    served = Served()
    served.thread.start(30)
    with pytest.raises(LocalError, match="would wait for itself"):
        served.thread.call(lambda: served.thread.call(len, "abc"))
    served.thread.stop()


# The console.


@pytest.fixture(scope="module")
def scene() -> Scene:
    return Scene(busy=False)


def answer(scene: Scene, line: str, within: float = 30) -> Answer:
    console = Console(scene)
    try:
        return asyncio.run(console.answer(line, within))
    finally:
        console.close()


def test_a_line_is_answered_with_text_and_data_and_needs_no_confirmation(scene: Scene) -> None:
    assert "embedded" in answer(scene, "topic add embedded -p 2").text
    assert not Console(scene).streams("topic ls")
    assert Console(scene).streams("tail")
    assert answer(scene, "topic rm embedded").text


def test_a_line_that_is_refused_raises_the_consoles_own_words(scene: Scene) -> None:
    with pytest.raises(InvalidInput, match="nothing is called nowhere"):
        answer(scene, "pub nowhere x")


def test_a_line_that_goes_on_is_ended_after_its_time(scene: Scene) -> None:
    with pytest.raises(LocalError, match=r"tail: not at its end within 0.01 s"):
        answer(scene, "tail", 0.01)


def test_a_scenario_that_is_not_loaded_is_named_with_those_that_are(scene: Scene) -> None:
    with pytest.raises(InvalidInput, match="there is no scenario checkout: none is loaded"):
        asyncio.run(Console(scene).play((), "checkout"))


def test_a_recording_takes_a_filter_and_is_forgotten_at_its_end(scene: Scene) -> None:
    console = Console(scene)
    with pytest.raises(InvalidInput, match="filter: "):
        console.begin_recording("r", "size>>")
    console.begin_recording("r", "proto:mqtt")
    scene.run("pub mqtt:recorded/a one")
    scene.run("pub kafka:orders two")
    content = console.end_recording("r")
    assert b"recorded/a" in content
    assert b"orders" not in content
    assert "r" not in scene.recordings


# Fixtures.

TEXT = "mockforge: 1\nkafka:\n  topics: [a]\n"


def test_files_are_read_once_until_they_change(tmp_path: Path) -> None:
    file, readings, config = tmp_path / "a.yaml", Readings(), Config()
    file.write_text(TEXT)
    first = readings.of([tmp_path], config)
    assert readings.of([tmp_path], config) is first
    assert readings.of([file], config) is not first, "other paths"
    file.write_text(TEXT.replace("[a]", "[a, b]"))
    os.utime(file, ns=(0, 1))
    again = readings.of([tmp_path], config)
    assert [topic.name for topic in again.topics] == ["a", "b"]


def test_a_file_with_errors_is_refused_each_time(tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_text("mockforge: 1\nkafka:\n  topics: {a: {partitions: 0}}\n")
    readings = Readings()
    for _ in range(2):
        with pytest.raises(FixtureError, match="partitions must be 1 or more"):
            readings.of([tmp_path], Config())


def test_data_beside_a_file_is_read_anew_when_it_changes(tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    data, file = tmp_path / "data" / "names.csv", tmp_path / "a.yaml"
    data.write_text("name\nAda\n")
    file.write_text(
        "mockforge: 1\ndatasets: {names: {file: data/names.csv}}\n"
        "generators: [{id: g, to: {mqtt: t}, value: \"{{dataset 'names'}}\"}]\n"
    )
    readings = Readings()
    first = readings.of([file], Config())
    assert first.assets == (str(data),)
    assert readings.of([file], Config()) is first
    data.write_text("name\nGrace Hopper\n")
    assert readings.of([file], Config()) is not first


def test_no_more_files_are_kept_than_a_suite_has(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("mockforge_tui.embedded.reading._MOST", 3)
    readings, config = Readings(), Config()
    files = [tmp_path / f"{number}.yaml" for number in range(5)]
    for file in files:
        file.write_text(TEXT)
    read = [readings.of([file], config) for file in files]
    assert readings.of([files[4]], config) is read[4]
    assert readings.of([files[0]], config) is not read[0]
