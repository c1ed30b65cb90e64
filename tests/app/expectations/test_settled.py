"""Expectations of what AMQP's clients acknowledge, reject and have requeued."""

from random import Random
from typing import Any

import pytest
from mockforge_brokers.amqp.wire.frames import method
from mockforge_brokers.errors import InvalidInput

from app.console.scene import Scene
from mockforge_tui.embedded.handles import AmqpHandle
from mockforge_tui.embedded.spelling import asked_of
from mockforge_tui.expectations.record import Mark
from mockforge_tui.expectations.waiting import Outcome, Waiting
from mockforge_tui.fixtures.expected.model import Settled, Settlement
from mockforge_tui.fixtures.requests import expectation_of
from mockforge_tui.fixtures.templates.scope import Scope


class Stage:
    def __init__(self) -> None:
        self.scene = Scene(furnished=False)
        self.scene.run("queue add q")
        self.outcomes: list[Outcome] = []

    def deliver(self, client: Any, count: int = 5) -> None:
        """So many messages, of which the client has all unacknowledged."""
        for number in range(count):
            self.scene.run(f"pub queue:q {number}")
        for _ in range(count):
            client.send("basic.get", queue="q")

    def ends(self, expected: Settled, since: int | None = None) -> bool | None:
        """How it ends at once; None while it is open. It goes through JSON, as to HTTP."""
        self.outcomes.clear()
        asked = expectation_of(asked_of(expected), Scope(Random(0), lambda: 0.0))
        assert asked == expected
        waiting = Waiting(asked, self.scene, self.outcomes.append, since)
        if not self.outcomes:
            waiting.cancel()
            return None
        return self.outcomes[0].ok


@pytest.fixture
def stage() -> Stage:
    return Stage()


WAYS: dict[str, tuple[Settlement, int, Any]] = {
    "ack": ("acknowledged", 1, lambda client: client.send("basic.ack", delivery_tag=2)),
    "multiple": (
        "acknowledged",
        3,
        lambda client: client.send("basic.ack", delivery_tag=3, multiple=True),
    ),
    "nack": ("rejected", 1, lambda client: client.send("basic.nack", delivery_tag=1)),
    "reject": ("rejected", 1, lambda client: client.send("basic.reject", delivery_tag=1)),
    "requeue": (
        "requeued",
        2,
        lambda client: client.send("basic.nack", delivery_tag=2, multiple=True, requeue=True),
    ),
    "recover": ("requeued", 5, lambda client: client.send("basic.recover", requeue=True)),
    "channel": (
        "requeued",
        5,
        lambda client: client.send(
            "channel.close", reply_code=200, reply_text="", class_id=0, method_id=0
        ),
    ),
    "vanish": ("requeued", 5, lambda client: client.fake.vanish()),
}


@pytest.mark.parametrize("way", WAYS)
def test_each_way_to_settle_is_counted_as_what_it_is(stage: Stage, way: str) -> None:
    settlement, count, do = WAYS[way]
    client = stage.scene.amqp_client()
    stage.deliver(client)
    assert stage.ends(Settled("q", settlement, least=1)) is None
    do(client)
    assert stage.ends(Settled("q", settlement, least=count, most=count)) is True
    assert stage.ends(Settled("q", settlement, least=count + 1)) is None
    assert stage.ends(Settled("q", settlement, least=0, most=0)) is False
    for other in {"acknowledged", "rejected", "requeued"} - {settlement}:
        assert stage.ends(Settled("q", other, least=0, most=0, within=0)) is True
    assert stage.ends(Settled("other", settlement, least=0, most=0, within=0)) is True


def test_acknowledgements_that_come_together_are_one_entry_of_each_queue(stage: Stage) -> None:
    client = stage.scene.amqp_client()
    stage.deliver(client, 4)
    stage.scene.run("queue add other")
    stage.scene.run("pub queue:other x")
    client.send("basic.get", queue="other")
    before = stage.scene.record.settlements.newest
    # What is acknowledged before one that is unknown is; the rest goes back.
    tags = [1, 2, 5, 3, 3, 4]
    client.fake.send(b"".join(method(1, "basic.ack", delivery_tag=each) for each in tags))
    kept = list(stage.scene.record.settlements.since(before))
    assert [(one.queue, one.settlement, one.messages) for one in reversed(kept)] == [
        ("q", "acknowledged", 3),
        ("other", "acknowledged", 1),
        ("q", "requeued", 1),
    ]


def test_what_a_transaction_settles_counts_when_it_is_committed(stage: Stage) -> None:
    client = stage.scene.amqp_client()
    stage.deliver(client)
    client.send("tx.select")
    client.send("basic.ack", delivery_tag=1)
    client.send("basic.nack", delivery_tag=2, requeue=False)
    client.send("basic.nack", delivery_tag=3, requeue=True)
    assert stage.ends(Settled("q", least=1)) is None
    client.send("tx.commit")
    for settlement in ("acknowledged", "rejected", "requeued"):
        assert stage.ends(Settled("q", settlement, least=1, most=1)) is True


