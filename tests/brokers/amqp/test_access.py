"""Users, virtual hosts and permissions: refused with the words that RabbitMQ 3.10.8 had for it."""

import gc
from collections.abc import Callable
from typing import Any
from weakref import ref

import pytest
from mockforge_brokers.access import rule_of
from mockforge_brokers.amqp.options import AmqpOptions
from mockforge_brokers.amqp.wire import frames
from mockforge_brokers.errors import InvalidInput
from mockforge_brokers.events import AccessDenied, MessageSeen, ProtocolViolated
from msgspec.structs import replace

from .client import Client, Scene
from .test_governed import drain

# rabbitmqctl set_permissions -p shop guest '^bob-.*' '^(bob-.*|amq\.default|amq\.topic)$'
#   '^bob-.*|^out$'
RULES = (
    "allow guest configure amqp:shop:/^bob-.*/",
    r"allow guest write amqp:shop:/^(bob-.*|amq\.default|amq\.topic)$/",
    "allow guest read amqp:shop:/^bob-.*|^out$/",
    "allow owner all amqp:*:*",
)


@pytest.fixture
def shop() -> Scene:
    scene = Scene(AmqpOptions(users={"guest": "guest", "owner": "x"}, vhosts=("/", "shop")))
    for queue in ("in", "out", "bob-q"):
        scene.broker.declare_queue(queue, vhost="shop")
    for exchange in ("bob-x", "other"):
        scene.broker.declare_exchange(exchange, vhost="shop")
    for rule in RULES:
        scene.environment.access.add_rule(rule_of(rule))
    return scene


def refused(kind: str, name: str) -> str:
    return f"ACCESS_REFUSED - access to {kind} '{name}' in vhost 'shop' refused for user 'guest'"


DECLARE = {"durable": False, "exclusive": False, "auto_delete": False}
DLX: dict[str, Any] = {"x-dead-letter-exchange": "other"}
STEPS = [
    ("queue.declare", {"queue": "x"}, refused("queue", "x")),
    ("queue.declare", {"queue": "in", "passive": True}, ""),
    ("queue.declare", {"queue": "bob-new"}, ""),
    ("queue.declare", {"queue": "out"}, refused("queue", "out")),
    ("queue.declare", {"queue": "bob-dl", "arguments": DLX}, refused("exchange", "other")),
    ("exchange.declare", {"exchange": "y", "exchange_type": "direct"}, refused("exchange", "y")),
    ("exchange.declare", {"exchange": "other", "passive": True, "exchange_type": "direct"}, ""),
    (
        "exchange.declare",
        {
            "exchange": "bob-ae",
            "exchange_type": "direct",
            "arguments": {"alternate-exchange": "other"},
        },
        refused("exchange", "other"),
    ),
    ("basic.consume", {"queue": "in"}, refused("queue", "in")),
    ("basic.get", {"queue": "in"}, refused("queue", "in")),
    ("basic.get", {"queue": "out"}, ""),
    ("basic.get", {"queue": "missing"}, refused("queue", "missing")),
    ("queue.bind", {"queue": "bob-q", "exchange": "amq.topic"}, refused("exchange", "amq.topic")),
    ("queue.bind", {"queue": "bob-q", "exchange": "bob-x"}, ""),
    ("queue.bind", {"queue": "in", "exchange": "bob-x"}, refused("queue", "in")),
    ("queue.unbind", {"queue": "in", "exchange": "bob-x"}, refused("queue", "in")),
    ("exchange.bind", {"destination": "amq.topic", "source": "bob-x"}, ""),
    (
        "exchange.bind",
        {"destination": "bob-x", "source": "amq.topic"},
        refused("exchange", "amq.topic"),
    ),
    ("queue.purge", {"queue": "in"}, refused("queue", "in")),
    ("queue.delete", {"queue": "in"}, refused("queue", "in")),
    ("queue.delete", {"queue": "missing"}, refused("queue", "missing")),
    ("exchange.delete", {"exchange": "other"}, refused("exchange", "other")),
]


def client_of(scene: Scene) -> Client:
    client = scene.stranger()
    (opened,) = client.connect(vhost="shop")
    assert opened.name == "connection.open-ok"
    return client.open()


@pytest.mark.parametrize(("method", "values", "text"), STEPS)
def test_methods_need_the_rights_that_rabbitmq_wants(
    shop: Scene, method: str, values: dict[str, Any], text: str
) -> None:
    came = client_of(shop).send(method, **values)
    if text:
        assert (came[0].name, came[0]["reply_code"]) == ("channel.close", 403)
        assert came[0]["reply_text"] == text
        (event,) = shop.emitted(AccessDenied)
        assert event.reason.startswith("no rule allows it: allow guest ")
    else:
        assert came[0].name != "channel.close"


def test_a_queue_with_a_name_of_ours_needs_the_right_for_it(shop: Scene) -> None:
    (close,) = client_of(shop).send("queue.declare", queue="")
    assert close["reply_text"].startswith("ACCESS_REFUSED - access to queue 'amq.gen-"), close[
        "reply_text"
    ]


@pytest.mark.parametrize(
    ("exchange", "text"),
    [
        ("other", refused("exchange", "other")),
        ("amq.direct", refused("exchange", "amq.direct")),
        ("", ""),
        ("amq.topic", ""),
    ],
)
def test_who_publishes_needs_write_on_the_exchange(shop: Scene, exchange: str, text: str) -> None:
    client = client_of(shop)
    client.publish(exchange, "in", b"1")
    came = client.publish(exchange, "in", b"2")
    if text:
        assert client.send("channel.open", channel=2)
        assert shop.broker.vhost("shop").queues["in"].published == 0
    else:
        assert not came


