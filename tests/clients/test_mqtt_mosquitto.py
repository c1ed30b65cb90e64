"""Mosquitto's own clients."""

import os
import shutil
import subprocess
from pathlib import Path

import pytest
from benchmarks.common import free_port
from paho.mqtt.client import Client
from paho.mqtt.enums import CallbackAPIVersion

from clients.conftest import Servers, wait_for
from clients.paho_peer import connected
from mockforge_tui import MockForge

pytestmark = pytest.mark.client

MOSQUITTO_SUB = shutil.which("mosquitto_sub")
MOSQUITTO_PUB = shutil.which("mosquitto_pub")
MOSQUITTO = shutil.which(
    "mosquitto", path=f"{os.environ.get('PATH', '')}:/usr/sbin:/usr/local/sbin"
)


@pytest.mark.skipif(MOSQUITTO_SUB is None, reason="mosquitto_sub is not installed")
def test_health_check_by_mosquitto_sub_is_answered_at_once(servers: Servers) -> None:
    command = [str(MOSQUITTO_SUB), "-p", str(servers.ports["mqtt"]), "-t", "$SYS/#", "-C", "1"]
    done = subprocess.run([*command, "-W", "10"], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith("mockforge-tui version")


@pytest.mark.skipif(MOSQUITTO_SUB is None, reason="mosquitto_sub is not installed")
def test_mosquitto_pub_and_sub_meet_at_a_unix_socket_and_paho_too(tmp_path: Path) -> None:
    path = tmp_path / "mqtt.sock"
    with MockForge(kafka=False, amqp=False, mqtt_unix=str(path)):
        here = Client(CallbackAPIVersion.VERSION2, transport="unix")
        seen: list[bytes] = []
        here.on_message = lambda _client, _data, message: seen.append(message.payload)
        here.connect(str(path))
        here.loop_start()
        here.subscribe("answers", 1)
        there = ["--unix", str(path), "-q", "1"]
        asked = subprocess.Popen(
            [str(MOSQUITTO_SUB), *there, "-t", "rooms/#", "-C", "1", "-W", "20"],
            stdout=subprocess.PIPE,
            text=True,
        )
        here.publish("rooms/1", b"retained", 1, retain=True)
        assert asked.communicate(timeout=150)[0] == "retained\n"
        command = [str(MOSQUITTO_PUB), *there, "-t", "answers", "-m", "by mosquitto_pub"]
        subprocess.run(command, check=True, timeout=150)
        wait_for(lambda: seen == [b"by mosquitto_pub"], what="the answer")
        here.disconnect()
        here.loop_stop()
    assert not path.exists()


@pytest.mark.skipif(
    MOSQUITTO_PUB is None or shutil.which("xxd") is None, reason="mosquitto_pub or xxd is missing"
)
def test_exported_command_lines_publish_the_same_again(servers: Servers, tmp_path: Path) -> None:
    hard = 'it\'s "$HOME"\nand `two` lines ü'
    script = tmp_path / "again.sh"
    with MockForge(kafka=False, amqp=False) as source:
        source.mqtt.publish("again/text 'x'", hard, qos=1, retain=True)
        source.mqtt.publish("again/bytes", b"\x00\xff\n", qos=2, retain=True)
        properties = {"content_type": "a b", "user_property": [("k", "v 'w'")]}
        source.mqtt.publish("again/more", b"{}", retain=True, properties=properties)
        source.run(f"export mqtt:again/# --as mosquitto_pub > {script}")
    port = f"mosquitto_pub -p {servers.ports['mqtt']} "
    script.write_text(script.read_text().replace("mosquitto_pub ", port))
    subprocess.run(["sh", str(script)], check=True, timeout=150)
    broker = servers.brokers["mqtt"]
    found = [each for each in broker.retained() if each[0].startswith("again/")]
    assert sorted(found) == [
        ("again/bytes", b"\x00\xff\n", 2),
        ("again/more", b"{}", 0),
        ("again/text 'x'", hard.encode(), 1),
    ]
    kept = broker.retained_message("again/more")
    assert kept is not None
    assert dict(kept.properties) == properties


@pytest.mark.skipif(MOSQUITTO is None, reason="mosquitto is not installed")
def test_a_mosquitto_that_bridges_to_us_hands_messages_both_ways_and_none_back(
    servers: Servers, tmp_path: Path
) -> None:
    port = free_port()
    settings = tmp_path / "mosquitto.conf"
    settings.write_text(
        f"listener {port} 127.0.0.1\nallow_anonymous true\n"
        f"connection bridge\naddress 127.0.0.1:{servers.ports['mqtt']}\n"
        "topic # both 1\nremote_clientid bridge-1\ntry_private true\n"
        "bridge_protocol_version mqttv311\n"
    )
    there = subprocess.Popen([str(MOSQUITTO), "-c", str(settings)], stderr=subprocess.DEVNULL)
    try:
        here, away = connected(servers.ports["mqtt"]), None
        away = wait_for(lambda: connected(port), what="mosquitto")
        # The bridge is up when what one side says reaches the other.
        seen: dict[str, list[bytes]] = {"here": [], "away": []}
        here.on_message = lambda _client, _data, message: seen["here"].append(message.payload)
        away.on_message = lambda _client, _data, message: seen["away"].append(message.payload)
        here.subscribe("bridged/#", 1)
        away.subscribe("bridged/#", 1)
        here.publish("bridged/up", b"up?", 1, retain=True)
        wait_for(lambda: b"up?" in seen["away"], what="the bridge")
        away.publish("bridged/a", b"from there", 1)
        here.publish("bridged/b", b"from here", 1)
        wait_for(
            lambda: b"from there" in seen["here"] and b"from here" in seen["away"], what="both"
        )
        away.publish("bridged/c", b"last", 1)
        wait_for(lambda: b"last" in seen["here"], what="the last")
        assert [seen["here"].count(each) for each in (b"from there", b"from here")] == [1, 1]
        assert [seen["away"].count(each) for each in (b"from there", b"from here")] == [1, 1]
        for client in (here, away):
            client.loop_stop()
            client.disconnect()
    finally:
        there.terminate()
        there.wait(20)
