"""Performatives and conditions, as a scraper sees them: what the client sent and got."""

from collections import Counter

from ..client import Scene
from .client import Client, names


def counted(scene: Scene, name: str) -> dict[tuple[str, ...], float]:
    return next(dict(each.samples) for each in scene.broker.metrics() if each.name == name)


def test_what_a_client_got_is_what_was_counted_as_sent(scene: Scene, client: Client) -> None:
    before = counted(scene, "amqp_performatives_total")
    got = Counter({"attach": 2, "flow": 1})
    client.sender("/queues/q")
    client.receiver("/queues/q", credit=10)
    for body in (b"one", b"two"):
        got.update(names(client.transfer(body)))
    got.update(names(client.settle(0, "accepted")))
    got.update(names(client.send("detach", handle=0, closed=True)))
    after = counted(scene, "amqp_performatives_total")
    sent = {
        name: count - before.get((way, name), 0)
        for (way, name), count in after.items()
        if way == "out" and count != before.get((way, name), 0)
    }
    assert sent == got
    assert got["transfer"] == 2
    assert after["in", "transfer"] == 2
    assert after["in", "open"] == after["out", "open"] == 1
    assert after["in", "sasl-init"] == after["out", "sasl-outcome"] == 1


def test_ends_count_by_what_was_ended_and_by_condition(scene: Scene, client: Client) -> None:
    client.sender("/queues/none")
    assert counted(scene, "amqp_errors_total") == {("link", "amqp:not-found"): 1}
    scene.broker.disconnect(client.peer.id, "over")
    scene.network.settle()
    (found,) = {code for scope, code in counted(scene, "amqp_errors_total") if scope != "link"}
    assert found == client.received()[-1].error[0]
