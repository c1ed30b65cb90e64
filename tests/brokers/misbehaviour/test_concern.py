"""Which connections the rules can be about: all others take no lane."""

from types import SimpleNamespace
from typing import Any

import pytest
from mockforge_brokers.access import Principal
from mockforge_brokers.clock import ManualClock
from mockforge_brokers.environment import Environment
from mockforge_brokers.journal import Origin, Row
from mockforge_brokers.misbehaviour.actions import Delay
from mockforge_brokers.misbehaviour.concern import Concern
from mockforge_brokers.misbehaviour.holds import HoldRule
from mockforge_brokers.misbehaviour.rules import COMPARED, Match, Rule
from msgspec.structs import replace

from ..fake_peer import FakePeer
from ..lines import is_word
from ..misbehaving import everything, fault, hold
from .scene import Scene


def of(client: str) -> Match:
    def is_it(row: Row) -> bool:
        return row.client == client

    return Match(f"client:{client} topic:t", everything, origin=is_it)


class World:
    def __init__(self, client: str = "billing") -> None:
        self.environment = environment = Environment.create(ManualClock(), seed=1)
        self.faults, self.holds = environment.faults, environment.holds
        self.connection: Any = SimpleNamespace(client=client)
        self.peer = FakePeer(1, 0.0, "mqtt")
        self.concern = Concern(self.faults, self.holds, self.peer, self.connection)

    def add(self, match: Match) -> Rule:
        rule = fault()
        rule.match = match
        rule.missed = COMPARED
        return self.faults.add(rule)


def test_a_rule_for_another_client_concerns_nobody_else() -> None:
    world = World()
    assert not world.concern.asks()
    world.add(of("audit"))
    assert not world.concern.asks()
    world.add(of("billing"))
    assert world.concern.asks()


def test_a_rule_that_says_nothing_of_clients_concerns_all() -> None:
    world = World()
    world.add(Match("topic:t", everything))
    assert world.concern.asks()


def test_who_has_not_said_who_it_is_may_be_anybody() -> None:
    world = World("")
    world.add(of("audit"))
    assert world.concern.asks()
    world.connection.client = "billing"
    assert not world.concern.asks()


def test_who_logs_in_as_another_user_is_looked_at_anew() -> None:
    world = World()
    world.add(Match("user:bob", everything, origin=lambda row: row.origin.user == "bob"))
    assert not world.concern.asks()
    world.peer.principal = Principal("bob", "PLAIN")
    assert world.concern.asks()


def test_who_opens_a_virtual_host_is_looked_at_anew() -> None:
    world = World()
    world.add(Match("vhost:b", everything, origin=lambda row: row.origin.vhost == "b"))
    world.peer.principal = Principal("bob", "PLAIN")
    assert not world.concern.asks()
    world.peer.principal = Principal("bob", "PLAIN", vhost="b")
    assert world.concern.asks()


def test_a_rule_knows_where_a_connection_comes_from() -> None:
    world = World()
    seen: list[Origin] = []
    world.add(Match("address:x", everything, origin=lambda row: bool(seen.append(row.origin))))
    assert not world.concern.asks()
    assert seen == [Origin("", "127.0.0.1:50001", ("plain", "mqtt", "1"))]


def test_rules_that_rest_or_have_gone_concern_nobody() -> None:
    world = World()
    world.add(of("audit"))
    rule = world.add(of("billing"))
    world.faults.enable(rule.id, False)
    assert not world.concern.asks()
    world.faults.enable(rule.id, True)
    assert world.concern.asks()
    world.faults.remove(rule.id)
    assert not world.concern.asks()


def test_holds_are_asked_as_faults_are() -> None:
    world = World()
    rule = world.holds.add(HoldRule(of("billing")))
    assert world.concern.asks()
    world.holds.remove(rule.id)
    assert not world.concern.asks()


def never(row: Row) -> bool:
    return False


