"""Definitions go to a real RabbitMQ and come back: what either exports the other one takes."""

import json
import os
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pika
import pytest
from benchmarks.amqp import node_environment
from benchmarks.common import free_port, wait_for_port
from brokers.amqp.client import Scene

pytestmark = [pytest.mark.client, pytest.mark.slow]

_PROGRAMS = Path("/usr/lib/rabbitmq/bin")
_SECTIONS = (
    "vhosts", "permissions", "topic_permissions", "parameters", "policies", "queues", "exchanges",
    "bindings",
)  # fmt: skip
EVERY = {"configure": ".*", "write": ".*", "read": ".*"}
DECLARED: dict[str, list[dict[str, Any]]] = {
    "users": [
        {"name": "ada", "password": "secret", "tags": ["management", "policymaker"]},
        {"name": "my user", "password_hash": "", "tags": []},
    ],
    "vhosts": [{"name": "/"}, {"name": "a shop/1"}],
    "permissions": [
        {"user": "guest", "vhost": "/", **EVERY},
        {"user": "guest", "vhost": "a shop/1", **EVERY},
        {"user": "ada", "vhost": "/", "configure": "^urn:a", "write": "", "read": "^$"},
        {"user": "my user", "vhost": "a shop/1", **EVERY},
    ],
    "topic_permissions": [
        {"user": "ada", "vhost": "/", "exchange": "amq.topic", "write": "^{username}", "read": ".*"}
    ],
    "parameters": [
        {
            "vhost": "a shop/1",
            "component": "vhost-limits",
            "name": "limits",
            "value": {"max-queues": 50, "max-connections": -1},
        },
        {
            "vhost": "/",
            "component": "operator_policy",
            "name": "short",
            "value": {
                "pattern": "^jobs",
                "definition": {"max-length": 1000},
                "priority": 1,
                "apply-to": "queues",
            },
        },
    ],
    "policies": [
        {
            "vhost": "a shop/1",
            "name": "dead",
            "pattern": "^o",
            "apply-to": "queues",
            "definition": {"dead-letter-exchange": "dead", "message-ttl": 60000},
            "priority": 7,
        },
        {
            "vhost": "/",
            "name": "alternate",
            "pattern": "^x",
            "apply-to": "exchanges",
            "definition": {"alternate-exchange": "amq.fanout"},
            "priority": 0,
        },
    ],
    "queues": [
        {"name": name, "vhost": vhost, "durable": True, "auto_delete": auto, "arguments": arguments}
        for name, vhost, auto, arguments in (
            ("jobs", "/", False, {"x-max-priority": 5, "x-single-active-consumer": True}),
            ("orders", "a shop/1", True, {"x-message-ttl": 1000, "x-overflow": "reject-publish"}),
            ("votes", "/", False, {"x-queue-type": "quorum", "x-delivery-limit": 3}),
            ("log", "/", False, {"x-queue-type": "stream", "x-max-age": "7D"}),
            ("\u00fc ?#%", "/", False, {"x-dead-letter-exchange": "", "x-expires": 90000}),
        )
    ],
    "exchanges": [
        {
            "name": name,
            "vhost": vhost,
            "type": kind,
            "durable": True,
            "auto_delete": auto,
            "internal": internal,
            "arguments": arguments,
        }
        for name, vhost, kind, auto, internal, arguments in (
            ("x", "/", "topic", False, False, {"alternate-exchange": "amq.fanout"}),
            ("headed", "/", "headers", False, False, {}),
            ("hidden", "/", "fanout", False, True, {}),
            ("dead", "a shop/1", "fanout", True, False, {}),
            ("straight", "a shop/1", "direct", False, False, {}),
        )
    ],
    "bindings": [
        {
            "source": source,
            "vhost": vhost,
            "destination": destination,
            "destination_type": kind,
            "routing_key": key,
            "arguments": arguments,
        }
        for source, vhost, destination, kind, key, arguments in (
            ("x", "/", "jobs", "queue", "a.#", {}),
            ("x", "/", "headed", "exchange", "", {}),
            ("headed", "/", "votes", "queue", "", {"x-match": "all", "n": 1, "t": "s", "b": True}),
            ("amq.direct", "/", "log", "queue", "\u00fc~", {}),
            ("dead", "a shop/1", "orders", "queue", "", {}),
        )
    ],
}


