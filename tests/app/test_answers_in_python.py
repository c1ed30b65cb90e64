"""Console commands from Python: the same answers from brokers in this process and in another."""

import asyncio
import os
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from mockforge_brokers.errors import InvalidInput, LocalError

from mockforge_tui import MockForge
from mockforge_tui.embedded import ExpectationFailed, remote
from mockforge_tui.embedded.base import Forge
from mockforge_tui.embedded.remote import ProcessForge, RemoteForge


@pytest.fixture(scope="module", params=[MockForge, ProcessForge])
def mockforge(request: pytest.FixtureRequest) -> Iterator[Any]:
    with request.param(seed=1) as forge:
        for line in (
            "topic add t -p 1",
            "pub kafka:t one",
            "pub kafka:t two",
            "queue add q",
            "pub amqp:/q mail",
            "pub mqtt:home/lamp on -r",
        ):
            forge.run(line)
        yield forge


@pytest.mark.parametrize(
    ("line", "seen"),
    [
        ("topic read t", ["one", "two"]),
        ("peek q", ["mail"]),
        ("peek mqtt:home/#", ["on"]),
        ("topic ls", ["t"]),
        ("help peek", ["without consuming"]),
        ("tail kafka:t --from begin -n 2", ["one", "two"]),
        ("tail kafka:t --from begin -n 1 -f 'value %v'", ["value one"]),
    ],
)
def test_the_text_is_what_a_person_reads(mockforge: Any, line: str, seen: list[str]) -> None:
    answer = mockforge.run(line)
    assert str(answer) == answer.text
    assert all(each in answer.text for each in seen)


def test_streamed_rows_are_records(mockforge: Any) -> None:
    answer = mockforge.run("tail kafka:t --from begin -n 2")
    assert [row["payload"] for row in answer.rows] == ["one", "two"]
    assert answer.records == answer.rows
    assert answer.data == {"shown": 2}


def test_an_export_without_a_file_is_content(mockforge: Any) -> None:
    assert mockforge.run("export queue:q -n 1 --as raw").content == b"mail"
    lines = mockforge.run("export kafka:t").content.splitlines()
    assert [b"one" in lines[0], b"two" in lines[1]] == [True, True]


def test_a_stream_is_waited_for_until_its_end(mockforge: Any) -> None:
    answers: list[Any] = []
    waiting = threading.Thread(target=lambda: answers.append(mockforge.run("tail mqtt:x -n 1")))
    waiting.start()
    while not answers and waiting.is_alive():
        mockforge.run("pub mqtt:x late")
        time.sleep(0.01)
    waiting.join()
    assert answers[0].rows[0]["payload"] == "late"


def test_what_does_not_end_in_time_says_how_to_end_it(mockforge: Any) -> None:
    with pytest.raises(LocalError, match=r"tail mqtt:y: not at its end within 0\.05 s: -n ends"):
        mockforge.run("tail mqtt:y", within="50ms")
    while mockforge.run("jobs").records:
        time.sleep(0.01)


