"""What people see of channels and sessions."""

import pytest
from mockforge_brokers.amqp.channel_views import ChannelView

from .client import Scene, publish
from .v1_0.client import Client as LaterClient


def _only(scene: Scene) -> ChannelView:
    (found,) = scene.broker.channels()
    return found


def test_a_channel_says_its_mode_and_what_waits(scene: Scene) -> None:
    client = scene.client(name="app")
    client.send("queue.declare", queue="q")
    assert (_only(scene).mode, _only(scene).published) == ("", None)
    client.send("basic.qos", prefetch_count=7)
    client.send("basic.consume", queue="q", consumer_tag="c")
    client.send("confirm.select")
    client.fake.send(publish("", "q") * 3)
    found = _only(scene)
    assert (found.client, found.number, found.mode) == ("app", 1, "confirm")
    assert (found.prefetch, found.limit, found.consumers) == (7, 0, 1)
    assert (found.published, found.unconfirmed, found.delivered, found.unacked) == (3, 0, 3, 3)


def test_a_transaction_counts_what_is_not_committed(scene: Scene) -> None:
    client = scene.client()
    client.send("queue.declare", queue="q")
    client.publish("", "q")
    client.send("basic.get", queue="q")
    client.send("tx.select")
    client.fake.send(publish("", "q") * 2)
    client.send("basic.ack", delivery_tag=1)
    assert (_only(scene).mode, _only(scene).uncommitted) == ("tx", 3)
    client.send("tx.commit")
    assert _only(scene).uncommitted == 0


def test_the_oldest_unacked_of_a_channel_has_an_age(scene: Scene) -> None:
    client = scene.client(tune=(2047, 131_072, 0))
    client.send("queue.declare", queue="q")
    client.send("basic.consume", queue="q")
    assert _only(scene).oldest is None
    client.publish("", "q")
    scene.advance(10)
    assert _only(scene).oldest == pytest.approx(10, abs=1)


def test_a_session_is_listed_as_one(scene: Scene) -> None:
    LaterClient(scene).connect()
    found = _only(scene)
    assert (found.mode, found.published, found.unacked) == ("session", None, 0)


def test_a_connections_sheet_has_its_channels_in_words(scene: Scene) -> None:
    client = scene.client()
    client.send("queue.declare", queue="q")
    client.send("basic.qos", prefetch_count=4, is_global=True)
    client.send("basic.consume", queue="q")
    client.publish("", "q")
    (view,) = scene.broker.connections()
    assert view.detail["by_channel"] == ["1: prefetch 4 for all, 1 consumer, 1 unacked"]
