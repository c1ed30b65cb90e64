"""Console commands from Python: the same answers from brokers in this process and in another."""

import asyncio
import threading
import time
from collections.abc import Iterator
from typing import Any

import pytest
from mockforge_brokers.errors import InvalidInput, LocalError

from mockforge_tui import MockForge
from mockforge_tui.embedded import ExpectationFailed
from mockforge_tui.embedded.base import Forge
from mockforge_tui.embedded.remote import ProcessForge


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