def test_only_those_of_the_clients_that_are_named_count(stage: Stage) -> None:
    for name, count in (("worker-1", 1), ("worker-2", 2), ("other", 3)):
        client = stage.scene.amqp_client(name)
        stage.deliver(client, count)
        client.send("basic.ack", delivery_tag=0, multiple=True)
    for glob, count in (("worker-*", 3), ("worker-2", 2), ("*", 6), ("nobody", 0)):
        expected = Settled("q", client=glob, least=count, most=count, within=0)
        assert stage.ends(expected) is True


def test_only_what_comes_behind_a_mark_counts(stage: Stage) -> None:
    client = stage.scene.amqp_client()
    stage.deliver(client)
    client.send("basic.ack", delivery_tag=1)
    mark = stage.scene.record.mark()
    again = Mark.parse(mark.text)
    assert stage.ends(Settled("q"), since=mark) is None
    client.send("basic.ack", delivery_tag=2)
    client.send("basic.ack", delivery_tag=3)
    for since in (mark, again):
        assert stage.ends(Settled("q", least=2, most=2), since=since) is True
    # A message's number: what was settled before it came is left out.
    stage.scene.run("pub queue:q 6")
    newest = stage.scene.record.newest
    assert stage.ends(Settled("q"), since=newest) is None
    client.send("basic.ack", delivery_tag=4)
    assert stage.ends(Settled("q", least=1, most=1), since=newest) is True
    stage.scene.record.clear()
    assert stage.ends(Settled("q")) is None


def test_the_failure_says_what_became_of_them(stage: Stage) -> None:
    client = stage.scene.amqp_client("worker")
    stage.deliver(client)
    client.send("basic.ack", delivery_tag=1)
    client.send("basic.reject", delivery_tag=2)
    Waiting(
        Settled("q", client="w*", least=3, most=3, within=2), stage.scene, stage.outcomes.append
    )
    stage.scene.advance(2)
    failure = stage.outcomes[0].failure
    assert failure is not None
    assert failure.expected == "exactly 3 messages of queue q acknowledged by w* within 2s"
    assert failure.seen == "1 acknowledged, 1 rejected"
    assert failure.about == "queue:q"
    stage.outcomes.clear()
    Waiting(Settled("nope", within=0), stage.scene, stage.outcomes.append)
    assert stage.outcomes[0].failure is not None
    assert stage.outcomes[0].failure.seen == "there is no such queue"


def test_at_the_prompt_and_in_files(stage: Stage) -> None:
    client = stage.scene.amqp_client("worker")
    stage.deliver(client)
    client.send("basic.ack", delivery_tag=2, multiple=True)
    client.send("basic.reject", delivery_tag=3)
    client.send("basic.reject", delivery_tag=4, requeue=True)
    assert stage.scene.run("expect acked q -n 2 --client work*").ok
    assert stage.scene.run("expect rejected q -n 1").ok
    assert stage.scene.run("expect requeued q").ok
    assert "not both" in stage.scene.refused("expect acked q -n 1 --least 1").as_text()


@pytest.mark.parametrize("word", ["reject", "nack", "acked", "Rejected", ""])
def test_a_test_in_python_names_one_of_the_three(word: Any) -> None:
    nowhere: Any = None
    with pytest.raises(InvalidInput, match="none of acknowledged, rejected, requeued"):
        AmqpHandle(nowhere).wait_settled("q", word, count=0)


def test_messages_and_settlements_of_a_virtual_host_that_is_new_are_seen(stage: Stage) -> None:
    stage.scene.amqp.add_vhost("shop")
    stage.scene.amqp.declare_queue("s", vhost="shop")
    before = stage.scene.record.newest
    stage.scene.amqp.publish("", "s", b"x", vhost="shop")
    assert stage.scene.record.newest == before + 1
    client = stage.scene.amqp_client(vhost="shop")
    client.send("basic.get", queue="s")
    client.send("basic.ack", delivery_tag=1)
    assert stage.ends(Settled("s", least=1, most=1)) is True


def test_of_virtual_hosts_with_queues_of_one_name_the_first_one_counts(stage: Stage) -> None:
    run = stage.scene.run
    run("queue add q")
    stage.scene.amqp.add_vhost("shop")
    stage.scene.amqp.declare_queue("q", vhost="shop")
    stage.scene.amqp.publish("", "q", b"x", vhost="shop")
    elsewhere = stage.scene.amqp_client(vhost="shop")
    elsewhere.send("basic.get", queue="q")
    elsewhere.send("basic.ack", delivery_tag=1)
    assert stage.ends(Settled("q", least=1)) is None
    client = stage.scene.amqp_client()
    stage.deliver(client)
    client.send("basic.ack", delivery_tag=2, multiple=True)
    assert stage.ends(Settled("q", least=2, most=2)) is True
    # While it is waited for, and of one that goes meanwhile.
    asked = Waiting(Settled("q", least=3, within=9), stage.scene, stage.outcomes.append)
    stage.outcomes.clear()
    client.send("queue.delete", queue="q")
    stage.scene.amqp.delete_queue("q", vhost="shop")
    stage.scene.advance(9)
    asked.cancel()
    assert stage.outcomes[0].failure is not None
    assert stage.outcomes[0].failure.seen == "2 acknowledged"