CLIENT = ("client:audit", lambda row: row.client == "audit")
NEVER = ("size>9", never)


@pytest.mark.parametrize(
    ("terms", "looks"),
    [
        # What fails the only term is not near, whichever frame it is.
        ((CLIENT,), 1),
        # But one term holds: nothing comes nearer without matching.
        ((("op:PUBLISH", everything), CLIENT), 1),
        ((NEVER, CLIENT), COMPARED),
    ],
)
def test_a_new_rule_looks_around_while_something_may_come_nearer_to_it(
    terms: tuple[Any, ...], looks: int
) -> None:
    world = World()
    rule = fault()
    rule.match = Match("client:audit", never, terms=terms, origin=CLIENT[1])
    world.faults.add(rule)
    row = Row("mqtt", 0, "PUBLISH", client="billing")
    for _ in range(looks):
        assert world.concern.asks()
        assert world.faults.ask([row], (set(), False)) is None
    assert not world.concern.asks()
    assert rule.missed == looks


@pytest.mark.parametrize(
    ("contents", "placed", "asked"),
    [(False, True, False), (False, False, True), (True, True, True)],
)
def test_of_frames_alike_in_all_that_its_terms_are_about_a_rule_sees_one(
    contents: bool, placed: bool, asked: bool
) -> None:
    world = World()
    rule = fault()
    rule.match = Match(
        "op:x size>9", never, terms=(NEVER, CLIENT), operation=never, place=never, contents=contents
    )
    world.faults.add(rule)
    row = Row("mqtt", 0, "PUBLISH")
    assert world.faults.candidates([row], placed=placed) == ((rule,) if asked else ())
    assert rule.missed == (0 if asked else 1)


# Frames that no rule of a lane can be about.


def word_rule(word: str) -> Rule:
    rule = fault(matches=is_word(word))
    rule.match = replace(rule.match, operation=is_word(word))
    rule.missed = COMPARED
    return rule


def watched(world: Scene) -> list[bytes]:
    """The frames that are read from now on."""
    read: list[bytes] = []
    rows = world.connection.rows

    def listening(direction: int, frame: bytes) -> list[Row]:
        read.append(frame)
        return rows(direction, frame)

    world.connection.rows = listening
    return read


def test_what_no_rule_can_be_about_is_read_once_and_goes_on_in_one_piece() -> None:
    world = Scene()
    world.faults.add(word_rule("x"))
    read = watched(world)
    world.lane.feed(b"a 1\na 2\na 3\nx\na 4\nb\n")
    assert world.passed == [b"a 1\n", b"a 2\na 3\n", b"a 4\n", b"b\n"]
    assert read == [b"a 1\n", b"x\n", b"b\n"]


def test_a_new_rule_is_asked_about_all_looks_again() -> None:
    world = Scene()
    world.faults.add(word_rule("x"))
    world.lane.feed(b"a\na\n")
    rule = world.faults.add(word_rule("a"))
    world.lane.feed(b"a\n")
    assert (rule.hits, len(world.passed)) == (1, 2)


def test_a_new_hold_too() -> None:
    world = Scene()
    world.faults.add(word_rule("x"))
    world.lane.feed(b"a\na\n")
    world.holds.add(hold(is_word("a")))
    world.lane.feed(b"a\n")
    assert len(world.holds.held) == 1


def test_what_is_not_read_waits_behind_what_does() -> None:
    world = Scene()
    rule = word_rule("slow")
    rule.action = Delay(1.0)
    world.faults.add(rule)
    world.lane.feed(b"a\nslow\na\na\n")
    assert world.passed == [b"a\n"]
    world.clock.advance(1.0)
    assert world.passed == [b"a\n", b"slow\n", b"a\n", b"a\n"]


def test_looks_are_bounded() -> None:
    world = Scene()
    world.faults.add(word_rule("x"))
    for number in range(2_500):
        world.lane.feed(b"w%d\n" % number)
    assert len(world.lane.skimmer.looks) <= 1_000