def test_a_command_that_is_not_answered_in_time_is_not_at_its_end() -> None:
    """Whether that instance has begun with it is nothing to whoever waits."""
    waited_for = threading.Event()

    class Slow(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.rfile.read(int(self.headers["content-length"] or 0))
            if self.path.endswith("/commands"):
                waited_for.wait()
                return
            self.send_response(200)
            self.end_headers()
            self.wfile.write(b'{"seed": 1, "wall": 0}')

        do_POST = do_GET

        def log_message(self, *about: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Slow) as server:
        threading.Thread(target=server.serve_forever).start()
        forge = RemoteForge(f"http://127.0.0.1:{server.server_port}")
        try:
            with pytest.raises(LocalError, match=r"topics: not at its end within 0\.05 s"):
                forge.run("topics", within="50ms")
        finally:
            waited_for.set()
            forge.close()
            server.shutdown()


def test_an_expectation_that_is_not_met_fails_as_an_assertion(mockforge: Any) -> None:
    assert "✓" in mockforge.run("expect kafka:t one --within 1s").text
    with pytest.raises(ExpectationFailed, match="nobody"):
        mockforge.run("expect kafka:nobody --within 10ms")


def test_a_mistake_has_the_consoles_words(mockforge: Any) -> None:
    with pytest.raises(InvalidInput, match="nothing is called nope"):
        mockforge.run("peek nope")
    with pytest.raises(InvalidInput, match="frobnicate"):
        mockforge.run("frobnicate")


def test_a_stream_does_not_hold_up_a_running_loop(mockforge: Forge) -> None:
    async def main() -> None:
        with pytest.raises(LocalError, match=r"await mockforge\.aio\.run\('tail kafka:t -n 1'\)"):
            mockforge.run("tail kafka:t -n 1")
        answer = await mockforge.aio.run("tail kafka:t --from begin -n 1")
        assert answer.rows[0]["payload"] == "one"

    asyncio.run(main())


def test_keys_and_headers_that_are_no_text_go_there_and_come_back_whole(mockforge: Any) -> None:
    headers = {"trace": b"\x00\x01\xff", "none": None, "braces": "{{uuid}}"}
    mockforge.kafka.publish("raw", b"\xff\x00", key=b"\xff{{", headers=headers)
    mockforge.kafka.publish("raw", "text", key="{{uuid}}", headers={"a": "b"})
    first, second = mockforge.kafka.messages("raw")
    assert (first.payload, first.key_bytes) == (b"\xff\x00", b"\xff{{")
    pairs = (("trace", b"\x00\x01\xff"), ("none", None), ("braces", b"{{uuid}}"))
    assert first.header_pairs == pairs
    assert (second.key_bytes, second.header_pairs) == (b"{{uuid}}", (("a", b"b"),))
    assert (second.key, second.headers) == ("{{uuid}}", {"a": "b"})


def test_a_fault_that_is_over_still_says_how_often_it_fired(mockforge: Any) -> None:
    with (
        mockforge.faults.mqtt(packet="PUBLISH", drop=True, for_="1s", allow_unused=True) as lapsed,
        mockforge.faults.kafka(api="Produce", drop=True, allow_unused=True) as taken,
    ):
        mockforge.clock.advance("2s")
        mockforge.run("panic")
        assert not mockforge.run("fault ls").records
        assert (lapsed.hits, taken.seen) == (0, 0)
    assert (lapsed.hits, taken.hits) == (0, 0)


def test_a_fault_says_when_and_which_way_in_the_words_of_files(mockforge: Any) -> None:
    said = {"api": "Produce", "partition": 1, "dir": "in", "once": True, "allow_unused": True}
    with mockforge.faults.kafka(refuse="NOT_ENOUGH_REPLICAS", **said):
        [refused] = mockforge.run("fault ls").records
    assert refused["scope"] == "proto:kafka op:Produce partition:1"
    assert refused["value"] == "NOT_ENOUGH_REPLICAS in 1 times"
    with mockforge.faults.mqtt(client="a-*", partition="5s", allow_unused=True):
        [parted] = mockforge.run("fault ls").records
    assert (parted["kind"], parted["scope"]) == ("partition", "proto:mqtt client:a-*")


def test_a_client_is_waited_for_in_its_own_protocol(mockforge: Any) -> None:
    with pytest.raises(ExpectationFailed, match=r"client \* \(kafka\) connected"):
        mockforge.kafka.wait_client("*", within=0)


@pytest.mark.parametrize("number", [0, -1])
def test_no_message_is_nothing_to_expect(mockforge: Any, number: int) -> None:
    for name in ("count", "least"):
        with pytest.raises(InvalidInput, match=f"{name}={number}: 1 or more; expect_none"):
            mockforge.kafka.expect("t", **{name: number})


def test_brokers_in_a_process_write_warnings_that_nobody_reads(tmp_path: Path) -> None:
    # More than a pipe holds.
    line = f"pub mqtt:{'x' * 3000}/+ 1"
    with ProcessForge(log_level="info", limit_connections=50) as forge:
        for _ in range(40):
            forge.run(f"topic add {'x' * 200}{uuid4().hex} -p 1")
            forge.run("topic ls")
            with pytest.raises(InvalidInput):
                forge.run(line)
        assert forge.run("topic ls").records


def test_a_process_without_an_admin_port_is_refused_and_ends() -> None:
    with pytest.raises(InvalidInput, match="admin=True"):
        ProcessForge(admin=False)


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="a file that is never read to its end")
def test_a_process_that_is_never_ready_is_ended_and_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    endless = tmp_path / "f.yaml"
    os.mkfifo(endless)
    monkeypatch.setattr(remote, "_START", 0.2)
    with pytest.raises(LocalError, match=r"not ready within 0\.2 s"):
        ProcessForge(endless)
