"""When rules match and fire, without any connection."""

from collections.abc import Iterator
from typing import Any

import pytest
from mockforge_brokers.clock import ManualClock
from mockforge_brokers.environment import Environment
from mockforge_brokers.errors import InvalidInput
from mockforge_brokers.journal import IN, OUT, Row
from mockforge_brokers.misbehaviour.actions import (
    ACTIONS,
    Delay,
    Disconnect,
    Inject,
    Refuse,
    SetFields,
    find,
    make_action,
    name_of,
)
from mockforge_brokers.misbehaviour.codes import resolve_code
from mockforge_brokers.misbehaviour.exchanges import Exchanges
from mockforge_brokers.misbehaviour.holds import HoldRule
from mockforge_brokers.misbehaviour.possible import FrameKind, kinds_of
from mockforge_brokers.misbehaviour.rules import Match, Rule
from msgspec.structs import replace

from ..misbehaving import fault


def row(direction: int = IN, number: object = None, protocol: str = "kafka") -> Row:
    return Row(protocol, direction, "Produce", destination="t", correlation=number)


class World:
    def __init__(self, rule: Rule) -> None:
        self.clock = ManualClock()
        self.faults = Environment.create(self.clock, seed=1).faults
        self.rule = self.faults.add(rule)
        self.exchanges = Exchanges()

    def fires(self, one: Row) -> bool:
        return self.faults.ask([one], self.exchanges.of(one)) is not None

    def run(self, count: int) -> list[int]:
        """Which of so many matches fire, counted from 1."""
        return [number for number in range(1, count + 1) if self.fires(row())]


def test_the_answer_to_a_matched_request_is_left_alone() -> None:
    world = World(fault())
    assert world.fires(row(IN, 1))
    assert not world.fires(row(OUT, 1))
    assert world.fires(row(OUT, 2))
    assert world.rule.hits == 2


def test_what_was_let_pass_counts_as_matched_in_its_answer_too() -> None:
    world = World(fault(first=1))
    assert not world.fires(row(IN, 1))
    assert not world.fires(row(OUT, 1))
    assert world.rule.seen == 1


def test_the_answer_is_left_alone_by_rules_that_an_earlier_one_kept_from_the_request() -> None:
    world = World(fault(times=1))
    other = world.faults.add(fault())
    assert world.fires(row(IN, 1))
    assert not world.fires(row(OUT, 1))
    assert other.hits == 0


def test_an_answer_alone_can_be_matched_where_the_request_does_not() -> None:
    world = World(fault(matches=lambda one: one.direction == OUT))
    assert not world.fires(row(IN, 1))
    assert world.fires(row(OUT, 1))


def test_a_direction_matches_each_frame_of_it() -> None:
    world = World(fault(direction=OUT))
    assert not world.fires(row(IN, 1))
    assert world.fires(row(OUT, 1))


def test_a_number_used_again_opens_a_new_exchange() -> None:
    world = World(fault())
    assert world.fires(row(IN, 1))
    assert world.fires(row(IN, 1))


def test_open_exchanges_are_bounded_and_the_oldest_goes() -> None:
    exchanges = Exchanges()
    for number in range(1_001):
        exchanges.of(row(IN, number))
    assert not exchanges.of(row(OUT, 0))[1]
    assert exchanges.of(row(OUT, 1_000))[1]


@pytest.mark.parametrize(
    ("trigger", "fired"),
    [
        ({}, [1, 2, 3, 4, 5, 6]),
        ({"first": 2}, [3, 4, 5, 6]),
        ({"every": 2}, [1, 3, 5]),
        ({"first": 1, "every": 3}, [2, 5]),
        ({"times": 2}, [1, 2]),
        ({"first": 1, "every": 2, "times": 2}, [2, 4]),
        ({"first": 3, "last": 4}, [4]),
    ],
)
def test_conditions_count_matches(trigger: dict[str, float], fired: list[int]) -> None:
    assert World(fault(**trigger)).run(6) == fired


def test_a_rule_begins_late_and_rests_after_its_window() -> None:
    world = World(fault(after=10.0, window=5.0))
    assert world.run(2) == []
    world.clock.advance(10)
    assert world.run(2) == [1, 2]
    world.clock.advance(4.5)
    assert world.run(1) == [1]
    world.clock.advance(0.5)
    assert world.run(1) == []
    assert world.rule.seen == 3
    assert world.faults.rules


def test_a_lifetime_takes_the_rule_out() -> None:
    world = World(fault(lifetime=2.0))
    world.clock.advance(2)
    assert not world.faults.rules
    assert not world.faults.active


