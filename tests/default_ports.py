"""One start on the default ports, reached by one client each: `python tests/default_ports.py`.

Apart from the tests, which take free ports, since the machine may use these for something else.
"""

import json
import subprocess
import sys
import urllib.request
from typing import Any

import pika
from confluent_kafka.admin import AdminClient
from paho.mqtt.client import Client
from paho.mqtt.enums import CallbackAPIVersion


def check(facts: dict[str, Any]) -> None:
    assert facts["kafka"]["bootstrap"] == "127.0.0.1:9092"
    metadata = AdminClient({"bootstrap.servers": "localhost:9092"}).list_topics(timeout=10)
    assert [broker.port for broker in metadata.brokers.values()] == [9092]

    client = Client(CallbackAPIVersion.VERSION2)
    client.connect("localhost", 1883)
    client.loop_start()
    client.publish("default/ports", b"here", qos=1).wait_for_publish(10)
    client.disconnect()
    client.loop_stop()

    parameters = pika.URLParameters("amqp://guest:guest@localhost:5672/%2F")
    with pika.BlockingConnection(parameters) as connection:
        assert connection.channel().queue_declare("").method.queue.startswith("amq.gen-")

    url = "http://127.0.0.1:9080/__mockforge/metrics"
    with urllib.request.urlopen(url, timeout=10) as response:
        text = response.read().decode()
    assert 'mqtt_messages_published_total{topic="default/ports"} 1.0' in text, text


def main() -> int:
    command = [sys.executable, "-m", "mockforge_tui", "--headless"]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    line = process.stdout.readline()
    if not line and process.wait() == 4:
        print("skipped: another program holds a default port of this machine")
        return 0
    try:
        facts = json.loads(line)
        check(facts)
        print(f"default ports answer; ready after {facts['startup_ms']} ms")
    finally:
        process.terminate()
        status = process.wait(10)
    assert status == 0, f"ended with {status}"
    return 0


if __name__ == "__main__":
    sys.exit(main())
