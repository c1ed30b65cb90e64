"""Permissions as rules: each for one user in one virtual host, whatever both are called."""

from collections.abc import Iterable

import pytest
from hypothesis import given
from hypothesis import strategies as st
from mockforge_brokers.access import Access, rule_of
from mockforge_brokers.amqp import granting
from mockforge_brokers.amqp.options import AmqpOptions

from .client import Scene

ALL = dict.fromkeys(granting.OPERATIONS, granting.EVERYTHING)
NAMES = st.text("ab:*?%3A/.", min_size=1, max_size=4)


def access_of(users: Iterable[str]) -> Access:
    access = Access()
    for user in users:
        access.add_user(user, "x", ("amqp",))
    return access


@given(st.sets(NAMES, min_size=2, max_size=6))
def test_a_permission_is_for_the_virtual_host_of_this_name_and_for_no_other(
    vhosts: set[str],
) -> None:
    access = access_of(("alice", "bob"))
    here, *others = sorted(vhosts)
    for each in vhosts:
        granting.grant(access, vhosts, "bob", each, ALL)
    granting.revoke(access, "alice", here)
    for each in others:
        granting.revoke(access, "alice", each)
    granting.grant(access, vhosts, "alice", here, {**ALL, "write": "^q$"})
    guard = access.guard("amqp", "alice", lambda what, why: None)
    assert guard is not None
    assert [each for each in vhosts if guard.reaches(each)] == [here]
    rows = [row for row in granting.rows(access, vhosts) if row["user"] == "alice"]
    assert rows == [{"user": "alice", "vhost": here, **ALL, "write": "^q$"}]
    granting.forget_vhost(access, here)
    left = {row["vhost"] for row in granting.rows(access, vhosts)}
    assert left == set(others)


@pytest.mark.parametrize("vhost", ["a:b", "a*", "a?", "100%", "%41", "/", "ä:ö"])
def test_a_client_has_its_rights_in_a_virtual_host_of_any_name(vhost: str) -> None:
    scene = Scene(AmqpOptions(users={"guest": "guest"}, vhosts=("/", vhost, "ab", "a")))
    access = scene.environment.access
    for each in scene.broker.vhosts:
        granting.revoke(access, "guest", each)
    given = {"configure": "^mine$", "write": "^amq.default$", "read": ""}
    granting.grant(access, scene.broker.vhosts, "guest", vhost, given)
    client = scene.stranger()
    (opened,) = client.connect(vhost=vhost)
    assert opened.name == "connection.open-ok"
    client.open()
    assert client.send("queue.declare", queue="mine")[0].name == "queue.declare-ok"
    assert not client.publish("", "mine", b"x")
    (close,) = client.send("basic.get", queue="mine")
    assert close["reply_code"] == 403
    for other in {"/", "ab", "a"} - {vhost}:
        (close,) = scene.stranger().connect(vhost=other)
        assert close["reply_code"] == 530


def test_a_rule_that_is_missing_is_said_as_rule_add_takes_it() -> None:
    access = access_of(("alice",))
    access.add_rule(rule_of("allow alice read amqp:a%3Ab:x"))
    guard = access.guard("amqp", "alice", lambda what, why: None)
    assert guard is not None
    assert not guard.denial("read", "a%3Ab:x")
    text = guard.denial("write", "a%3Ab:x").partition(": ")[2]
    access.add_rule(rule_of(text))
    guard = access.guard("amqp", "alice", lambda what, why: None)
    assert guard is not None
    assert not guard.denial("write", "a%3Ab:x")


def test_wildcards_of_a_rule_are_shown_for_each_virtual_host_that_they_cover() -> None:
    access = access_of(("alice",))
    access.add_rule(rule_of("allow alice all amqp:shop-?:orders"))
    shown = {row["vhost"]: row["read"] for row in granting.rows(access, ("shop-1", "shop-22"))}
    assert shown == {"shop-1": "^orders$"}


@pytest.mark.parametrize("what", ["a grant", "a document", "a user", "a virtual host"])
def test_guards_are_renewed_once_for_what_is_one_change(what: str) -> None:
    users = {f"u{number}": "x" for number in range(5)}
    scene = Scene(AmqpOptions(users=users, vhosts=("/", "a", "b")))
    access, broker = scene.environment.access, scene.broker
    if what in ("a user", "a virtual host"):
        granting.grant(access, broker.vhosts, "u1", "a", ALL)
    renewals = []
    access.on_change(lambda: renewals.append(len(access.rules)))
    match what:
        case "a grant":
            granting.grant(access, broker.vhosts, "u1", "a", {**ALL, "read": "^x$"})
        case "a document":
            rows = [{"user": each, "vhost": "a", **ALL, "read": "^x$"} for each in users]
            broker.load_definitions({"permissions": rows})
        case "a user":
            broker.remove_user("u2")
        case _:
            broker.remove_vhost("a")
    assert renewals == [len(access.rules)]


def test_a_document_that_fails_in_its_midst_leaves_guards_that_know_its_rules() -> None:
    scene = Scene(AmqpOptions(users={"guest": "guest"}, vhosts=("/",)))
    client = scene.client()
    rows = [
        {"user": "guest", "vhost": "/", **ALL, "read": ""},
        {"user": "guest", "vhost": "/", **ALL, "read": "("},
    ]
    with pytest.raises(granting.InvalidInput, match="no regular expression"):
        scene.broker.load_definitions({"permissions": rows})
    client.send("queue.declare", queue="q")
    (close,) = client.send("basic.get", queue="q")
    assert close["reply_code"] == 403


@pytest.mark.parametrize(
    ("pattern", "covered", "not_covered"),
    [
        ("/^(?:a|b)$/", ["/:a", "/:b"], ["/:c", "b:a"]),
        ("/a:b/", ["/:a:b"], ["%2Fa:b/", "/:b"]),
        ("/:/a:b/", ["/:a:b"], ["/:b"]),
        ("/a:/b/", ["/a:b", "/a:xbx"], ["/:a:/b"]),
        ("/a:b", ["/a:b"], ["/:a:b"]),
        ("/:a/", ["/:a/"], ["/:a"]),
        ("a:*:b", ["a:x:b"], ["a:b"]),
        ("a*", ["/:a", "/:ab"], ["a:b"]),
    ],
)
def test_a_colon_within_an_expression_is_its_own(
    pattern: str, covered: list[str], not_covered: list[str]
) -> None:
    access = access_of(("alice",))
    access.add_rule(rule_of(f"allow alice read amqp:{pattern}"))
    guard = access.guard("amqp", "alice", lambda what, why: None)
    assert guard is not None
    names = [*covered, *not_covered]
    assert [name for name in names if guard.allows("read", name)] == covered
