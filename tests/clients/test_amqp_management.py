"""rabbitmqadmin, pika and httpx together: RabbitMQ's management interface as its users ask it."""

import json
import os
import shutil
import subprocess
from urllib.parse import quote, urlsplit

import httpx
import pika
import pytest

from mockforge_tui import MockForge

from .conftest import wait_for

pytestmark = pytest.mark.client


@pytest.fixture
def mockforge():
    with MockForge(kafka=False, mqtt=False, amqp_management=True) as running:
        yield running


@pytest.fixture
def api(mockforge):
    url = mockforge.facts["amqp"]["management"] + "api/"
    with httpx.Client(base_url=url, auth=("guest", "guest"), timeout=30) as client:
        yield client


def test_what_a_client_does_is_seen_at_once_and_its_connection_can_be_ended(mockforge, api):
    connection = pika.BlockingConnection(pika.URLParameters(mockforge.amqp.url))
    channel = connection.channel()
    channel.queue_declare("orders", durable=True)
    channel.basic_publish("", "orders", b"one")
    wait_for(lambda: api.get("queues/%2F/orders").json()["messages"] == 1, what="one message")
    channel.basic_consume("orders", lambda *_: None)
    (consumer,) = api.get("consumers").json()
    assert consumer["queue"] == {"name": "orders", "vhost": "/"}
    (shown,) = api.get("connections").json()
    assert shown["client_properties"]["product"].startswith("Pika")
    reason = {"X-Reason": "tidying up"}
    ended = api.delete(f"connections/{quote(shown['name'], safe='')}", headers=reason)
    assert ended.status_code == 204
    with pytest.raises(pika.exceptions.ConnectionClosedByBroker, match="tidying up"):
        wait_for(lambda: connection.process_data_events(0.1), what="the end of the connection")
    # It is listed until its client has answered the close.
    wait_for(lambda: api.get("connections").json() == [], what="no connection")


def test_a_scaler_reads_length_and_rate(mockforge, api):
    api.put("queues/%2F/work", json={"durable": True})
    api.get("queues/%2F/work")
    connection = pika.BlockingConnection(pika.URLParameters(mockforge.amqp.url))
    channel = connection.channel()
    channel.confirm_delivery()

    def grows() -> bool:
        channel.basic_publish("", "work", b"x")
        stats = api.get("queues/%2F/work").json()["message_stats"]
        return stats["publish_details"]["rate"] > 0

    wait_for(grows, what="a rate")
    assert api.get("queues/%2F/work").json()["messages"] > 0
    connection.close()


@pytest.fixture
def admin(mockforge):
    """Runs rabbitmqadmin, whose words it takes, and returns what it printed."""
    program = shutil.which("rabbitmqadmin")
    if program is None:
        pytest.skip("no rabbitmqadmin on this machine")
    port = urlsplit(mockforge.facts["amqp"]["management"]).port

    def run(*words: str) -> str:
        command = [program, "-P", str(port), *words]
        done = subprocess.run(
            command, capture_output=True, text=True, timeout=150, check=False, env={**os.environ}
        )
        assert done.returncode == 0, done.stderr + done.stdout
        return done.stdout

    return run


def test_rabbitmqadmin_exports_and_imports_definitions(admin, api, tmp_path):
    file = str(tmp_path / "definitions.json")
    api.put("queues/%2F/q", json={"durable": True, "arguments": {"x-max-length": 5}})
    api.post("bindings/%2F/e/amq.topic/q/q", json={"routing_key": "a.#"})
    api.put("policies/%2F/p", json={"pattern": "^q", "definition": {"max-length": 3}})
    assert "Exported definitions" in admin("export", file)
    api.delete("queues/%2F/q")
    api.delete("policies/%2F/p")
    assert api.get("queues").json() == api.get("policies").json() == []
    assert "Uploaded definitions" in admin("import", file)
    (queue,) = api.get("queues").json()
    assert (queue["arguments"], queue["policy"]) == ({"x-max-length": 5}, "p")
    bindings = api.get("queues/%2F/q/bindings").json()
    assert "a.#" in [each["routing_key"] for each in bindings]


def test_rabbitmqadmin_declares_publishes_gets_and_lists(admin):
    assert "queue declared" in admin("declare", "queue", "name=q")
    assert "exchange declared" in admin("declare", "exchange", "name=x", "type=topic")
    assert "binding declared" in admin(
        "declare", "binding", "source=x", "destination=q", "routing_key=a.#"
    )
    assert "Message published" in admin("publish", "exchange=x", "routing_key=a.b", "payload=hello")
    assert "hello" in admin("get", "queue=q", "ackmode=ack_requeue_false")
    names = json.loads(admin("-f", "raw_json", "list", "queues"))
    assert [one["name"] for one in names] == ["q"]
    assert "policy declared" in admin(
        "declare", "policy", "name=p", "pattern=^q", 'definition={"max-length": 5}'
    )
    assert "queue deleted" in admin("delete", "queue", "name=q")


def test_pika_may_use_the_keys_of_a_topic_exchange_that_its_user_was_given(mockforge, api):
    """As RabbitMQ's own words have it; RabbitMQ 3.10.8 gave the same answers."""
    api.put("users/alice", json={"password": "secret", "tags": ""})
    api.put("permissions/%2F/alice", json=dict.fromkeys(("configure", "write", "read"), ".*"))
    given = {"exchange": "amq.topic", "write": "^{username}\\.", "read": "^(alice|news)\\."}
    assert api.put("topic-permissions/%2F/alice", json=given).status_code == 201
    url = urlsplit(mockforge.amqp.url)
    parameters = pika.URLParameters(f"amqp://alice:secret@{url.hostname}:{url.port}/%2F")
    connection = pika.BlockingConnection(parameters)
    channel = connection.channel()
    channel.confirm_delivery()
    queue = channel.queue_declare("", exclusive=True).method.queue
    for key in ("alice.#", "news.today"):
        channel.queue_bind(queue, "amq.topic", key)
    channel.basic_publish("amq.topic", "alice.orders", b"mine")
    assert channel.basic_get(queue, auto_ack=True)[2] == b"mine"
    # Another exchange has no such rule.
    channel.basic_publish("amq.direct", "bob.orders", b"anything")
    refused = "access to topic 'bob.orders' in exchange 'amq.topic' in vhost '/' refused for user"
    with pytest.raises(pika.exceptions.ChannelClosedByBroker, match=f"{refused} 'alice'"):
        channel.basic_publish("amq.topic", "bob.orders", b"another's")
    channel = connection.channel()
    with pytest.raises(pika.exceptions.ChannelClosedByBroker, match=r"access to topic 'bob\.#'"):
        channel.queue_bind(queue, "amq.topic", "bob.#")
    connection.close()
    assert api.request("DELETE", "topic-permissions/%2F/alice", json={}).status_code == 204
    with pika.BlockingConnection(parameters) as again:
        again.channel().basic_publish("amq.topic", "bob.orders", b"free again")
