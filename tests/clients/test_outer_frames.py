"""Paho's WebSocket, frame by frame in the journal; a client without one has no such rows."""

import json
from pathlib import Path

import paho.mqtt.client as paho
import pytest

from mockforge_tui.embedded import MockForge

from .conftest import wait_for

pytestmark = [pytest.mark.client]


@pytest.mark.parametrize("transport", ["websockets", "tcp"])
def test_frames_around_paho_packets_are_rows_of_their_own(
    running: MockForge, transport: str, tmp_path: Path
) -> None:
    name = f"outer-{transport}"
    client = paho.Client(paho.CallbackAPIVersion.VERSION2, name, transport=transport)  # type: ignore[arg-type]
    done: list[object] = []
    client.on_connect = lambda *_: client.publish("t", b"x" * 200, 1)
    client.on_publish = lambda *_: done.append(1)
    place = ("mqtt", "ws" if transport == "websockets" else "plain")
    ports = {(each.protocol, each.name): each.port for each in running.runtime.listeners}
    client.connect("127.0.0.1", ports[place])
    client.loop_start()
    wait_for(lambda: done, what="PUBACK")
    client.disconnect()
    client.loop_stop()
    path = tmp_path / "rows.jsonl"
    running.run(f"export (client:{name}) > {path}")
    rows = [json.loads(line) for line in path.read_text().splitlines()]
    outer = [row for row in rows if row["operation"].startswith("ws.")]
    if transport == "tcp":
        assert outer == []
        return
    frames = [(row["direction"], row["operation"], row["size"]) for row in outer]
    # CONNECT with its CONNACK, PUBLISH of 200 bytes with its PUBACK.
    assert ("in", "ws.binary", 14 + len(name)) in frames
    assert ("out", "ws.binary", 4) in frames
    assert ("in", "ws.binary", 208) in frames
    assert {row["masked"] for row in outer if row["direction"] == "in"} == {True}
    capture = tmp_path / "rows.pcapng"
    running.run(f"export (client:{name}) --as pcapng > {capture}")
    assert b"x" * 200 in capture.read_bytes()
