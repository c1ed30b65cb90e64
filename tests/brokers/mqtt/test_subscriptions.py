"""The trie of subscriptions, and of retained topics, against what the filters say by themselves."""

from itertools import product
from random import Random
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from mockforge_brokers.limits import Limits
from mockforge_brokers.mqtt.options import SHARED_ORDERS
from mockforge_brokers.mqtt.records import Message
from mockforge_brokers.mqtt.state.retained import RetainedMessages
from mockforge_brokers.mqtt.state.session import Session
from mockforge_brokers.mqtt.state.subscriptions import Share, Subscription, SubscriptionTrie
from mockforge_brokers.mqtt.state.topics import matches, split_share

from ..calls import calls_of
from .scene import Scene

LEVELS = st.sampled_from(["a", "b", "$c", ""])
NAMES = st.lists(LEVELS, min_size=1, max_size=3).map("/".join).filter(bool)
FILTERS = st.builds(
    lambda share, levels, last: share + "/".join([*levels, *last]),
    st.sampled_from(["", "", "$share/g/", "$share/h/"]),
    st.lists(st.one_of(LEVELS, st.just("+")), min_size=1, max_size=3),
    st.sampled_from([[], ["#"]]),
).filter(lambda each: bool(split_share(each)[1]))


def session(scene: Scene, name: str) -> Session:
    return scene.broker.registry.create(name)


@given(st.lists(st.tuples(st.sampled_from("xyz"), FILTERS), max_size=12), NAMES)
def test_what_reaches_a_session_is_told_apart_by_plain_and_shared(
    wishes: list[tuple[str, str]], name: str
) -> None:
    scene, trie = Scene(journal=False), SubscriptionTrie()
    sessions = {each: session(scene, each) for each in "xyz"}
    for who, topic_filter in wishes:
        trie.add(sessions[who], Subscription(topic_filter))
    for who, one in sessions.items():
        mine = {each for owner, each in wishes if owner == who}
        matching = {each for each in mine if matches(split_share(each)[1], name)}
        shared = {each for each in matching if each.startswith("$share/")}
        names = {split_share(each)[0] for each in mine if each.startswith("$share/")}
        plain, shares = trie.of_session(one, name, names)
        assert (plain, sorted(shares)) == (bool(matching - shared), sorted(shared))


def test_what_others_share_is_not_looked_at_for_a_session() -> None:
    def calls(others: int) -> int:
        scene, trie = Scene(journal=False), SubscriptionTrie()
        mine = session(scene, "mine")
        trie.add(mine, Subscription("$share/g/t"))
        for number in range(others):
            trie.add(session(scene, f"{number}"), Subscription(f"$share/{number}/t"))
        return calls_of(lambda: trie.of_session(mine, "t", {"g"}))

    assert calls(500) == calls(5)


@given(st.lists(st.tuples(st.sampled_from(["join", "leave", "choose"]), st.sampled_from("xyz"))))
def test_members_take_turns_as_they_stand_however_they_come_and_go(
    steps: list[tuple[str, str]],
) -> None:
    scene, share = Scene(journal=False), Share("turns", Random(0))
    sessions = {each: session(scene, each) for each in "xyz"}
    members: dict[str, Subscription] = {}
    for number, (what, who) in enumerate(steps):
        wish = Subscription("$share/g/t", 1, identifier=number)
        match what:
            case "join":
                assert share.join(sessions[who], wish) is (who not in members)
                members[who] = wish
            case "leave":
                assert share.leave(sessions[who]) is (members.pop(who, None) is not None)
            case _ if members:
                chosen = share.choose("t", number)
                turn = list(members)[share.turn % len(members)]
                assert chosen == (sessions[turn], members[turn])


class Member:
    """A session as a share sees it; `looks` counts how often one was asked whether it is there."""

    looks = 0
    reads = None

    def __init__(self, there: bool) -> None:
        self.there = there

    @property
    def ready(self) -> bool:
        Member.looks += 1
        return self.there


def share_of(order: str, *there: bool) -> tuple[Share, list[Any]]:
    share, members = Share(order, Random(0)), [Member(each) for each in there]
    for each in members:
        share.join(each, Subscription("$share/g/t"))  # type: ignore[arg-type]
    return share, members


