"""What the official clients' own suites found, each as RabbitMQ 3.10.8 answers it."""

from typing import Any

import pytest
from mockforge_brokers.amqp.wire import frames

from .client import Scene, names, publish


def close(channel: int = 1) -> bytes:
    values = {"reply_code": 200, "reply_text": "", "class_id": 0, "method_id": 0}
    return frames.method(channel, "channel.close", **values)


@pytest.mark.parametrize("crossing", [True, False], ids=["in one burst", "one by one"])
def test_closes_of_both_sides_may_cross_and_the_channel_ends_with_close_ok(
    scene: Scene, crossing: bool
) -> None:
    """amqp091-go's TestChannelExceptionWithCloseIssue43."""
    client = scene.client()
    came = []
    steps = [publish("missing", "a", b"x"), close(), frames.method(1, "channel.close-ok")]
    for step in [steps[0] + steps[1], steps[2]] if crossing else steps:
        client.fake.send(step)
        came += names(client.received())
    assert came == ["channel.close", "channel.close-ok"]
    assert names(client.send("channel.open")) == ["channel.open-ok"]


def test_impersonator_may_publish_in_anybodys_name(scene: Scene) -> None:
    """The Java client's UserIDHeader.impersonatedUserId."""
    scene.environment.access.tag_user("guest", ("administrator", "impersonator"))
    client = scene.client()
    client.publish("amq.fanout", "", user_id="somebody")
    assert names(client.send("queue.declare", queue="q")) == ["queue.declare-ok"]
    scene.environment.access.tag_user("guest", ("administrator",))
    (refused,) = scene.client().publish("amq.fanout", "", user_id="somebody")
    assert refused["reply_code"] == 406


@pytest.mark.parametrize("passive", [True, False])
def test_declaring_again_extends_the_life_of_a_queue(scene: Scene, passive: bool) -> None:
    """The Java client's QueueLease."""
    client = scene.client()
    arguments = {} if passive else {"x-expires": 1000}
    client.send("queue.declare", queue="q", arguments={"x-expires": 1000})
    scene.advance(0.75)
    client.send("queue.declare", queue="q", passive=passive, arguments=arguments)
    scene.advance(0.75)
    assert names(client.send("queue.declare", queue="q", passive=True)) == ["queue.declare-ok"]
    scene.advance(1.25)
    (gone,) = client.send("queue.declare", queue="q", passive=True)
    assert gone["reply_code"] == 404


def death(queue: str, reason: str = "expired", **more: Any) -> dict[str, Any]:
    return {"queue": queue, "reason": reason, **more}


DEATHS = [
    # what a client sent as x-death; queue, reason and count when the message has died in q
    ([death("o", n=at) for at in range(3)], [("q", "rejected", 1), ("o", "expired", 3)]),
    (
        [death("o", count=5), death("o", count=2), death("q", "rejected", count=7)],
        [("q", "rejected", 8), ("o", "expired", 5)],
    ),
    ([death("q", "rejected")], [("q", "rejected", 1)]),
    ([death("o")], [("q", "rejected", 1), ("o", "expired", None)]),
    (
        [death("a", count=1), death("b", count=2), death("c", count=3)],
        [("q", "rejected", 1), ("c", "expired", 3), ("b", "expired", 2), ("a", "expired", 1)],
    ),
    (
        [death("a", count=1), death("q", "rejected", count=2), death("c", count=3)],
        [("q", "rejected", 3), ("c", "expired", 3), ("a", "expired", 1)],
    ),
    ("text", [("q", "rejected", 1)]),
    ([], [("q", "rejected", 1)]),
]


@pytest.mark.parametrize(("sent", "written"), DEATHS)
def test_deaths_that_a_client_sent_are_grouped(scene: Scene, sent: Any, written: Any) -> None:
    """The Java client's XDeathHeaderGrowth, before message containers."""
    client = scene.client()
    dead = {"x-dead-letter-exchange": "", "x-dead-letter-routing-key": "dead"}
    client.send("queue.declare", queue="q", arguments=dead)
    client.send("queue.declare", queue="dead")
    client.publish("", "q", headers={"x-death": sent})
    (got,) = client.send("basic.get", queue="q")
    client.send("basic.reject", delivery_tag=got["delivery_tag"], requeue=False)
    (letter,) = client.send("basic.get", queue="dead", no_ack=True)
    deaths = [each.value for each in letter.properties["headers"]["x-death"].value]
    assert [
        tuple(each[name].value if name in each else None for name in ("queue", "reason", "count"))
        for each in deaths
    ] == written
