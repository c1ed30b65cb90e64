"""A virtual host's type for queues that name none (RabbitMQ 3.11 and later)."""

from typing import Any

import pytest
from mockforge_brokers.amqp.options import AmqpOptions
from mockforge_brokers.amqp.records import plain
from mockforge_brokers.errors import InvalidInput

from ..storage.memory_disk import MemoryDisk
from .client import Scene, names

QUORUM = {"x-queue-type": "quorum"}


def arranged(kind: str = "quorum", **options: Any) -> Scene:
    scene = Scene(AmqpOptions(**options))
    scene.broker.default_queue_type(kind)
    return scene


@pytest.mark.parametrize(
    ("flags", "kind"),
    [
        ({"durable": True}, "quorum"),
        ({"durable": True, "arguments": {"x-queue-type": "classic"}}, "classic"),
        ({"durable": True, "auto_delete": True}, "classic"),
        ({"durable": True, "exclusive": True}, "classic"),
        ({"durable": False}, "classic"),
    ],
)
def test_queue_is_of_the_default_type_if_it_can_be(flags: dict[str, Any], kind: str) -> None:
    scene = arranged()
    client = scene.client()
    assert names(client.send("queue.declare", queue="q", **flags)) == ["queue.declare-ok"]
    queue = scene.broker.vhost().queues["q"]
    assert queue.kind == kind
    named = flags.get("arguments", QUORUM if kind == "quorum" else {})
    assert plain(queue.arguments) == named


def test_declaration_is_compared_and_checked_as_what_it_is_then() -> None:
    scene = arranged()
    client = scene.client()
    for arguments in ({}, QUORUM, {}):
        came = client.send("queue.declare", queue="q", durable=True, arguments=arguments)
        assert names(came) == ["queue.declare-ok"]
    (close,) = client.send(
        "queue.declare", queue="p", durable=True, arguments={"x-max-priority": 5}
    )
    assert close["reply_text"] == (
        "PRECONDITION_FAILED - invalid arg 'x-max-priority' for queue 'p' in vhost '/' of queue "
        "type rabbit_quorum_queue"
    )


def test_release_before_3_11_has_none() -> None:
    scene = arranged(as_version="3.10")
    scene.client().send("queue.declare", queue="q", durable=True)
    assert scene.broker.vhost().queues["q"].kind == "classic"


def test_what_is_declared_inside_is_of_it_too() -> None:
    scene = arranged("stream")
    scene.broker.declare_queue("q", durable=True)
    assert scene.broker.vhost().queues["q"].kind == "stream"


@pytest.mark.parametrize("kind", ["mirrored", "Quorum"])
def test_unknown_type_is_refused(kind: str) -> None:
    scene = Scene()
    with pytest.raises(InvalidInput, match="is none of classic, quorum, stream"):
        scene.broker.add_vhost("shop", default_queue_type=kind)
    assert "shop" not in scene.broker.vhosts


@pytest.mark.parametrize(
    ("item", "kind"),
    [
        ({"default_queue_type": "quorum"}, "quorum"),
        ({"defaultqueuetype": "stream"}, "stream"),
        ({"metadata": {"default_queue_type": "rabbit_quorum_queue", "tags": []}}, "quorum"),
        ({"default_queue_type": "undefined"}, ""),
        ({}, ""),
    ],
)
def test_definitions_say_it(item: dict[str, Any], kind: str) -> None:
    scene = Scene()
    scene.broker.load_definitions({"vhosts": [{"name": "shop", **item}]})
    assert scene.broker.vhost("shop").default_queue_type == kind
    other = Scene()
    other.broker.load_definitions(scene.broker.definitions())
    assert other.broker.vhost("shop").default_queue_type == kind


def test_management_shows_it() -> None:
    scene = arranged()
    (shown,) = scene.broker.management.vhosts()
    assert shown["default_queue_type"] == shown["metadata"]["default_queue_type"] == "quorum"
    scene.broker.default_queue_type("")
    (shown,) = scene.broker.management.vhosts()
    assert shown["default_queue_type"] == "undefined"


def test_it_outlives_a_restart_and_a_start_from_disk() -> None:
    disk = MemoryDisk()
    scene = Scene(disk=disk)
    scene.broker.add_vhost("shop", default_queue_type="quorum")
    scene.broker.restart()
    assert scene.broker.vhost("shop").default_queue_type == "quorum"
    scene.advance(0.01)
    again = Scene(disk=MemoryDisk(), found=disk.kept())
    assert again.broker.vhost("shop").default_queue_type == "quorum"


def test_queues_that_were_there_before_are_exported_as_what_they_are() -> None:
    scene = Scene()
    for name, flags in (
        ("kept", {}),
        ("auto", {"auto_delete": True}),
        ("short", {"durable": False}),
    ):
        scene.broker.declare_queue(name, **{"durable": True, **flags})
    scene.broker.default_queue_type("quorum")
    scene.broker.declare_queue("new", durable=True)
    other = Scene()
    other.broker.load_definitions(scene.broker.definitions())
    kinds = {name: queue.kind for name, queue in other.broker.vhost().queues.items()}
    assert kinds == {"kept": "classic", "auto": "classic", "short": "classic", "new": "quorum"}
    arguments = {each["name"]: each["arguments"] for each in scene.broker.definitions()["queues"]}
    assert arguments["auto"] == arguments["short"] == {}