def test_a_resting_rule_neither_fires_nor_counts() -> None:
    world = World(fault())
    world.faults.enable(1, False)
    assert world.run(2) == []
    assert world.rule.seen == 0


def test_only_requests_of_a_protocol_that_has_the_code_are_refused() -> None:
    world = World(fault(Refuse("QUOTA_EXCEEDED", {"mqtt": 0x97})))
    assert not world.fires(row(IN))
    assert not world.fires(row(OUT, protocol="mqtt"))
    assert world.fires(row(IN, protocol="mqtt"))


def test_of_what_is_about_one_match_alone_chance_makes_no_other() -> None:
    fired = {tuple(World(fault(first=2, last=3, times=1, probability=0.3)).run(9))}
    for seed in range(20):
        world = World(fault(first=2, last=3, times=1, probability=0.3))
        world.faults.reseed(seed)
        fired.add(tuple(world.run(9)))
    assert fired == {(), (3,)}


@pytest.mark.parametrize(
    "trigger",
    [
        {"probability": 1.1},
        {"probability": 0.0},
        {"every": 0},
        {"window": 0.0},
        {"until": 0.0},
        {"after": 3.0, "until": 3.0},
        {"lifetime": 0.0},
        {"after": 3.0, "lifetime": 3.0},
    ],
)
def test_impossible_conditions_are_refused(trigger: dict[str, Any]) -> None:
    with pytest.raises(InvalidInput):
        fault(**trigger)


def test_an_action_for_the_other_way_or_another_protocol_is_refused() -> None:
    refuse = Refuse("QUOTA_EXCEEDED", {"mqtt": 0x97})
    with pytest.raises(InvalidInput, match="dir is in"):
        fault(refuse, direction=OUT)
    with pytest.raises(InvalidInput, match="dir is out"):
        fault(Inject("0xc000"), direction=IN)
    kafka = Match("op:a*", lambda row: True, kinds=lambda: kinds_of("kafka", "ask"))
    with pytest.raises(InvalidInput, match="QUOTA_EXCEEDED is a code of MQTT, not of ask"):
        Rule(kafka, refuse)
    with pytest.raises(InvalidInput, match="not of ask: give one of Kafka's"):
        HoldRule(kafka, decision=refuse)


def test_of_several_fields_one_kind_of_frame_must_have_all() -> None:
    def kinds() -> Iterator[FrameKind]:
        yield from kinds_of("mqtt", "ONE", lambda: ("a", "b"))
        yield from kinds_of("mqtt", "TWO", lambda: ("b", "c"))

    match = Match("proto:mqtt", lambda row: True, kinds=kinds)
    assert Rule(match, SetFields({"b": "1", "c": "1"}))
    with pytest.raises(InvalidInput, match="no frame of proto:mqtt has all of a, c"):
        Rule(match, SetFields({"a": "1", "c": "1"}))


# Actions and codes.


def test_every_action_is_found_by_its_names_and_made_from_its_parameters() -> None:
    for name, kind in ACTIONS.items():
        assert all(find(alias) is kind for alias in (name, *kind.aliases))
        numbers = {"duration": 1.0, "size": 1, "count": 2}
        values = {p.name: numbers.get(p.kind, "1") for p in kind.parameters}
        extra = {Refuse: {"codes": {}}, Disconnect: {"mid": False}}.get(kind.action, {})
        assert name_of(make_action(kind, values | extra)) == name
        assert {p.name for p in kind.parameters} <= set(kind.action.__struct_fields__)
    assert find("explode") is None


def test_an_unknown_parameter_names_those_there_are() -> None:
    with pytest.raises(InvalidInput, match="no parameter 'speed'; it takes duration, jitter"):
        make_action(ACTIONS["delay"], {"duration": 1.0, "speed": 2})
    assert make_action(ACTIONS["delay"], {"duration": 1.0}) == Delay(1.0)
    assert make_action(ACTIONS["disconnect"], {"reset": True}) == Disconnect(reset=True)


KNOWN = {
    "kafka": {"NOT_LEADER_OR_FOLLOWER": 6, "NETWORK_EXCEPTION": 13},
    "mqtt": {"NOT_AUTHORIZED": 135},
    "amqp": {"NACK": 120, "NOT_FOUND": 404, "NOT_AUTHORIZED": 999},
}


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("NOT_LEADER_OR_FOLLOWER", {"kafka": 6}),
        ("not-leader-or-follower", {"kafka": 6}),
        ("6", {"kafka": 6}),
        ("0x87", {"mqtt": 135}),
        ("not_authorized", {"mqtt": 135, "amqp": 999}),
    ],
)
def test_a_code_is_known_by_name_and_number(text: str, found: dict[str, int]) -> None:
    assert resolve_code(text, KNOWN) == found


