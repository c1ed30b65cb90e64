"""`consumer ls` at the console."""

from .scene import Scene


def test_consumers_are_listed_with_credit_and_age() -> None:
    scene = Scene(furnished=False)
    scene.run("queue add q.held")
    client = scene.amqp_client()
    client.send("basic.qos", prefetch_count=2)
    client.send("basic.consume", queue="q.held", consumer_tag="c")
    scene.run("pub queue:q.held hello")
    scene.advance(5)
    (row,) = scene.run("consumer ls q.*").records
    assert (row["tag"], row["credit"], row["unacked"], row["delivered"]) == ("c", 1, 1, 1)
    assert 4 <= row["oldest"] <= 5
    assert scene.run("consumer ls other").records == []
