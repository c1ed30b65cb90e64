"""What is closed, with which code and text, agrees with what RabbitMQ was seen to do."""

import pytest
from mockforge_brokers.amqp.wire.methods import BY_NAME

from .client import Client, Got, Scene
from .replies import REPLIES, Reply, Step


@pytest.mark.parametrize("reply", REPLIES, ids=lambda reply: reply.case)
def test_refusal_has_rabbitmqs_code_and_text(reply: Reply) -> None:
    scene = Scene()
    first, other = scene.client(), scene.client()
    *before, last = reply.steps
    for step in before:
        came = _do(step, first, other)
        assert not any(got.name.endswith(".close") for got in came), came
    came = _do(last, first, other)
    assert len(came) == 1
    if reply.closes == "ok":
        assert came[0].name == reply.text
        return
    assert came[0].name == f"{reply.closes}.close"
    assert came[0]["reply_text"] == reply.text
    assert came[0]["reply_code"] == reply.code
    _check_method(last, came[0])


def _do(step: Step, first: Client, other: Client) -> list[Got]:
    name, fields = step
    client = first
    if name.startswith("other "):
        name, client = name.removeprefix("other "), other
    if name == "publish":
        return client.publish(**fields)
    return client.send(name, **fields)


def _check_method(step: Step, close: Got) -> None:
    """Clients read class and method of the failing method (Spring decides by them)."""
    name = "basic.publish" if step[0] == "publish" else step[0]
    method = BY_NAME[name]
    assert (close["class_id"], close["method_id"]) == (method.class_id, method.method_id)


def test_refused_channel_drops_what_follows_until_close_ok(scene: Scene) -> None:
    client = scene.client()
    client.send("queue.declare", queue="nope", passive=True)
    assert client.send("queue.declare", queue="q") == []
    assert client.publish("", "q") == []
    assert client.send("channel.close-ok") == []
    client.open()
    assert client.send("queue.declare", queue="q")[0].name == "queue.declare-ok"


def test_refused_channel_leaves_the_other_channels_alone(scene: Scene) -> None:
    client = scene.client().open(2)
    client.send("queue.declare", queue="nope", passive=True)
    assert client.send("queue.declare", queue="q", channel=2)[0].name == "queue.declare-ok"
