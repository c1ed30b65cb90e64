"""When a connection's deliveries may go out, on a manual clock."""

import pytest
from mockforge_brokers.amqp.connection.flow import Flow
from mockforge_brokers.clock import ManualClock

from .client import Scene


def flow() -> tuple[Flow, ManualClock, list[bool]]:
    clock, seen = ManualClock(), []
    made = Flow(clock, lambda: seen.append(made.open))
    return made, clock, seen


def test_it_is_shut_while_the_socket_takes_nothing() -> None:
    made, _, seen = flow()
    made.set_writable(False)
    made.set_writable(True)
    assert seen == [False, True]


def test_what_waits_to_be_written_holds_deliveries_back_for_one_turn() -> None:
    made, clock, seen = flow()
    made.hold_back()
    made.hold_back()
    assert seen == [False]
    clock.advance(0)
    assert seen == [False, True]


def test_a_turn_of_the_loop_does_not_open_it_for_a_socket_that_is_full() -> None:
    made, clock, seen = flow()
    made.hold_back()
    made.set_writable(False)
    clock.advance(0)
    assert seen == [False, False, False]
    made.set_writable(True)
    assert made.open


@pytest.mark.parametrize(
    ("size", "count"), [(100, 2_703), (4_000, 129), (4_100, 509), (200_000, 11), (1_000_000, 5)]
)
def test_so_many_messages_go_out_before_the_loop_is_served(size: int, count: int) -> None:
    """Half a megabyte, but of long ones four times as much and of very long ones eight times."""
    scene = Scene()
    publisher, taker = scene.client(), scene.client()
    publisher.send("queue.declare", queue="q")
    for _ in range(count + 1):
        publisher.publish("", "q", bytes(size))
    got = taker.send("basic.consume", queue="q", no_ack=True)
    assert [each.name for each in got] == ["basic.consume-ok"] + ["basic.deliver"] * count
    scene.clock.advance(0)
    scene.network.settle()
    assert [each.name for each in taker.received()] == ["basic.deliver"]
