"""Where messages would go, and their dead letters, followed to the end."""

from typing import Any

import pytest
from mockforge_brokers.amqp.records import table
from mockforge_brokers.amqp.state.message_paths import Way, from_exchange

from .client import Scene


def lines(way: Way, depth: int = 0) -> list[str]:
    """`  kind name < by: note`"""
    by = f" < {way.by}" if way.by else ""
    own = f"{'  ' * depth}{way.kind} {way.name}{by}: {way.note}"
    return [own, *(line for each in way.ahead for line in lines(each, depth + 1))]


def way(broker: Any, exchange: str, key: str | None, headers: dict[str, Any] | None = None) -> Way:
    return from_exchange(broker.vhost(), exchange, key, table(headers or {}))


def furnish(scene: Scene) -> Any:
    broker = scene.broker
    broker.declare_exchange("events", "topic")
    broker.declare_exchange("audit", "fanout")
    broker.declare_exchange("dlx", "direct")
    arguments = {"x-message-ttl": 30_000, "x-max-length": 5, "x-dead-letter-exchange": "dlx"}
    broker.declare_queue("q.mail", arguments=arguments)
    broker.declare_queue("q.all")
    broker.declare_queue("q.dead")
    broker.bind("events", "q.mail", "order.*")
    broker.bind("events", "q.mail", "#.new")
    broker.bind("events", "audit", "#", kind="exchange")
    broker.bind("audit", "q.all")
    return broker


def test_a_message_is_followed_through_bindings_and_dead_letters(scene: Scene) -> None:
    broker = furnish(scene)
    broker.bind("dlx", "q.dead", "order.new")
    assert lines(way(broker, "events", "order.new")) == [
        "exchange events: topic",
        "  queue q.mail < order.*: 0 ready, no consumer, ttl 30 s, max 5",
        "    exchange dlx < dead letters (rejected, expired, too many): direct",
        "      queue q.dead < order.new: 0 ready, no consumer",
        "  queue q.mail < #.new: 0 ready, no consumer, ttl 30 s, max 5",
        "    exchange dlx < dead letters (rejected, expired, too many): direct",
        "      queue q.dead < order.new: 0 ready, no consumer",
        "  exchange audit < #: fanout",
        "    queue q.all < an empty key: 0 ready, no consumer",
    ]
    assert not broker.vhost().queues["q.all"].messages


def test_dead_letters_that_reach_nothing_are_shown_to_end_nowhere(scene: Scene) -> None:
    broker = furnish(scene)
    broker.declare_queue("q.lost", arguments={"x-dead-letter-exchange": "none"})
    assert lines(way(broker, "", "q.mail"))[-1] == (
        "      nowhere nowhere: nothing is bound there: lost, or returned if mandatory"
    )
    assert lines(way(broker, "", "q.lost"))[-1] == (
        "    missing none < dead letters (rejected): no such exchange: lost"
    )


def test_dead_letters_in_a_circle_are_named_and_not_followed_for_ever(scene: Scene) -> None:
    broker = scene.broker
    for name, other in (("a", "b"), ("b", "a")):
        arguments = {"x-dead-letter-exchange": "", "x-dead-letter-routing-key": other}
        broker.declare_queue(name, arguments=arguments)
    assert lines(way(broker, "", "a"))[-1].endswith(
        "a < the queue's name: a circle: back to where it died"
    )


def test_exchanges_in_a_circle_end(scene: Scene) -> None:
    broker = scene.broker
    for name in ("x", "y"):
        broker.declare_exchange(name, "fanout")
    broker.bind("x", "y", kind="exchange")
    broker.bind("y", "x", kind="exchange")
    assert lines(way(broker, "x", "k")) == [
        "exchange x: fanout",
        "  exchange y < an empty key: fanout",
        "    exchange x < an empty key: fanout, as above",
    ]


def test_what_nothing_takes_goes_to_the_alternate_exchange(scene: Scene) -> None:
    broker = furnish(scene)
    broker.declare_exchange("main", "direct", arguments={"alternate-exchange": "audit"})
    broker.bind("main", "q.dead", "known")
    assert lines(way(broker, "main", "known"))[1:] == [
        "  queue q.dead < known: 0 ready, no consumer"
    ]
    assert lines(way(broker, "main", "other"))[1] == "  exchange audit < else (alternate): fanout"
    assert len(lines(way(broker, "main", None))) == 4


def test_headers_decide_at_a_headers_exchange(scene: Scene) -> None:
    broker = furnish(scene)
    broker.bind("amq.headers", "q.all", "", {"kind": "big", "x-match": "all"})
    assert lines(way(broker, "amq.headers", "", {"kind": "big"}))[1].startswith("  queue q.all")
    assert lines(way(broker, "amq.headers", "", {"kind": "small"}))[1].startswith("  nowhere")


def test_a_lost_dead_letter_is_counted(scene: Scene) -> None:
    broker, client = furnish(scene), scene.client()
    client.publish("", "q.mail", b"x")
    client.send("basic.get", queue="q.mail")
    client.send("basic.reject", delivery_tag=1, requeue=False)
    assert broker.vhost().queues["q.mail"].dead_letters_lost == 1
    (view,) = [each for each in broker.destinations() if each.name == "q.mail"]
    assert view.detail["dead_letters_lost"] == 1


@pytest.mark.parametrize("link", ["binding", "alternate", "dead letters"])
def test_a_very_long_way_is_cut_and_says_so(scene: Scene, link: str) -> None:
    broker = scene.broker
    for number in reversed(range(2000)):
        name, following = f"x{number}", f"x{number + 1}"
        dead = {"x-dead-letter-exchange": following}
        broker.declare_exchange(
            name, "fanout", arguments={"alternate-exchange": following} if link[0] == "a" else {}
        )
        if link == "binding" and number < 1999:
            broker.bind(name, following, kind="exchange")
        if link == "dead letters":
            broker.declare_queue(f"q{number}", arguments=dead)
            broker.bind(name, f"q{number}")
    last = lines(way(broker, "x0", "k"))[-1]
    assert last.endswith(": fanout: too long a way for one answer")