@pytest.mark.parametrize("size", [1, 200_000])
def test_a_right_that_is_taken_away_ends_the_next_publish(shop: Scene, size: int) -> None:
    client = client_of(shop)
    assert not client.publish("amq.topic", "k", bytes(size))
    number = shop.environment.access.add_rule(rule_of("deny guest write amqp:shop:amq.topic"))
    (close,) = client.publish("amq.topic", "k", bytes(size))
    assert close["reply_text"] == refused("exchange", "amq.topic")
    shop.environment.access.remove_rule(number)
    assert not client_of(shop).publish("amq.topic", "k")


def test_a_right_that_was_had_at_the_publish_is_not_asked_again_by_a_commit(shop: Scene) -> None:
    """Nor is what the transaction settled lost."""
    owner = shop.stranger()
    owner.connect(vhost="shop", user="owner", password="x")
    owner.open()
    owner.send("queue.bind", queue="bob-q", exchange="amq.topic", routing_key="k")
    owner.publish("amq.topic", "k", b"old")
    client = client_of(shop)
    client.send("basic.get", queue="bob-q")
    client.send("tx.select")
    client.publish("", "bob-q", b"new")
    client.send("basic.nack", delivery_tag=1, requeue=True)
    shop.environment.access.add_rule(rule_of("deny guest write amqp:shop:amq.default"))
    assert [frame.name for frame in client.send("tx.commit")] == ["tx.commit-ok"]
    assert {message.body for message in drain(owner, "bob-q")} == {b"old", b"new"}


def test_a_virtual_host_without_any_right_is_closed(shop: Scene) -> None:
    (close,) = shop.stranger().connect(vhost="/")
    assert (close.name, close["reply_code"]) == ("connection.close", 530)
    assert close["reply_text"] == "NOT_ALLOWED - access to vhost '/' refused for user 'guest'"
    (event,) = shop.emitted(AccessDenied)
    assert event.reason == "no rule allows it: allow guest all amqp:/:*"
    assert not shop.emitted(ProtocolViolated)


@pytest.mark.parametrize(("password", "why"), [("wrong", "wrong password")])
def test_a_refused_login_says_why_at_the_console_only(
    scene: Scene, password: str, why: str
) -> None:
    (close,) = scene.stranger().connect(password=password)
    assert close["reply_text"] == (
        "ACCESS_REFUSED - Login was refused using authentication mechanism PLAIN. "
        "For details see the broker logfile."
    )
    (event,) = scene.emitted(AccessDenied)
    assert (event.user, event.reason) == ("guest", why)
    # It broke no rule, and it is said once.
    assert not scene.emitted(ProtocolViolated)


def external(scene: Scene, certificate: str) -> list[str]:
    client = scene.stranger()
    client.peer.principal = replace(client.peer.principal, certificate=certificate)
    client.fake.send(frames.PROTOCOL_HEADER)
    (start,) = client.received()
    came = client.send(
        "connection.start-ok",
        channel=0,
        client_properties={},
        mechanism="EXTERNAL",
        response="",
        locale="en_US",
    )
    return [start["mechanisms"], *(got.name for got in came), client.peer.principal.name]


@pytest.mark.parametrize("user", ["CN=robot,O=x", "robot"])
def test_a_certificate_logs_in_a_user_of_its_subject_or_common_name(user: str) -> None:
    scene = Scene(AmqpOptions(users={user: "x"}))
    assert external(scene, "CN=robot,O=x") == ["PLAIN AMQPLAIN EXTERNAL", "connection.tune", user]


def test_external_is_for_who_has_a_certificate_with_a_user(scene: Scene) -> None:
    assert external(scene, "CN=robot")[1:] == [""]
    assert external(scene, "")[0] == "PLAIN AMQPLAIN"


def test_who_watches_all_virtual_hosts_keeps_none_that_is_gone() -> None:
    scene = Scene()
    seen: list[MessageSeen] = []
    stop = scene.broker.watch(seen.append)
    hosts = []
    for name in ("a", "b"):
        scene.broker.add_vhost(name)
        scene.broker.declare_queue("q", vhost=name)
        scene.broker.publish("", "q", b"x", vhost=name)
        hosts.append(ref(scene.broker.vhosts[name]))
        scene.broker.remove_vhost(name)
    gc.collect()
    assert [host() for host in hosts] == [None, None]
    # One that comes again is watched as before, until nobody does.
    scene.broker.add_vhost("a")
    scene.broker.publish("amq.topic", "q", b"x", vhost="a")
    stop()
    scene.broker.publish("amq.topic", "q", b"x", vhost="a")
    assert [each.detail["vhost"] for each in seen] == ["a", "b", "a"]


def test_virtual_hosts_come_and_go() -> None:
    scene = Scene()
    scene.broker.add_vhost("shop")
    client = client_of(scene)
    client.send("queue.declare", queue="q")
    assert scene.broker.remove_vhost("shop") == 1
    scene.advance(0)
    (close,) = client.received()
    assert close["reply_text"] == "CONNECTION_FORCED - vhost 'shop' is deleted"
    assert scene.stranger().connect(vhost="shop")[0]["reply_text"].endswith("shop not found")
    problems: list[Callable[[], object]] = [
        lambda: scene.broker.remove_vhost("/"),
        lambda: scene.broker.remove_vhost("shop"),
        lambda: scene.broker.add_vhost("/"),
    ]
    for problem in problems:
        with pytest.raises(InvalidInput):
            problem()
