"""amq.rabbitmq.event: the messages that RabbitMQ 3.10.8's plugin was seen to send."""

from typing import Any

from mockforge_brokers.access import rule_of
from mockforge_brokers.amqp.event_exchange import _erlang_address
from mockforge_brokers.amqp.records import plain
from mockforge_brokers.events import ConnectionClosed

from .client import Client, Got, Scene, names

LISTENING = "events"


def listen(scene: Scene, key: str = "#") -> Client:
    client = scene.client()
    client.send("queue.declare", queue=LISTENING, exclusive=True)
    client.send("queue.bind", queue=LISTENING, exchange="amq.rabbitmq.event", routing_key=key)
    client.send("basic.consume", queue=LISTENING, no_ack=True)
    scene.advance(0)
    client.received()
    return client


def told(scene: Scene, listener: Client) -> dict[str, dict[str, Any]]:
    """The headers of each message that came, by its routing key."""
    scene.advance(0)
    return {got["routing_key"]: plain(got.properties["headers"]) for got in listener.received()}


def test_the_first_event_is_the_listeners_own_binding(scene: Scene) -> None:
    client = scene.client()
    client.send("queue.declare", queue="q")
    client.send("queue.bind", queue="q", exchange="amq.rabbitmq.event", routing_key="#")
    scene.advance(0)
    (got,) = client.send("basic.get", queue="q", no_ack=True)
    assert (got["routing_key"], got["exchange"], got.body) == (
        "binding.created",
        "amq.rabbitmq.event",
        b"",
    )
    assert got.properties["delivery_mode"] == 2
    now = int(scene.clock.wall())
    assert got.properties["timestamp"] == now
    assert plain(got.properties["headers"]) == {
        "user_who_performed_action": "guest",
        "vhost": "/",
        "arguments": [],
        "routing_key": "#",
        "destination_kind": "queue",
        "destination_name": "q",
        "source_kind": "exchange",
        "source_name": "amq.rabbitmq.event",
        "timestamp_in_ms": int(scene.clock.wall() * 1000),
    }


def test_a_connection_comes_opens_a_channel_and_goes(scene: Scene) -> None:
    listener = listen(scene)
    client = scene.client(name="shop")
    came = told(scene, listener)
    assert list(came) == ["user.authentication.success", "connection.created", "channel.created"]
    created = came["connection.created"]
    assert (created["user"], created["vhost"], created["user_provided_name"]) == (
        "guest",
        "/",
        "shop",
    )
    assert (created["channel_max"], created["timeout"], created["protocol"]) == (
        2047,
        60,
        "{0,9,1}",
    )
    assert created["node"] == "rabbit@localhost"
    assert created["ssl_cipher"] == created["peer_cert_issuer"] == ""
    assert '{<<"product">>,longstr,<<"test">>}' in created["client_properties"]
    assert came["channel.created"]["name"] == f"{created['name']} (1)"
    client.send("channel.close", reply_code=200, reply_text="", class_id=0, method_id=0)
    client.fake.vanish()
    # The transport says so, which is not here.
    scene.environment.spine.emit(ConnectionClosed("amqp", client.peer.id, "shop", "gone"))
    gone = told(scene, listener)
    assert list(gone) == ["channel.closed", "connection.closed"]
    assert gone["connection.closed"]["name"] == created["name"]
    assert gone["connection.closed"]["user_provided_name"] == "shop"


def test_a_login_that_fails_names_the_user(scene: Scene) -> None:
    listener = listen(scene, "user.#")
    scene.stranger().connect(password="no")
    failed = told(scene, listener)["user.authentication.failure"]
    assert (failed["name"], failed["auth_mechanism"], failed["error"]) == (
        "guest",
        "PLAIN",
        "user 'guest' - invalid credentials",
    )


