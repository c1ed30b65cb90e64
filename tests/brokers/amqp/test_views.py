"""What people see of the broker: connections, destinations, consumers, figures."""

from mockforge_brokers.snapshots import Metric

from .client import Scene, publish


def test_views_show_what_is_declared_and_used(scene: Scene) -> None:
    client = scene.client()
    client.send("queue.declare", queue="q", arguments={"x-max-length": 2})
    client.send("queue.bind", queue="q", exchange="amq.topic", routing_key="a.#")
    client.send("basic.qos", prefetch_count=1)
    client.send("basic.consume", queue="q", consumer_tag="c")
    client.fake.send(publish("amq.topic", "a.b", b"x") * 3)
    views = {view.name: view for view in scene.broker.destinations()}
    assert views["amq.topic"].messages_in == 3
    assert (views["q"].depth, views["q"].messages_in, views["q"].messages_out) == (2, 3, 1)
    assert views["q"].note == "1 unacked"
    (group,) = scene.broker.groups()
    assert (group.name, group.members, group.lag) == ("q", 1, 3)
    (connection,) = scene.broker.connections()
    assert (connection.messages_in, connection.messages_out) == (3, 1)
    assert (connection.state, connection.detail["consumers"]) == ("open", 1)


def test_what_was_delivered_stays_counted_when_its_channel_closes(scene: Scene) -> None:
    client = scene.client()
    client.send("queue.declare", queue="q")
    client.send("basic.consume", queue="q", no_ack=True)
    client.fake.send(publish("", "q") * 5)
    client.send("channel.close", reply_code=200, reply_text="", class_id=0, method_id=0)
    assert scene.broker.connections()[0].messages_out == 5


def test_metrics_have_the_published_names(scene: Scene) -> None:
    client = scene.client()
    client.send("exchange.declare", exchange="notifications", exchange_type="fanout")
    client.send("queue.declare", queue="q")
    client.send("queue.bind", queue="q", exchange="notifications")
    client.fake.send(publish("notifications", "", b"x") * 2)
    client.send("basic.get", queue="q")
    metrics = {metric.name: metric for metric in scene.broker.metrics()}
    assert _value(metrics["amqp_messages_published_total"], "notifications") == 2
    assert _value(metrics["amqp_queue_depth"], "q", "ready") == 1
    assert _value(metrics["amqp_queue_depth"], "q", "unacked") == 1
    assert _value(metrics["amqp_connections"]) == 1


def test_labels_are_bounded(scene: Scene) -> None:
    for number in range(1005):
        scene.broker.declare_queue(f"q{number}")
    metrics = {metric.name: metric for metric in scene.broker.metrics()}
    labels = {labels[0] for labels, _ in metrics["amqp_queue_depth"].samples}
    assert (len(labels), "other" in labels) == (1001, True)


def _value(metric: Metric, *labels: str) -> float:
    return dict(metric.samples)[labels]


def test_console_verbs_do_what_clients_see(scene: Scene) -> None:
    broker = scene.broker
    broker.declare_exchange("x", "topic")
    broker.declare_queue("q")
    broker.bind("x", "q", "a.#")
    broker.bind("x", "amq.fanout", "#", kind="exchange")
    assert broker.bindings() == [("x", "q", "a.#"), ("x", "amq.fanout", "#")]
    assert ("x", "topic") in broker.exchanges()
    broker.publish("x", "a.b", b"one")
    broker.publish("x", "a.b", b"two")
    assert [seen.payload for seen in broker.peek("q")] == [b"one", b"two"]
    seen = broker.get("q")
    assert seen is not None
    assert seen.payload == b"one"
    assert broker.purge_queue("q") == 1
    assert broker.get("q") is None
    broker.unbind("x", "q", "a.#")
    assert broker.delete_queue("q") == 0
    broker.delete_exchange("x")
    broker.delete_exchange("x")
    assert broker.destinations() == []


def test_metrics_are_legal_text_whatever_clients_name(scene: Scene) -> None:
    client = scene.client()
    client.send("queue.declare", queue=b"odd \xff")
    client.publish("", "odd \udcff", b"x")
    (depth,) = [metric for metric in scene.broker.metrics() if metric.name == "amqp_queue_depth"]
    assert (("odd \\udcff", "ready"), 1.0) in depth.samples


def test_queue_shows_what_its_arguments_took(scene: Scene) -> None:
    client = scene.client()
    given = {"x-max-length": 1, "x-message-ttl": 100, "x-dead-letter-exchange": "amq.fanout"}
    client.send("queue.declare", queue="q", arguments=given)
    client.fake.send(publish("", "q", b"x") * 3)
    scene.advance(1)
    (view,) = [one for one in scene.broker.destinations() if one.name == "q"]
    assert view.note == "1 expired, 2 dropped, 3 dead-lettered, 3 dead-letters-lost"
    assert (view.detail["expired"], view.detail["dropped"]) == (1, 2)