@pytest.mark.parametrize("there", [each for each in product([True, False], repeat=4) if any(each)])
def test_what_would_go_to_members_that_are_away_goes_to_all_others_alike(
    there: tuple[bool, ...],
) -> None:
    share, members = share_of("turns", *there)
    for _ in range(40):
        share.choose("t", 1)
    counts = [share.taken.get(each, 0) for each in members if each.there]
    assert sum(counts) == 40
    assert max(counts) - min(counts) <= 1


@pytest.mark.parametrize("order", SHARED_ORDERS)
def test_who_is_there_is_looked_for_once_among_many_that_are_away(order: str) -> None:
    share, members = share_of(order, *[False] * 500, True, *[False] * 500)
    Member.looks = 0
    for number in range(100):
        chosen = share.choose(f"{number}", 1)
        assert chosen is not None
        assert chosen[0] is members[500]
    assert Member.looks <= len(members) + 2 * 100
    # Another one comes back, then all go.
    members[500].there, members[7].there = False, True
    assert {share.choose("t", 2)[0] for _ in range(10)} == {members[7]}  # type: ignore[index]
    members[7].there = False
    Member.looks = 0
    for _ in range(100):
        assert share.choose("t", 3)
    assert Member.looks <= len(members) + 2 * 100


class Reader(Member):
    """It is there, and may read `a`, or nothing; `asked` counts how often it was."""

    asked = 0

    def __init__(self, may: bool) -> None:
        super().__init__(True)
        self.may = may

    def reads(self, topic_name: str) -> bool:
        Reader.asked += 1
        return self.may


def readers_of(*may: bool) -> tuple[Share, list[Any]]:
    share, members = Share("turns", Random(0)), [Reader(each) for each in may]
    for each in members:
        share.join(each, Subscription("$share/g/t"))  # type: ignore[arg-type]
    return share, members


@pytest.mark.parametrize("may", [each for each in product([True, False], repeat=5) if any(each)])
def test_what_would_go_to_members_without_the_right_goes_to_all_others_alike(
    may: tuple[bool, ...],
) -> None:
    share, members = readers_of(*may)
    for _ in range(60):
        share.choose("a", 1)
    counts = [share.taken.get(each, 0) for each in members if each.may]
    assert sum(counts) == 60
    assert max(counts) - min(counts) <= 1


@pytest.mark.parametrize("ready", [True, False])
def test_who_may_read_a_topic_is_looked_for_once_among_many_that_may_not(ready: bool) -> None:
    share, members = readers_of(*[False] * 500, True, *[False] * 500)
    members[500].there = ready
    Reader.asked = 0
    for number in range(100):
        chosen = share.choose(f"{number % 2}", 1)
        assert chosen is not None
        assert chosen[0] is members[500]
    assert Reader.asked <= 4 * len(members) + 100
    # Rights change with the moment.
    members[500].may, members[7].may = False, True
    assert {share.choose("0", 2)[0] for _ in range(10)} == {members[7]}  # type: ignore[index]
    members[7].may = False
    assert share.choose("0", 3) is None


def test_a_share_remembers_who_may_read_of_so_many_topics_and_no_more() -> None:
    share, _ = readers_of(False, True, True)
    share.choose("first", 1)
    for number in range(20_000):
        share.choose(f"{number}", 1)
    assert len(share._readers) < 10_000


@given(st.sets(NAMES), FILTERS.map(lambda each: split_share(each)[1]))
def test_retained_messages_are_found_as_their_names_match(names: set[str], wanted: str) -> None:
    limits = Limits()
    retained = RetainedMessages(limits.mqtt_retained, limits.mqtt_retained_bytes)
    for name in names:
        retained.store(Message(name, b"x"))
    found = [one.topic_name for one in retained.match(wanted, 0.0) if one is not None]
    assert sorted(found) == sorted(each for each in names if matches(wanted, each))


def test_a_filter_that_matches_nothing_of_many_topics_is_looked_for_in_steps() -> None:
    limits = Limits()
    retained = RetainedMessages(limits.mqtt_retained, limits.mqtt_retained_bytes)
    for number in range(500):
        retained.store(Message(f"{number}/b/c", b"x"))
    steps = list(retained.match("+/+/+/d", 0.0))
    assert not any(steps)
    assert len(steps) > 500