def test_what_is_declared_and_deleted_comes_with_its_arguments(scene: Scene) -> None:
    listener, client = listen(scene), scene.client()
    told(scene, listener)
    client.send("exchange.declare", exchange="x", exchange_type="topic")
    client.send("queue.declare", queue="q", durable=True, arguments={"x-max-length": 5})
    bound = {"queue": "q", "routing_key": "a.#", "arguments": {"k": 1, "s": "t", "b": True}}
    client.send("queue.bind", exchange="x", **bound)
    client.send("queue.unbind", exchange="x", **bound)
    came = told(scene, listener)
    assert list(came) == [
        "exchange.created",
        "queue.created",
        "binding.created",
        "binding.deleted",
    ]
    assert came["queue.created"]["arguments"] == ['{<<"x-max-length">>,signedint,5}']
    assert came["exchange.created"]["type"] == "topic"
    assert came["binding.created"]["arguments"] == [
        '{<<"k">>,signedint,1}',
        '{<<"s">>,longstr,<<"t">>}',
        '{<<"b">>,bool,true}',
    ]
    client.send("queue.delete", queue="q")
    client.send("exchange.delete", exchange="x")
    assert list(told(scene, listener)) == ["queue.deleted", "exchange.deleted"]


def test_consumers_come_with_their_prefetch(scene: Scene) -> None:
    listener, client = listen(scene), scene.client()
    client.send("queue.declare", queue="q")
    told(scene, listener)
    client.send("basic.qos", prefetch_count=7)
    client.send("basic.consume", queue="q", consumer_tag="t", arguments={"x-priority": 3})
    came = told(scene, listener)["consumer.created"]
    assert (came["prefetch_count"], came["ack_required"], came["user_who_performed_action"]) == (
        7,
        True,
        "guest",
    )
    assert came["arguments"] == ['{<<"x-priority">>,signedint,3}']
    client.send("basic.cancel", consumer_tag="t")
    assert told(scene, listener)["consumer.deleted"]["consumer_tag"] == "t"


def test_policies_virtual_hosts_and_limits_are_events_too(scene: Scene) -> None:
    listener, broker = listen(scene), scene.broker
    broker.set_policy("p", "^q", {"max-length": 3}, apply_to="queues", priority=2)
    broker.remove_policy("p")
    broker.add_vhost("shop", description="of shops", tags=["a", "b c"])
    broker.limit_vhost("shop", {"max-queues": 5})
    broker.limit_user("guest", {"max-connections": 9})
    broker.describe_vhost("shop", "of shops", ["a", "b c"])
    broker.describe_vhost("shop", "", ["z"])
    broker.remove_vhost("shop")
    came = told(scene, listener)
    assert list(came) == [
        "policy.set",
        "policy.cleared",
        "vhost.created",
        "vhost.limits.set",
        "user.limits.set",
        "vhost.updated",
        "vhost.deleted",
    ]
    assert came["policy.set"]["definition"] == {"max-length": 3}
    assert came["vhost.limits.set"]["max-queues"] == 5
    assert came["vhost.created"] | {"timestamp_in_ms": 0} == {
        "name": "shop",
        "description": "of shops",
        "tags": ["a", "b c"],
        "metadata": "#{description => <<\"of shops\">>,tags => [a,'b c']}",
        "default_queue_type": "undefined",
        "tracing": False,
        "cluster_state": {"rabbit@localhost": "running"},
        "user_who_performed_action": "rmq-cli",
        "timestamp_in_ms": 0,
    }

    updated = came["vhost.updated"]
    assert (updated["description"], updated["tags"]) == ("", ["z"])
    assert updated["metadata"] == "#{description => <<>>,tags => [z]}"


def test_numbers_have_64_bits(scene: Scene) -> None:
    listener = listen(scene)
    scene.broker.set_policy("p", "^q", {"max-length": 3}, priority=2)
    scene.advance(0)
    (got,) = listener.received()
    headers = got.properties["headers"]
    numbers = headers["priority"], headers["definition"].value["max-length"]
    assert [each.type for each in numbers] == ["l", "l"]