class Original:
    """A RabbitMQ, and its command line."""

    def __init__(self, folder: Path, port: int) -> None:
        self.port = port
        self._folder = folder
        self.environment = node_environment(str(folder), port)

    def control(self, *words: str) -> None:
        command = [str(_PROGRAMS / "rabbitmqctl"), *words]
        done = subprocess.run(
            command, env=self.environment, capture_output=True, text=True, timeout=120, check=False
        )
        assert done.returncode == 0, done.stderr + done.stdout

    def take(self, document: dict[str, Any]) -> None:
        file = self._folder / "in.json"
        file.write_text(json.dumps(document))
        self.control("import_definitions", str(file))

    def give(self) -> dict[str, Any]:
        file = self._folder / "out.json"
        self.control("export_definitions", str(file))
        found: dict[str, Any] = json.loads(file.read_text())
        return found


@pytest.fixture(scope="module")
def original(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Original]:
    if not (_PROGRAMS / "rabbitmq-server").exists():
        pytest.skip(f"no {_PROGRAMS}/rabbitmq-server")
    folder = tmp_path_factory.mktemp("rabbitmq")
    found = Original(folder, free_port())
    (folder / "plugins").write_text("[].\n")
    with (folder / "output").open("w") as output:
        process = subprocess.Popen(
            [_PROGRAMS / "rabbitmq-server"],
            env=found.environment,
            stdout=output,
            stderr=output,
            cwd=folder,
            start_new_session=True,
        )
    try:
        wait_for_port(found.port, 150)
        found.control("await_startup", "--timeout", "100")
        yield found
    finally:
        process.terminate()
        try:
            process.wait(20)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()
        # Its port mapper has a port of its own too, so that nobody else's is meant.
        subprocess.run(["epmd", "-kill"], env=found.environment, capture_output=True, check=False)


@pytest.fixture
def scene() -> Scene:
    return Scene()


def told(document: dict[str, Any]) -> dict[str, list[str]]:
    """Each section that says what is declared, in an order that does not count."""
    found = {name: document[name] for name in _SECTIONS}
    keys = ("name", "tags", "limits", "hashing_algorithm", "password_hash")
    found["users"] = [{key: user[key] for key in keys} for user in document["users"]]
    # Its command line says limits of virtual hosts and types of queues twice, and leaves
    # internal exchanges out.
    found["vhosts"] = [{"name": vhost["name"]} for vhost in document["vhosts"]]
    found["queues"] = [
        {key: value for key, value in queue.items() if key != "type"}
        for queue in document["queues"]
    ]
    found["exchanges"] = [
        {key: value for key, value in exchange.items() if key != "internal"}
        for exchange in document["exchanges"]
        if not exchange.get("internal")
    ]
    return {
        name: sorted(json.dumps(row, sort_keys=True) for row in rows)
        for name, rows in found.items()
    }


@pytest.mark.timeout(400)
def test_definitions_go_to_rabbitmq_and_come_back(original: Original, scene: Scene) -> None:
    scene.broker.load_definitions(DECLARED)
    scene.broker.limit_user("ada", {"max-connections": 3, "max-channels": 9})
    ours = scene.broker.definitions()
    original.take(ours)
    theirs = original.give()
    assert told(theirs) == told(ours)
    again = Scene()
    again.broker.load_definitions(theirs)
    assert told(again.broker.definitions()) == told(theirs)
    # A hash of ours is one that lets the user in there.
    credentials = pika.PlainCredentials("ada", "secret")
    where = pika.ConnectionParameters("127.0.0.1", original.port, credentials=credentials)
    with pika.BlockingConnection(where) as connection:
        assert connection.is_open