def test_an_unknown_code_names_the_nearest() -> None:
    with pytest.raises(InvalidInput, match=r"'NOT_LEADER' is no code .*NOT_LEADER_OR_FOLLOWER"):
        resolve_code("NOT_LEADER", KNOWN)


def terms(**wanted: object) -> tuple[tuple[str, Any], ...]:
    return tuple(
        (f"{name}:{value}", lambda row, name=name, value=value: getattr(row, name) == value)
        for name, value in wanted.items()
    )


def test_a_rule_that_never_matched_knows_the_frame_that_came_nearest() -> None:
    conditions = terms(protocol="kafka", operation="Produce", client="billing")
    rule = fault(matches=lambda one: all(holds(one) for _, holds in conditions))
    rule.match = replace(rule.match, terms=conditions, direction=IN)
    world = World(rule)
    fetch = Row("kafka", IN, "Fetch", client="audit")
    near = Row("kafka", IN, "Produce", client="audit")
    for one in (Row("mqtt", OUT, "PUBLISH"), fetch, near, fetch):
        assert not world.fires(one)
    assert rule.near is not None
    assert (rule.near.row, rule.near.failed) == (near, ("client:billing",))
    assert (rule.seen, rule.missed) == (0, 4)


def test_the_other_direction_is_what_keeps_a_rule_from_matching() -> None:
    conditions = terms(operation="Produce")
    rule = fault(matches=lambda one: one.operation == "Produce", direction=OUT)
    rule.match = replace(rule.match, terms=(*conditions, *terms(protocol="kafka")))
    world = World(rule)
    assert not world.fires(row(IN))
    assert rule.near is not None
    assert rule.near.failed == ("--dir out",)


def test_what_a_rule_cannot_do_to_the_frame_that_it_is_about_is_what_keeps_it_from_firing() -> None:
    rule = fault(Refuse("NACK", {"amqp": 120}), lambda one: one.operation == "Produce")
    rule.match = replace(rule.match, terms=terms(operation="Produce"))
    world = World(rule)
    assert not world.fires(row(IN))
    assert rule.near is not None
    assert rule.near.failed == ("what refuse is for",)


def test_a_rule_does_not_fire_any_more_after_its_until() -> None:
    world = World(fault(until=10.0))
    assert world.fires(row())
    world.clock.advance(10)
    assert not world.fires(row())
    assert world.faults.rules


def mqtt(direction: int, operation: str) -> Row:
    return Row("mqtt", direction, operation, correlation=(OUT, 7))


def test_a_repeated_acknowledgement_takes_nothing_from_who_sent_it() -> None:
    """The PUBLISH that it is of went past unread, since no rule is about such."""
    exchanges = Exchanges()
    acknowledgement = mqtt(IN, "PUBACK")
    exchanges.of(acknowledgement)
    exchanges.repeated(acknowledgement, 1)
    assert not exchanges.surplus
    for _ in range(3):
        # The same packet identifier, for the next messages.
        message = mqtt(OUT, "PUBLISH")
        exchanges.of(message)
        assert not exchanges.is_surplus(message.correlation)


@pytest.mark.parametrize("known", [True, False])
def test_of_a_repeated_pubrec_one_pubrel_is_surplus(known: bool) -> None:
    exchanges = Exchanges()
    if known:
        exchanges.of(mqtt(OUT, "PUBLISH"))
    exchanges.of(mqtt(IN, "PUBREC"))
    exchanges.repeated(mqtt(IN, "PUBREC"), 1)
    found = []
    for _ in range(3):
        release = mqtt(OUT, "PUBREL")
        exchanges.of(release)
        found.append(exchanges.is_surplus(release.correlation))
    assert found == [False, True, False]


def test_a_rule_about_answers_fires_for_each_though_their_requests_went_past_unread() -> None:
    world = World(fault(matches=lambda one: one.operation == "PINGRESP"))
    ping, answer = (
        Row("mqtt", way, name, correlation="PINGREQ")
        for way, name in ((IN, "PINGREQ"), (OUT, "PINGRESP"))
    )
    # The first is read, and shows that no rule is about such.
    assert not world.fires(ping)
    assert [world.fires(answer) for _ in range(3)] == [True, True, True]


def test_repetitions_that_nobody_answers_are_bounded_too() -> None:
    exchanges = Exchanges()
    for number in range(1_001):
        exchanges.repeated(Row("mqtt", IN, "PUBLISH", correlation=number), 1)
    assert len(exchanges.surplus) == 1_000
    exchanges.is_surplus(1_000)
    assert exchanges.is_surplus(1_000)
