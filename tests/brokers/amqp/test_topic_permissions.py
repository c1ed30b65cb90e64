"""Topic permissions: which routing keys a user may publish and bind by (asked of 3.10.8)."""

import pytest
from mockforge_brokers.errors import InvalidInput

from brokers.storage.memory_disk import MemoryDisk

from .client import Client, Scene, names
from .v1_0.client import Client as LaterClient


@pytest.fixture
def scene() -> Scene:
    made = Scene()
    made.broker.declare_queue("q")
    made.broker.permit_topic("guest", "amq.topic", r"^{username}\.a", "^b")
    return made


@pytest.mark.parametrize(
    ("exchange", "key", "allowed"),
    [
        ("amq.topic", "guest.a.x", True),
        ("amq.topic", "other", False),
        ("amq.fanout", "other", True),
        ("", "q", True),
    ],
)
def test_publishing_by_a_key(scene: Scene, exchange: str, key: str, allowed: bool) -> None:
    client = scene.client()
    for _ in range(2):
        came = client.publish(exchange, key)
        if not allowed:
            break
    assert names(came) == ([] if allowed else ["channel.close"])
    if not allowed:
        assert (came[0]["reply_code"], came[0]["reply_text"]) == (
            403,
            f"ACCESS_REFUSED - access to topic '{key}' in exchange 'amq.topic' in vhost '/' "
            "refused for user 'guest'",
        )


@pytest.mark.parametrize("method", ["queue.bind", "queue.unbind", "exchange.bind"])
@pytest.mark.parametrize(("key", "allowed"), [("b.#", True), ("c", False)])
def test_binding_by_a_key(scene: Scene, method: str, key: str, allowed: bool) -> None:
    ends = {"queue": "q", "exchange": "amq.topic"}
    if method == "exchange.bind":
        ends = {"destination": "amq.fanout", "source": "amq.topic"}
    (came,) = scene.client().send(method, routing_key=key, **ends)
    assert came.name == (f"{method}-ok" if allowed else "channel.close")


def publishes(client: Client) -> bool:
    return client.publish("amq.topic", "other") == []


def test_change_holds_at_once_for_who_publishes_already(scene: Scene) -> None:
    scene.broker.permit_topic("guest", "amq.topic", "^other$", "")
    client = scene.client()
    assert publishes(client)
    assert publishes(client)
    scene.broker.permit_topic("guest", "amq.topic", "", "")
    assert not publishes(client)
    scene.broker.forget_topic("guest")
    assert publishes(client.open(2))


def test_expression_that_cannot_be_is_refused(scene: Scene) -> None:
    with pytest.raises(InvalidInput, match="no regular expression"):
        scene.broker.permit_topic("guest", "amq.topic", "(", "")


def test_definitions_have_them(scene: Scene) -> None:
    found = scene.broker.definitions()
    (row,) = found["topic_permissions"]
    assert row == {
        "user": "guest", "vhost": "/", "exchange": "amq.topic", "write": r"^{username}\.a",
        "read": "^b",
    }  # fmt: skip
    other = Scene()
    other.broker.load_definitions({"topic_permissions": [row]})
    assert other.broker.definitions()["topic_permissions"] == [row]


def test_they_are_kept_on_disk_and_through_a_restart(scene: Scene) -> None:
    scene.broker.restart()
    assert not publishes(scene.client())
    disk = MemoryDisk()
    made = Scene(disk=disk)
    made.broker.permit_topic("guest", "amq.topic", "^a", "")
    made.advance(0.01)
    assert not publishes(Scene(disk=MemoryDisk(), found=disk.kept()).client())


def test_they_hold_for_amqp_1_0_too(scene: Scene) -> None:
    client = LaterClient(scene).connect()
    client.sender("/exchanges/amq.topic/other")
    (came,) = client.transfer(b"x")
    assert came.name == "detach"
    assert "access to topic 'other' in exchange 'amq.topic'" in came.error[1]
