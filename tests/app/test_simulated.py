"""Simulated consumer groups have true lag; failures last."""

import json
from itertools import pairwise
from pathlib import Path

import pytest
from mockforge_brokers.clock import ManualClock
from mockforge_brokers.environment import Environment
from mockforge_brokers.events import Warned
from mockforge_brokers.journal import IN, Row

from mockforge_tui.brokers import Brokers
from mockforge_tui.config import Config
from mockforge_tui.console.commands.faults import value_of
from mockforge_tui.fixtures import load
from mockforge_tui.fixtures.native.faults import rule_of
from mockforge_tui.production import Production
from mockforge_tui.runtime import build_brokers


class World:
    """Brokers on a manual clock, with fixtures at work."""

    def __init__(self, tmp_path: Path, text: str, **settings) -> None:
        path = tmp_path / "f.yaml"
        path.write_text(text)
        self.clock = ManualClock()
        self.environment = Environment.create(self.clock, seed=1, limits=Config().limits)
        self.brokers: Brokers = build_brokers(self.environment, Config())
        self.events: list[object] = []
        self.environment.spine.watch(self.events.append, Warned)
        self.production = Production(self.brokers, self.environment, 1, **settings)
        self.production.load(load([path]), start=True)

    def publish(self, count: int) -> None:
        for _ in range(count):
            self.brokers.kafka.publish("orders", b"x")

    def lag(self, group: str) -> int:
        (found,) = [each for each in self.brokers.kafka.groups() if each.name == group]
        return found.lag


GROUP = """
mockforge: 1
kafka:
  topics: {orders: {partitions: 3}}
  groups: [{group: billing, topics: [orders], simulate: {%s}}]
"""


@pytest.fixture
def world(tmp_path):
    made = []

    def build(simulate: str) -> World:
        made.append(World(tmp_path, GROUP % simulate))
        return made[-1]

    yield build
    for each in made:
        each.production.stop()


def test_a_group_without_a_rate_stays_as_far_behind_as_told(world):
    one = world("lag: 5")
    assert one.lag("billing") == 0
    one.publish(3)
    one.clock.advance(1)
    assert one.lag("billing") == 3
    one.publish(20)
    one.clock.advance(1)
    assert one.lag("billing") == 5


def test_a_group_begins_at_its_lag_and_works_at_its_rate(world):
    one = world("lag: 100, rate: 20/s, commit: 1s")
    one.publish(99)
    one.clock.advance(10)
    assert one.lag("billing") == 99
    one.publish(1)
    one.clock.advance(1)
    assert one.lag("billing") == 80
    one.clock.advance(3)
    assert one.lag("billing") == 20
    one.clock.advance(5)
    assert one.lag("billing") == 0
    one.clock.advance(100)
    one.publish(50)
    one.clock.advance(1)
    assert one.lag("billing") == 30


def test_a_rate_that_is_too_low_lets_the_lag_grow(world):
    one = world("rate: 0.5/s, commit: 10s")
    one.publish(10)
    one.clock.advance(10)
    one.publish(10)
    one.clock.advance(10)
    assert one.lag("billing") == 10


def test_a_purged_topic_is_read_on_from_where_it_begins(world):
    one = world("rate: 1/s, commit: 1s")
    one.publish(30)
    one.brokers.kafka.purge_topic("orders")
    one.publish(4)
    one.clock.advance(1)
    assert one.lag("billing") == 3


def test_a_group_that_gets_real_members_is_simulated_no_more(world):
    one = world("lag: 5")
    kafka = one.brokers.kafka

    def refuse(*_) -> None:
        from mockforge_brokers.errors import InvalidInput

        raise InvalidInput("group billing has members")

    kafka.commit = refuse
    one.publish(20)
    one.clock.advance(5)
    (event,) = one.events
    assert event.text == "is simulated no more: group billing has members"


def test_a_failure_goes_on_for_its_time_and_then_comes_by_chance_again(tmp_path):
    text = """
fixture: {name: x, protocol: kafka}
topics: []
failure_simulation:
  broker_failures: {failure_rate: 0.001, duration_ms: [5000, 5000]}
"""
    one = World(tmp_path, text)
    faults = one.environment.faults
    (fault,) = one.production.engine.fixtures.faults
    rule = faults.add(rule_of(fault))
    assert value_of(rule).endswith(" 0.1% lasts 5s")
    row = Row("kafka", IN, "Produce")

    def fires() -> bool:
        return faults.ask([row], (set(), False)) is not None

    def begin() -> None:
        while not fires():
            """By chance, once in a thousand."""

    begin()
    assert all(fires() for _ in range(50))
    one.clock.advance(4.9)
    assert all(fires() for _ in range(50))
    one.clock.advance(0.2)
    assert not all(fires() for _ in range(50))
    begin()
    faults.enable(rule.id, False)
    faults.enable(rule.id, True)
    assert not all(fires() for _ in range(50))
    one.production.stop()


def test_cluster_id_is_that_of_the_file_and_time_runs_by_scale(tmp_path):
    text = """
fixture: {name: x, protocol: kafka}
cluster: {cluster_id: shop-cluster}
topics:
  - name: orders
    messages: [{value: {at: "{{timestamp}}"}, auto_produce: {rate_per_second: 1}}]
"""
    one = World(tmp_path, text, time_scale=3600.0)
    assert one.brokers.kafka.cluster.cluster_id == "shop-cluster"
    one.clock.advance(2.5)
    stamps = sorted(
        json.loads(record.value)["at"]
        for partition in range(3)
        for record in one.brokers.kafka.read("orders", partition, 0, 9)
    )
    assert [later - earlier for earlier, later in pairwise(stamps)] == [
        3_600_000,
        3_600_000,
    ]
    one.production.stop()
