"""The order service against brokers that mockforge-tui runs inside pytest."""

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parents[1]))

from shop.billing import Billing
from shop.orders import Orders
from shop.printing import print_invoices
from shop.robot import Robot

pytestmark = pytest.mark.mockforge(fixtures="../fixtures/shop.yaml", seed=42)


@pytest.fixture
def orders(mockforge) -> Orders:
    return Orders(mockforge.kafka.bootstrap)


@pytest.fixture
def billing(mockforge) -> Iterator[Billing]:
    service = Billing(mockforge.kafka.bootstrap, mockforge.amqp.url)
    service.start()
    yield service
    service.stop()


def test_checkout(mockforge, orders, billing):
    orders.place("o-1", 10)
    invoice = mockforge.amqp.expect(
        exchange="billing", routing_key="invoice.*", json={"order_id": "o-1"}, within=30
    )
    assert invoice.headers["trace_id"] == "trace-o-1"
    mockforge.kafka.wait_group("billing", topic="orders.created", lag=0, within=30)
    assert print_invoices(mockforge.amqp.url) == 1
    mockforge.amqp.wait_drained("invoices")
    mockforge.amqp.expect_none(queue="unprinted", within=0.1)


def test_retries(mockforge, orders):
    with mockforge.faults.kafka(api="Produce", error="NOT_LEADER_OR_FOLLOWER", times=2) as fault:
        orders.place("o-1", 10)
        mockforge.kafka.expect("orders.created", key="o-1", count=1, settle=0.2, within=30)
    assert fault.hits == 2


def test_offline_device(mockforge):
    robot = Robot(mockforge.mqtt.url, "robot-7")
    mockforge.mqtt.expect("robots/robot-7/status", payload="online", within=30)
    with mockforge.mqtt.blackhole(client="robot-*"):
        mockforge.clock.advance("90s")
    mockforge.mqtt.expect("robots/robot-7/status", payload="offline", retain=True, within=30)
    robot.stop()


def test_dead_letters(mockforge, orders, billing):
    orders.place("o-1", -5)
    mockforge.amqp.expect(queue="invoices", within=30)
    assert print_invoices(mockforge.amqp.url) == 0
    letter = mockforge.amqp.expect(queue="unprinted", json={"order_id": "o-1"}, within=30)
    assert letter.headers["x-death"][0]["reason"] == "rejected"


def test_exactly_once(mockforge, orders):
    before = Billing(mockforge.kafka.bootstrap, mockforge.amqp.url, commits=False)
    before.start()
    orders.place("o-1", 10)
    mockforge.amqp.expect(queue="invoices", within=30)
    before.stop()
    after = Billing(mockforge.kafka.bootstrap, mockforge.amqp.url, before.billed)
    after.start()
    mockforge.kafka.wait_group("billing", topic="orders.created", lag=0, within=30)
    after.stop()
    mockforge.amqp.expect(queue="invoices", count=1, settle=0.2)
