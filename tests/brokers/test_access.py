"""Users and rules: one vocabulary, asked by all three protocols."""

import re

import pytest
from mockforge_brokers.access import (
    Access,
    Principal,
    User,
    hash_password,
    rule_of,
)
from mockforge_brokers.errors import InvalidInput
from mockforge_brokers.mqtt.state.topics import filter_problem
from mockforge_brokers.protocols import PROTOCOLS


def guarded(*rules: str, user: str = "alice", protocol: str = "kafka") -> list[str]:
    """What is denied of read, write and configure on a few names."""
    access = Access()
    for rule in rules:
        access.add_rule(rule_of(rule))
    guard = access.guard(protocol, user, lambda what, why: None)
    if guard is None:
        return ["all allowed"]
    names = ["orders.new", "secret.x", "group:billing", "cluster"]
    return [
        f"{operation} {name}"
        for name in names
        for operation in ("read", "write", "configure")
        if not guard.denial(operation, name)
    ]


def test_without_a_rule_of_the_protocol_there_is_no_guard() -> None:
    assert guarded() == ["all allowed"]
    assert guarded("allow alice read mqtt:a") == ["all allowed"]


ALL = [f"{op} {name}" for name in ("orders.new", "secret.x", "group:billing", "cluster")
       for op in ("read", "write", "configure")]  # fmt: skip


@pytest.mark.parametrize(
    ("rules", "allowed"),
    [
        (["allow alice read,write kafka:orders.*"], ["read orders.new", "write orders.new"]),
        (["allow * consume kafka:*"], [each for each in ALL if "read" in each]),
        (["deny alice all kafka:secret.*"], [each for each in ALL if "secret" not in each]),
        (["allow bob all kafka:*"], []),
        (["deny bob all kafka:*"], ALL),
        (["allow alice all kafka:*", "deny * all kafka:cluster"], ALL[:-3]),
        (["allow alice read kafka:group:bill*"], ["read group:billing"]),
        (["allow alice configure kafka:cluster"], ["configure cluster"]),
        (["allow alice read kafka:/^(orders|secret)[.]/"], ["read orders.new", "read secret.x"]),
        (["allow alice read kafka:/new$/"], ["read orders.new"]),
    ],
)  # fmt: skip
def test_rules_allow_what_they_say_and_deny_wins(rules: list[str], allowed: list[str]) -> None:
    assert guarded(*rules) == allowed


def test_rules_for_anonymous_hold_for_who_did_not_log_in() -> None:
    assert guarded("allow anonymous read kafka:orders.*", user="") == ["read orders.new"]
    assert guarded("allow anonymous read kafka:orders.*", user="alice") == []


def test_a_denial_names_the_rule_that_denies_or_the_one_that_is_missing_and_is_told_once() -> None:
    access, told = Access(), []
    access.add_rule(rule_of("allow alice read kafka:a"))
    access.add_rule(rule_of("deny * write kafka:b"))
    guard = access.guard("kafka", "alice", lambda *said: told.append(said))
    assert guard is not None
    assert guard.denial("write", "a") == "no rule allows it: allow alice write kafka:a"
    assert guard.denial("write", "b") == "a rule denies it: deny * write kafka:b"
    assert guard.denial("write", "b")
    assert [what for what, _ in told] == ["write a", "write b"]


def test_what_was_asked_of_long_names_is_remembered_up_to_a_size() -> None:
    access = Access()
    access.add_rule(rule_of("allow alice read mqtt:a/#"))
    guard = access.guard("mqtt", "alice", lambda what, why: None)
    assert guard is not None
    for number in range(50):
        assert guard.denial("read", f"{number}".ljust(60_000, "x"))
    assert sum(len(name) for _, name in guard._known) <= 1 << 20


@pytest.mark.parametrize(
    ("text", "kept"),
    [
        ("allow alice publish,subscribe mqtt:a/#", "allow alice read,write mqtt:a/#"),
        ("deny * read,write,create amqp:q", "deny * all amqp:/:q"),
        ("allow bob all amqp:shop:/^a:b/", "allow bob all amqp:shop:/^a:b/"),
    ],
)
def test_a_rule_reads_its_own_text(text: str, kept: str) -> None:
    assert rule_of(text).text == kept
    assert rule_of(kept) == rule_of(text)


@pytest.mark.parametrize(
    "topic",
    ["", "a", "a b/", "/", "+", "#", "a/+/b/#", "$SYS/#", "a#/b", "a/#/b", "#/", "+a", "##"],
)
def test_mqtts_patterns_are_its_filters(topic: str) -> None:
    described = PROTOCOLS["mqtt"]
    legal = re.fullmatch(described.filter, topic) is not None
    assert legal is (not filter_problem(topic) or not topic)


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("alice read kafka:a", "is no rule"),
        ("allow alice read", "is no rule"),
        ("allow alice steal kafka:a", "'steal' is none of read, write, configure, all"),
        ("allow alice read http:a", "no PROTOCOL:PATTERN"),
        ("allow alice read kafka:", "no PROTOCOL:PATTERN"),
        ("allow alice read kafka:/[/", "no regular expression"),
        ("allow alice all mqtt:a/#/b", "'a/#/b' matches nothing: + is a whole level, and #"),
        ("allow alice all mqtt:a#", "'a#' matches nothing"),
        ("deny alice all mqtt:a/+b", "'a/+b' matches nothing"),
    ],
)
def test_a_wrong_rule_says_what_is_wrong(text: str, problem: str) -> None:
    with pytest.raises(InvalidInput, match=re.escape(problem)):
        rule_of(text)


def test_passwords_are_compared_as_they_are_or_by_their_hash() -> None:
    hashed = hash_password("secret")
    assert hashed != hash_password("secret")
    for password in ("secret", hashed):
        user = User("alice", password)
        assert [user.check(each) for each in ("secret", "secret", "wrong", "", hashed)] == [
            True, True, False, False, False
        ]  # fmt: skip
    assert User("alice", hashed).plain == ""


@pytest.mark.parametrize(
    ("name", "password"), [("", "x"), ("*", "x"), ("anonymous", "x"), ("a", "$scrypt$no")]
)
def test_what_is_no_user_is_refused(name: str, password: str) -> None:
    with pytest.raises(InvalidInput):
        User(name, password)


def test_users_log_in_where_they_may() -> None:
    access = Access()
    access.add_user("guest", "guest", ("amqp",))
    assert access.login("amqp", "guest", "guest")
    assert not access.login("mqtt", "guest", "guest")
    assert (access.checks("amqp"), access.checks("mqtt")) == (True, False)
    access.remove_user("guest")
    with pytest.raises(InvalidInput, match="no user guest"):
        access.remove_user("guest")


@pytest.mark.parametrize(
    ("certificate", "name"),
    [("CN=client,O=x", "client"), ("OU=y,CN=a\\,b", "a,b"), ("O=x", ""), ("", "")],
)
def test_a_certificates_common_name(certificate: str, name: str) -> None:
    assert Principal(certificate=certificate).common_name == name
