"""The three brokers on loopback, in a thread of their own, for real client libraries."""

import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, TypeVar

import paho.mqtt.client as paho
import pytest
from mockforge_brokers.environment import Environment
from mockforge_brokers.kafka.records import header_of

from mockforge_tui import MockForge

T = TypeVar("T")

_loop_stop = paho.Client.loop_stop


def _loop_stop_and_close(client: paho.Client) -> Any:
    """paho leaves the sockets by which its thread is woken to the collector. Of a client in a cycle
    that may come to them first, and would charge whatever test runs then with open sockets."""
    code = _loop_stop(client)
    if client._thread is None:
        client._reset_sockets(sockpair_only=True)
    return code


paho.Client.loop_stop = _loop_stop_and_close  # type: ignore[method-assign]


def wait_for(fact: Callable[[], T], seconds: float = 150.0, what: str = "") -> T:
    """The first true value of `fact`; fails when there is none within `seconds`."""
    deadline = time.monotonic() + seconds
    while not (value := fact()):
        assert time.monotonic() < deadline, f"not within {seconds:g} s: {what or fact}"
        time.sleep(0.005)
    return value


def hits(mockforge: MockForge) -> int:
    """How often the faults that are in force fired, all together."""
    return sum(record["hits"] for record in mockforge.run("fault ls").records)


def captured(mockforge: MockForge, where: str, path: Path) -> str:
    """What these clients did, as the text of a test."""
    mockforge.run(f"export ({where}) --as pytest > {path}")
    wait_for(lambda: not mockforge.run("job ls").records)
    return path.read_text(encoding="utf-8")


def replay(text: str, mockforge: MockForge) -> None:
    """Run the test of a captured sequence."""
    names: dict[str, Any] = {}
    exec(compile(text, "test_captured.py", "exec"), names)
    names["test_captured"](mockforge)


@pytest.fixture(scope="module")
def running() -> Iterator[MockForge]:
    """The brokers as they are without options, for the tests of one file."""
    with MockForge() as running:
        yield running


def stored_codecs(mockforge: MockForge, topic: str) -> set[str]:
    """By which codecs the batches of a topic lie in its logs."""

    def look() -> set[str]:
        broker = mockforge.runtime.brokers.kafka
        assert broker is not None
        logs = broker.cluster.topics[topic].logs
        spans = [
            log.read(0, 1 << 30, at_least_one=True, end=log.high_watermark)
            for log in logs
            if log.high_watermark
        ]
        return {
            header_of(bytes(one)).compression.name.lower() for span in spans for one in span.batches
        }

    return mockforge.call(look)


SAME_BROKERS = {"metadata.recovery.strategy": "none"}
"""For a librdkafka that is not idempotent, and of whose records each is counted.

With its last connection all brokers are down to it, and by default it bootstraps anew (KIP-899): it
connects, sends, and ends that connection too, so that what it sends once more may be there already.
"""


class Servers(MockForge):
    """Running brokers, with short words for what tests ask of them most."""

    @property
    def ports(self) -> dict[str, int]:
        return self.runtime.listeners.ports

    @property
    def brokers(self) -> dict[str, Any]:
        return dict(self.runtime.brokers)

    @property
    def environment(self) -> Environment:
        return self.runtime.environment


@pytest.fixture(scope="session")
def servers() -> Iterator[Servers]:
    """The brokers that exist, on free ports, for the whole session."""
    with Servers(seed=1) as running:
        yield running
