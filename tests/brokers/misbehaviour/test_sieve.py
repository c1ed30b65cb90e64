"""What is found out of the rules once for the frames of all connections."""

from random import Random

import pytest
from mockforge_brokers.clock import ManualClock
from mockforge_brokers.environment import Environment
from mockforge_brokers.journal import IN, Row
from mockforge_brokers.misbehaviour.actions import Drop, Watch
from mockforge_brokers.misbehaviour.rules import COMPARED, Faults, Rule, Trigger
from msgspec.structs import replace

from mockforge_tui.console.commands.faults import closest
from mockforge_tui.fault_values import frame_match

CLIENTS = ("audit", "billing")
OPERATIONS = ("PUBLISH", "open", "CONNECT")
TOPICS = ("a", "b/c", "")
TERMS = (
    "proto:mqtt",
    "proto:amqp",
    "op:PUBLISH",
    "-op:open",
    "dir:out",
    "topic:a",
    "topic:b/#",
    "client:audit",
    "(client:audit or topic:a)",
    "conn:2",
    "size>5",
    "PUB",
)


def made(scope: str, direction: int | None = None) -> Rule:
    # By chance some are about nothing that there is, which is refused elsewhere.
    return Rule(replace(frame_match(scope, direction), kinds=None), Drop(), Trigger())


def faults_of(scopes: list[tuple[str, int | None]]) -> Faults:
    faults = Environment.create(ManualClock(), seed=1).faults
    for scope, direction in scopes:
        faults.add(made(scope, direction))
    return faults


def a_row(chance: Random) -> Row:
    client = chance.choice(CLIENTS)
    return Row(
        chance.choice(("mqtt", "amqp")),
        chance.choice((0, 1)),
        chance.choice(OPERATIONS),
        1 + CLIENTS.index(client),
        client,
        destination=chance.choice(TOPICS),
        size=chance.choice((1, 10)),
    )


def parts_of(chance: Random) -> list[Row]:
    """Of one frame: they differ in destination alone."""
    first = a_row(chance)
    rows = [first]
    for _ in range(chance.choice((0, 0, 2))):
        another = a_row(chance)
        another.protocol, another.direction = first.protocol, first.direction
        another.operation, another.connection = first.operation, first.connection
        another.client = first.client
        rows.append(another)
    return rows


def nearest(rule: Rule) -> object:
    return None if rule.near is None else (rule.near.row, rule.near.failed)


@pytest.mark.parametrize("seed", range(30))
def test_rules_that_are_sifted_do_and_say_what_they_do_and_say_when_all_are_asked(
    seed: int,
) -> None:
    chance = Random(seed)
    scopes = [
        (" ".join(chance.sample(TERMS, chance.randint(0, 3))), chance.choice((None, None, 0, 1)))
        for _ in range(12)
    ]
    sifted, all_asked = faults_of(scopes), faults_of(scopes)
    for number in range(300):
        if number % 40 == 39:
            change = chance.choice(("add", "off", "on", "remove"))
            which = chance.choice(list(sifted.rules))
            for faults in (sifted, all_asked):
                if change == "add":
                    faults.add(made("op:PUBLISH topic:a client:billing size>5"))
                elif change == "remove":
                    faults.remove(which)
                else:
                    faults.enable(which, change == "on")
        parts = parts_of(chance)
        placed = chance.choice((True, False))
        about = sifted.candidates(parts, placed=placed)
        fired = sifted.ask(parts, (set(), False), about)
        expected = all_asked.ask(parts, (set(), False))
        assert (fired and fired.rule.id) == (expected and expected.rule.id)
        for one, other in zip(sifted.rules.values(), all_asked.rules.values(), strict=True):
            assert (one.hits, one.seen) == (other.hits, other.seen)
            assert (nearest(one), closest(one, 0.0)) == (nearest(other), closest(other, 0.0))


def test_a_kind_of_frame_is_held_against_a_rule_once_whoevers_it_is() -> None:
    faults = Environment.create(ManualClock(), seed=1).faults
    rule = faults.add(made("op:Fetch topic:none"))
    for connection in range(1, 100):
        row = Row("mqtt", IN, "PUBLISH", connection, f"c{connection}", destination="a")
        assert faults.candidates([row], placed=True) == ()
    assert rule.missed == 1
    assert faults.candidates([Row("mqtt", IN, "PUBLISH", destination="b")], placed=True) == ()
    assert rule.missed == 2


def test_who_is_looked_for_by_client_is_compared_with_each_connection() -> None:
    faults = Environment.create(ManualClock(), seed=1).faults
    rule = faults.add(made("client:c7 op:PUBLISH topic:none"))
    for connection in range(1, 10):
        row = Row("mqtt", IN, "PUBLISH", connection, f"c{connection}", destination="a")
        assert faults.candidates([row], placed=True) == ()
    assert rule.near is not None
    assert (rule.near.row.client, rule.near.failed) == ("c7", ("topic:none",))


def test_a_rule_that_rests_or_is_gone_is_asked_no_more() -> None:
    faults = Environment.create(ManualClock(), seed=1).faults
    rule = faults.add(made("topic:a"))
    row = Row("mqtt", IN, "PUBLISH", destination="a")
    assert faults.candidates([row], placed=True) == (rule,)
    faults.enable(rule.id, False)
    assert faults.candidates([row], placed=True) == ()
    faults.enable(rule.id, True)
    assert faults.candidates([row], placed=True) == (rule,)
    faults.remove(rule.id)
    assert faults.candidates([row], placed=True) == ()


def test_what_is_remembered_of_kinds_is_bounded() -> None:
    faults = Environment.create(ManualClock(), seed=1).faults
    faults.add(made("topic:none"))
    for number in range(2_500):
        faults.candidates([Row("mqtt", IN, "PUBLISH", destination=f"t/{number}")], placed=True)
    faults.candidates([Row("mqtt", IN, "PUBLISH", destination="t" * 60_000)], placed=True)
    assert faults._sieve is not None
    known = faults._sieve._known
    assert len(known) <= 1_000
    assert max(len(str(key)) for key in known) < 2_000


def test_only_rules_that_name_an_operation_are_asked_about_a_beginning() -> None:
    def fails(row: Row) -> bool:
        raise AssertionError

    faults = Environment.create(ManualClock(), seed=1).faults
    for scope in ("", "client:a", "topic:t size>3"):
        rule = made(scope)
        rule.match = replace(rule.match, matches=fails)
        faults.add(rule)
    named = [faults.add(made(scope)) for scope in ("client:b op:open", "op=open", "client:a")]
    row = Row("mqtt", IN, "open", client="a")
    assert faults.ask_at_an_end(row, (Watch,)) is None
    assert faults.ask_at_an_end(row, (Drop,)) is named[1]


def test_a_rule_has_looked_around_after_so_many_frames() -> None:
    faults = Environment.create(ManualClock(), seed=1).faults
    rule = faults.add(made("client:audit size>5"))
    row = Row("mqtt", IN, "PUBLISH", client="billing", destination="a", size=1)
    for _ in range(COMPARED):
        assert faults.candidates([row], placed=True) == (rule,)
        assert faults.ask([row], (set(), False), faults.candidates([row], placed=True)) is None
    assert not rule.looking
    assert faults.candidates([row], placed=True) == ()
