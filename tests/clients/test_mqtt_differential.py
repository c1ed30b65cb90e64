"""Mosquitto and we as Mosquitto (`--mqtt-as mosquitto`) answer and deliver alike.

A few scripts, always the same; `python -m tests.differential.mqtt` plays as many as one likes.
"""

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from differential.mqtt import (
    MOSQUITTO,
    RELAXED,
    Client,
    FakeLink,
    Link,
    SocketLink,
    answers_of_mosquitto,
    as_mosquitto,
    compare,
    configured,
    mosquitto_at,
    our_answers,
)
from differential.mqtt_scripts import Step, scripts
from hypothesis import given, settings
from mockforge_brokers.clock import ManualClock
from mockforge_brokers.mqtt.wire.packets import Connect, Publish, Request, Subscribe, Will

pytestmark = [pytest.mark.client, pytest.mark.slow]


@pytest.fixture(scope="module")
def mosquitto(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, int]:
    """Where its settings are, and the port of the one that runs."""
    if MOSQUITTO is None:
        pytest.skip("mosquitto is not installed")
    return configured(tmp_path_factory.mktemp("mosquitto"))


@settings(max_examples=40, derandomize=True, **RELAXED)
@given(steps=scripts)
@pytest.mark.timeout(300)
def test_mosquitto_and_we_answer_and_deliver_alike(
    mosquitto: tuple[Path, int], steps: list[Step]
) -> None:
    compare(answers_of_mosquitto(*mosquitto, steps), our_answers(steps), steps)


def what_time_does(connect: Callable[[], Link], wait: Callable[[float], object]) -> list[Any]:
    """Wills, sessions and messages that are due after one second or not, and silent clients."""

    def come(name: str, version: int = 5, **more: Any) -> Client:
        client = Client(connect(), version)
        clients.append(client)
        more.setdefault("keep_alive", 60)
        client.send(Connect(name, version, **more))
        record.append((name, client.settle()))
        return client

    record: list[Any] = []
    clients: list[Client] = []
    kept, short = {"session_expiry_interval": 100}, {"session_expiry_interval": 1}
    watcher = come("watcher")
    watcher.send(Subscribe(1, [Request("will/#", 0)]))
    record.append(watcher.settle())
    for name, session, delay in (
        ("late", kept, 1), ("never", kept, 100), ("ends", short, 100), ("at once", kept, 0),
    ):  # fmt: skip
        will = Will(f"will/{name}", b"", properties={"will_delay_interval": delay})
        come(name, clean_start=False, will=will, properties=session).link.close()
    taker = come("taker", clean_start=False, properties=kept)
    taker.send(Subscribe(1, [Request("t", 1)]))
    record.append(taker.settle())
    taker.link.close()
    record.append(watcher.settle())
    for payload, life in ((b"over", 1), (b"there", 100), (b"for ever", None)):
        properties = {} if life is None else {"message_expiry_interval": life}
        watcher.send(Publish("t", payload, 1, packet_id=9, properties=properties))
        watcher.send(Publish(f"kept/{life}", payload, retain=True, properties=properties))
    record.append(watcher.settle())
    silent = [come(f"silent {version}", version, keep_alive=1) for version in (3, 4, 5)]
    wait(4)
    record.append(watcher.settle())
    for client in silent:
        while not client.link.receive()[1]:
            """Something came before the end."""
    for name in ("never", "ends", "late"):
        come(name, clean_start=False, properties=kept)
    come("taker", clean_start=False, properties=kept)
    watcher.send(Subscribe(1, [Request("kept/#", 0)]))
    record.append(watcher.settle())
    for client in clients:
        client.link.close()
    return record


@pytest.mark.timeout(100)
def test_mosquitto_and_we_let_the_same_things_expire(
    mosquitto: tuple[Path, int],
) -> None:
    conf, port = mosquitto
    # Mosquitto has no clock but the wall's.
    with mosquitto_at(conf, port):
        theirs = what_time_does(lambda: SocketLink(port), time.sleep)
    clock = ManualClock()
    network = as_mosquitto(clock)
    assert what_time_does(lambda: FakeLink(network), clock.advance) == theirs
