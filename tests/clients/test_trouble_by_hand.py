"""What is done by hand is one line at the prompt, in a scenario, over HTTP and in a test alike."""

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from urllib.parse import urlsplit
from urllib.request import Request, urlopen

import paho.mqtt.client as paho
import pika
import pytest
from paho.mqtt.enums import CallbackAPIVersion

from mockforge_tui import MockForge

from .conftest import wait_for

pytestmark = pytest.mark.client

LINES = (
    "fault add partition client:nobody 20s --once",
    "hold client:nobody --for 1m",
    "release @held --behind 1",
    "release @held --delay 2s",
    "hold off",
    "leader move orders:0 2",
    "leader elect orders",
    "coordinator move billing 2",
    "controller move 2",
    "broker stop kafka/2 -y",
    "broker start kafka/2",
    "txn hang kafka:orders[0]",
    "txn abort kafka:orders[0]",
    "tls expire --for 30s",
    "tls renew",
    "chaos start observe",
    "chaos report",
    "chaos log",
    "chaos stop",
    "session will dev-7",
    "consumer cancel q.mail",
    "conn kill dev-7 --code SESSION_TAKEN_OVER -y",
    "broker restart mqtt --hard -y",
    "panic",
)
"""In an order in which each finds what it is about."""

Run = Callable[[MockForge, list[str]], None]


def in_a_scenario(mockforge: MockForge, lines: list[str]) -> None:
    mockforge.scenario("trouble")


def over_http(mockforge: MockForge, lines: list[str]) -> None:
    for line in lines:
        body = json.dumps({"line": line}).encode()
        asked = Request(
            f"{mockforge.facts['admin']['url']}/commands",
            body,
            {"content-type": "application/json"},
        )
        with urlopen(asked, timeout=150) as answer:
            assert answer.status == 200, line


def in_a_test(mockforge: MockForge, lines: list[str]) -> None:
    for line in lines:
        mockforge.run(line)


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[MockForge]:
    steps = "".join(f"      - run: {json.dumps(line)}\n" for line in LINES)
    file: Path = tmp_path_factory.mktemp("trouble") / "shop.yaml"
    file.write_text(f"mockforge: 1\nname: shop\nscenarios:\n  - name: trouble\n    steps:\n{steps}")
    with MockForge(file, kafka_nodes=2, tls="auto", admin=True, admin_port=0) as running:
        running.run("topic add orders -p 1")
        running.run("queue add q.mail --durable")
        yield running


@pytest.mark.parametrize("run", [in_a_scenario, over_http, in_a_test])
def test_every_verb_of_trouble_works_by_every_way_in(running: MockForge, run: Run) -> None:
    place = urlsplit(running.mqtt.url)
    client = paho.Client(CallbackAPIVersion.VERSION2, client_id="dev-7", protocol=paho.MQTTv5)
    ended: list[int] = []
    client.on_disconnect = lambda *args: ended.append(args[3].value)
    client.will_set("gone", b"dev-7", 1)
    client.connect(place.hostname, place.port)
    client.loop_start()
    wait_for(client.is_connected)
    connection = pika.BlockingConnection(pika.URLParameters(running.amqp.url))
    channel = connection.channel()
    cancelled: list[object] = []
    channel.add_on_cancel_callback(cancelled.append)
    channel.basic_consume("q.mail", lambda *args: None)
    run(running, list(LINES))
    wait_for(lambda: ended)
    assert ended[0] == 0x8E
    client.disconnect()
    client.loop_stop()
    wait_for(lambda: connection.process_data_events(0.05) or cancelled)
    connection.close()
    assert running.run("fault ls").records == []
