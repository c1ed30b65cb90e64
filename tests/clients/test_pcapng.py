"""What Wireshark's own dissectors say of our captures; skipped where tshark is not installed."""

import shutil
import subprocess
from pathlib import Path

import paho.mqtt.client as paho
import pika
import pytest

from mockforge_tui.embedded import MockForge

from .conftest import wait_for

pytestmark = [pytest.mark.client]

TSHARK = shutil.which("tshark")


def dissected(path: Path, *fields: str, where: str = "") -> list[list[str]]:
    """A line a packet with these fields; damaged ones and wrong checksums are a failure."""
    assert TSHARK is not None
    checks = ["-o", "tcp.check_checksum:TRUE", "-o", "ip.check_checksum:TRUE"]

    def run(where: str, *fields: str) -> list[str]:
        names = [word for field in fields for word in ("-e", field)]
        command = [TSHARK, "-r", str(path), *checks, "-Y", where, "-T", "fields", *names]
        done = subprocess.run(command, capture_output=True, text=True, timeout=150, check=True)
        return done.stdout.splitlines()

    wrong = "_ws.malformed || tcp.analysis.flags || tcp.checksum.status == 0"
    assert run(f"{wrong} || ip.checksum.status == 0", "frame.number", "_ws.col.Info") == []
    return [line.split("\t") for line in run(where, *fields)]


@pytest.mark.skipif(TSHARK is None, reason="tshark is not installed")
def test_wireshark_reads_what_mqtt_and_amqp_clients_and_brokers_said(
    running: MockForge, tmp_path: Path
) -> None:
    ports = running.runtime.listeners.ports
    large = b"x" * 100_000
    client = paho.Client(paho.CallbackAPIVersion.VERSION2, "captured", protocol=5)
    came: list[bytes] = []
    client.on_message = lambda _, __, message: came.append(message.payload)
    client.on_subscribe = lambda *_: client.publish("captured/1", large, 1)
    client.on_connect = lambda *_: client.subscribe("captured/#", 1)
    client.connect("127.0.0.1", ports["mqtt"])
    client.loop_start()
    wait_for(lambda: came == [large], what="the message")
    client.disconnect()
    client.loop_stop()
    path = tmp_path / "mqtt.pcapng"
    running.run(f"export (client:captured) --as pcapng > {path}")
    found = dissected(path, "mqtt.msgtype", "mqtt.ver", "mqtt.topic", "mqtt.len", where="mqtt")
    kinds = [kind for line in found for kind in line[0].split(",")]
    assert kinds[:4] == ["1", "2", "8", "9"]
    assert kinds.count("3") == 2
    assert found[0][1] == "5"
    assert [line[2] for line in found].count("captured/1") == 2

    parameters = pika.ConnectionParameters(
        port=ports["amqp"], client_properties={"connection_name": "captured-amqp"}
    )
    with pika.BlockingConnection(parameters) as connection:
        channel = connection.channel()
        channel.queue_declare("captured")
        channel.basic_publish("", "captured", b"hello")
        assert channel.basic_get("captured")[2] == b"hello"
    path = tmp_path / "amqp.pcapng"
    running.run(f"export (client:captured-amqp) --as pcapng > {path}")
    found = dissected(path, "amqp.method.method", "amqp.payload", where="amqp.payload")
    assert {line[1] for line in found} == {b"hello".hex()}
    assert len(found) == 2