def test_topic_permissions_are_events_too(scene: Scene) -> None:
    listener = listen(scene)
    scene.broker.permit_topic("guest", "amq.topic", "^w", "^r")
    scene.broker.forget_topic("guest")
    came = told(scene, listener)
    assert list(came) == ["topic.permission.created", "topic.permission.deleted"]
    made = came["topic.permission.created"]
    assert (made["exchange"], made["write"], made["read"]) == ("amq.topic", "^w", "^r")


def test_users_and_permissions_are_events_too(scene: Scene) -> None:
    listener, access = listen(scene), scene.environment.access
    access.add_user("ada", "secret", ("amqp",))
    assert told(scene, listener)["user.created"]["name"] == "ada"
    access.add_user("ada", "other", ("amqp",))
    came = told(scene, listener)
    assert list(came) == ["user.password.changed", "user.tags.set"]
    assert came["user.tags.set"]["tags"] == ["administrator"]
    access.add_rule(rule_of("allow guest all amqp:*:/.*/"))
    rules = [access.add_rule(rule_of("allow ada read amqp:/:/^q/"))]
    came = told(scene, listener)
    assert list(came) == ["permission.created"]
    assert came["permission.created"] | {"timestamp_in_ms": 0} == {
        "user": "ada",
        "vhost": "/",
        "configure": "",
        "write": "",
        "read": "^q",
        "user_who_performed_action": "rmq-cli",
        "timestamp_in_ms": 0,
    }
    for number in rules:
        access.remove_rule(number)
    assert list(told(scene, listener)) == ["permission.deleted"]
    access.remove_user("ada")
    assert list(told(scene, listener)) == ["user.deleted"]


def test_users_that_came_before_anybody_listened_are_no_news(scene: Scene) -> None:
    access = scene.environment.access
    access.add_user("old", "secret", ("amqp",))
    listener = listen(scene)
    access.add_user("new", "secret", ("amqp",))
    names = [
        got.properties["headers"]["name"].value for got in _of(scene, listener, "user.created")
    ]
    assert names == ["new"]


def _of(scene: Scene, listener: Client, key: str) -> list[Got]:
    scene.advance(0)
    return [got for got in listener.received() if got["routing_key"] == key]


def test_the_exchange_is_the_first_virtual_hosts_and_nobody_publishes_to_it(scene: Scene) -> None:
    scene.broker.add_vhost("shop")
    assert "amq.rabbitmq.event" not in scene.broker.vhost("shop").exchanges
    (closed,) = scene.client().publish("amq.rabbitmq.event", "x")
    assert closed["reply_text"] == (
        "ACCESS_REFUSED - cannot publish to internal exchange 'amq.rabbitmq.event' in vhost '/'"
    )


def test_nothing_is_published_while_nobody_listens(scene: Scene) -> None:
    scene.client()
    scene.advance(0)
    assert scene.broker.vhost().exchanges["amq.rabbitmq.event"].published == 0


# connection.update-secret.


def renew(client: Client, secret: str) -> list[Got]:
    return client.send("connection.update-secret", channel=0, new_secret=secret, reason="rotated")


def test_any_secret_will_do_as_long_as_the_user_is_the_one_that_logged_in(client: Client) -> None:
    assert names(renew(client, "odd")) == ["connection.update-secret-ok"]


def test_the_secret_has_to_be_the_new_one_once_the_user_was_changed(scene: Scene) -> None:
    client, other = scene.client(), scene.client()
    scene.environment.access.add_user("guest", "fresh", ("amqp",))
    assert names(renew(client, "fresh")) == ["connection.update-secret-ok"]
    assert names(renew(client, "stale")) == ["connection.update-secret-ok"]
    (closed,) = renew(other, "stale")
    assert (closed["reply_code"], closed["reply_text"]) == (
        530,
        "NOT_ALLOWED - New secret was refused by one of the backends",
    )


def test_nobody_renews_the_secret_of_a_user_that_is_gone(scene: Scene) -> None:
    client = scene.client()
    scene.environment.access.remove_user("guest")
    assert names(renew(client, "guest")) == ["connection.close"]


