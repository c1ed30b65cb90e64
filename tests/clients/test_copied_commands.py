"""What `--as cli` writes is run by a shell: the broker then has the same message again."""

import shutil
import subprocess
from collections.abc import Callable, Iterator
from typing import Any
from urllib.parse import urlsplit

import pytest

from mockforge_tui import MockForge

from .conftest import wait_for

pytestmark = pytest.mark.client

LONG = "x" * 140_000
"""No word of a command line is as long."""


@pytest.fixture(scope="module")
def mockforge() -> Iterator[MockForge]:
    with MockForge(amqp_management=True) as running:
        yield running


def needed(program: str) -> None:
    for each in (program, "sh", "xxd"):
        if shutil.which(each) is None:
            pytest.skip(f"no {each} on this machine")


def run(mockforge: MockForge, source: str, tmp_path: Any) -> None:
    path = tmp_path / "again.sh"
    mockforge.run(f"export {source} --as cli > {path}")
    management = mockforge.facts["amqp"]["management"]
    port = urlsplit(management).port
    text = path.read_text().replace("rabbitmqadmin ", f"rabbitmqadmin -P {port} ")
    assert "left out" not in text
    done = subprocess.run(["sh", "-e"], input=text, capture_output=True, text=True, timeout=100)
    assert done.returncode == 0, done.stderr + text[:9000]


def test_kcat_sends_the_same_records(mockforge: MockForge, tmp_path: Any) -> None:
    needed("kcat")
    mockforge.run("topic add t -p 1")
    said = [
        "pub kafka:t \"it's\\na {\" -k 'k 1' -H h=1 -H 'c=d e'",
        'pub kafka:t {"id": 1}',
        "pub kafka:t hex:00ff1e0a -k hex:1f",
        "pub kafka:t hex:1e41",
        "pub kafka:t --null -k gone",
        'pub kafka:t "" -k empty',
        'pub kafka:t v -k ""',
        f"pub kafka:t {LONG * 7}",
        f"pub kafka:t v -k {LONG}",
    ]
    for line in said:
        mockforge.run(line)
    kcat = ["kcat", "-P", "-b", mockforge.facts["kafka"]["bootstrap"], "-t", "t"]
    subprocess.run([*kcat, "-H", "null", "-H", "empty="], input=b"v", check=True, timeout=100)
    said.append("with a header that has no value")
    before = seen(mockforge, "topic read t -n 100")
    assert len(before) == len(said)
    assert before[-1]["headers"] == [["null", None], ["empty", ""]]
    run(mockforge, "kafka:t", tmp_path)
    after = wait_for(lambda: twice(lambda: seen(mockforge, "topic read t -n 100"), len(said)))
    assert after[len(said) :] == before


def test_mosquitto_pub_sends_the_same_messages(mockforge: MockForge, tmp_path: Any) -> None:
    needed("mosquitto_pub")
    for line in (
        "a/b 'it is' -r -q 1",
        "a/c hex:00ff -r",
        "a/d {} -r --prop content_type=x -H k=v",
        f"a/e {LONG} -r",
    ):
        mockforge.run(f"pub mqtt:{line}")
    before = seen(mockforge, "peek mqtt:a/#")
    run(mockforge, "mqtt:a/#", tmp_path)
    # Of QoS 0 it ends before the broker has read what it sent.
    wait_for(lambda: not mockforge.run("conn ls | proto:mqtt").records, what="all is read")
    mockforge.run("retained rm a/#")
    assert seen(mockforge, "peek mqtt:a/#") == []
    subprocess.run(["sh", "-e", str(tmp_path / "again.sh")], check=True, timeout=100)
    after = wait_for(lambda: twice(lambda: seen(mockforge, "peek mqtt:a/#"), 4, times=1))
    assert after == before


def test_rabbitmqadmin_sends_the_same_messages(mockforge: MockForge, tmp_path: Any) -> None:
    needed("rabbitmqadmin")
    mockforge.run("queue add q")
    said = [
        'pub queue:q "it\'s" --prop priority=3 -H h=1',
        "pub queue:q hex:00ff",
        'pub queue:q {"id": 1} --prop content-type=application/json',
        f"pub queue:q {LONG}",
    ]
    for line in said:
        mockforge.run(line)
    before = seen(mockforge, "peek queue:q -n 100")
    run(mockforge, "queue:q", tmp_path)
    after = wait_for(lambda: twice(lambda: seen(mockforge, "peek queue:q -n 100"), len(said)))
    assert after[len(said) :] == before


def seen(mockforge: MockForge, line: str) -> list[dict[str, Any]]:
    """Records without where and when they are."""
    places = ("time", "offset", "timestamp", "client", "connection", "n", "place")
    records = mockforge.run(line).data
    return [{name: each[name] for name in each if name not in places} for each in records]


def twice(
    find: Callable[[], list[dict[str, Any]]], count: int, times: int = 2
) -> list[dict[str, Any]]:
    found = find()
    return found if len(found) >= count * times else []
