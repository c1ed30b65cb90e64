"""`channel ls` at the console."""

from .scene import Scene


def test_channels_are_listed_by_client_and_narrowed_by_what_waits() -> None:
    scene = Scene(furnished=False)
    assert scene.run("channel ls").text == "no channels"
    scene.run("queue add q.held")
    client = scene.amqp_client()
    client.send("basic.qos", prefetch_count=2)
    client.send("basic.consume", queue="q.held", consumer_tag="c")
    client.send("confirm.select")
    scene.run("pub queue:q.held hello")
    scene.advance(5)
    (row,) = scene.run("channel ls").records
    assert (row["number"], row["mode"], row["prefetch"], row["unacked"]) == (1, "confirm", 2, 1)
    assert 4 <= row["oldest"] <= 5
    assert scene.run("channels | unacked>1").records == []
    assert scene.run("list_channels nobody-*").records == []
    assert "1: confirm, prefetch 2, 1 consumer, 1 unacked" in scene.run("conn show c1").text