def test_one_event_that_has_no_header_keeps_none_of_the_others_back(scene: Scene) -> None:
    listener = listen(scene)
    scene.client().send("queue.declare", queue="\udcff")
    scene.broker.set_policy("p", "\ud800", {"max-length": 10**30}, priority=10**30)
    scene.broker.add_vhost("shop")
    came = told(scene, listener)
    assert came["queue.created"]["name"] == b"\xff"
    policy = came["policy.set"]
    assert (policy["pattern"], policy["priority"]) == ("?", str(10**30))
    assert "vhost.created" in came


WHO = "user_who_performed_action"


def who(scene: Scene, listener: Client) -> list[tuple[str, str]]:
    """Each event that came, and in whose name it happened."""
    scene.advance(0)
    return [
        (got["routing_key"], got.properties["headers"][WHO].value) for got in listener.received()
    ]


def test_events_say_in_whose_name_they_happened(scene: Scene) -> None:
    """As RabbitMQ 3.10.8 was seen to say it."""
    scene.environment.access.add_user("boss", "x", ("amqp",))
    listener, client = listen(scene, "*.*"), scene.client(user="boss", password="x")
    told(scene, listener)
    client.send("queue.declare", queue="q")
    client.send("exchange.declare", exchange="x", exchange_type="topic")
    client.send("queue.bind", queue="q", exchange="x", routing_key="a")
    client.send("exchange.bind", destination="amq.fanout", source="x")
    assert who(scene, listener) == [
        ("queue.created", "boss"),
        ("exchange.created", "boss"),
        ("binding.created", "boss"),
        ("binding.created", "boss"),
    ]
    client.send("queue.delete", queue="q")
    assert sorted(who(scene, listener)) == [
        ("binding.deleted", "rmq-internal"),
        ("queue.deleted", "boss"),
    ]
    client.send("exchange.delete", exchange="x")
    assert who(scene, listener) == [("exchange.deleted", "boss"), ("binding.deleted", "boss")]
    client.send("queue.declare", queue="auto", auto_delete=True)
    client.send("basic.consume", queue="auto", consumer_tag="t")
    told(scene, listener)
    client.send("basic.cancel", consumer_tag="t")
    assert sorted(who(scene, listener)) == [
        ("consumer.deleted", "boss"),
        ("queue.deleted", "rmq-internal"),
    ]
    client.send("queue.declare", queue="expiring", arguments={"x-expires": 1000})
    client.send("queue.declare", queue="exclusive", exclusive=True)
    told(scene, listener)
    scene.advance(2)
    assert who(scene, listener) == [("queue.deleted", "rmq-internal")]
    client.fake.vanish()
    assert ("queue.deleted", "rmq-internal") in who(scene, listener)
    scene.broker.declare_queue("prompt")
    assert who(scene, listener) == [("queue.created", "rmq-cli")]


def test_a_connection_that_was_there_before_anybody_listened_says_its_name(scene: Scene) -> None:
    early = scene.client(name="early")
    listener = listen(scene, "connection.closed")
    early.fake.vanish()
    scene.environment.spine.emit(ConnectionClosed("amqp", early.peer.id, "early", "gone"))
    closed = told(scene, listener)["connection.closed"]
    assert (closed["user_provided_name"], closed["node"]) == ("early", "rabbit@localhost")


def test_nothing_is_remembered_of_connections_that_are_gone(scene: Scene) -> None:
    """Also of those that go while nobody listens."""
    listener = listen(scene)
    for each in [listener, *(scene.client() for _ in range(3))]:
        each.fake.vanish()
        scene.environment.spine.emit(ConnectionClosed("amqp", each.peer.id, "", "gone"))
    assert not scene.broker.event_exchange._open


def test_addresses_are_tuples_of_numbers() -> None:
    assert _erlang_address("127.0.0.1") == "{127,0,0,1}"
    assert _erlang_address("::1") == "{0,0,0,0,0,0,0,1}"
