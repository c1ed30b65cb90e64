"""Methods and reply codes, as a scraper sees them: what clients sent and got on the wire."""

from collections import Counter

from mockforge_brokers.amqp.wire import frames

from .client import Client, Scene, names, publish


def counted(scene: Scene, name: str) -> dict[tuple[str, ...], float]:
    return next(dict(each.samples) for each in scene.broker.metrics() if each.name == name)


def sent(scene: Scene) -> dict[str, float]:
    found = counted(scene, "amqp_methods_total")
    return {method: count for (way, method), count in found.items() if way == "out"}


def received(scene: Scene) -> dict[str, float]:
    found = counted(scene, "amqp_methods_total")
    return {method: count for (way, method), count in found.items() if way == "in"}


def ack(tag: int) -> bytes:
    return frames.method(1, "basic.ack", delivery_tag=tag)


def test_what_a_client_got_is_what_was_counted_as_sent() -> None:
    scene = Scene()
    client = Client(scene.network)
    got = Counter({"connection.start": 1})
    for came in (
        [each for each in client.connect(capabilities={}) if each.name == "connection.open-ok"],
        client.send("channel.open"),
        client.send("confirm.select"),
        client.send("queue.declare", queue="q"),
        client.send("basic.get", queue="q"),
        client.publish("", "q", b"one"),
        client.send("basic.get", queue="q"),
        client.publish("", "nobody", mandatory=True),
        client.send("basic.consume", queue="q", consumer_tag="c"),
        client.publish("", "q", b"two"),
        client.publish("", "q", b"three"),
        client.send("basic.cancel", consumer_tag="c"),
        client.send("queue.delete", queue="q"),
    ):
        got.update(names(came))
    got["connection.tune"] += 1
    assert sent(scene) == got
    assert (got["basic.deliver"], got["basic.get-ok"], got["basic.ack"]) == (2, 1, 4)


def test_bursts_count_every_publish_and_ack() -> None:
    scene = Scene()
    client = scene.client()
    client.send("queue.declare", queue="q")
    client.send("basic.consume", queue="q", consumer_tag="c")
    client.fake.send(publish("", "q", b"x") * 40)
    client.fake.send(b"".join(map(ack, range(1, 31))))
    # In several body frames it goes the general way.
    client.fake.send(publish("", "q", b"y" * 300_000))
    found = received(scene)
    assert (found["basic.publish"], found["basic.ack"]) == (41, 30)
    assert sent(scene)["basic.deliver"] == 41
    client.send("channel.close", reply_code=200, reply_text="", class_id=0, method_id=0)
    assert sent(scene)["basic.deliver"] == 41
    client.fake.vanish()
    assert sent(scene)["basic.deliver"] == 41


def test_closes_count_by_what_was_closed_and_why() -> None:
    scene = Scene()
    client, other = scene.client(), scene.client()
    client.send("queue.declare", queue="none", passive=True)
    client.send("channel.close-ok")
    client.open()
    # One that is refused counts as received, and so does what is dropped behind it.
    client.fake.send(publish("none", "") * 2)
    other.send("channel.open")
    assert counted(scene, "amqp_errors_total") == {
        ("channel", "NOT_FOUND"): 2,
        ("connection", "CHANNEL_ERROR"): 1,
    }
    assert received(scene)["basic.publish"] == 2
    assert sent(scene)["channel.close"] == 2
