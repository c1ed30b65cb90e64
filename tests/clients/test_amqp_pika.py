"""pika, unmodified, blocking."""

from collections.abc import Iterator

import pika
import pytest
from pika.adapters.blocking_connection import BlockingChannel
from pika.exceptions import (
    ChannelClosedByBroker,
    ConnectionClosedByBroker,
    NackError,
    ProbableAccessDeniedError,
    ProbableAuthenticationError,
    UnroutableError,
)

from clients.conftest import Servers, wait_for

pytestmark = pytest.mark.client


def connect(servers: Servers, **options: object) -> pika.BlockingConnection:
    return pika.BlockingConnection(
        pika.ConnectionParameters("127.0.0.1", servers.ports["amqp"], **options)
    )


@pytest.fixture
def connection(servers: Servers) -> Iterator[pika.BlockingConnection]:
    connection = connect(servers)
    yield connection
    if connection.is_open:
        connection.close()


@pytest.fixture
def channel(connection: pika.BlockingConnection) -> BlockingChannel:
    return connection.channel()


def take(channel: BlockingChannel, queue: str, count: int) -> list[bytes]:
    """The bodies of the next messages, each acknowledged."""
    found = []
    for method, _, body in channel.consume(queue, inactivity_timeout=20):
        assert method is not None, f"only {len(found)} of {count} messages came"
        channel.basic_ack(method.delivery_tag)
        found.append(body)
        if len(found) == count:
            break
    channel.cancel()
    return found


def test_topic_exchange_routes_by_pattern(channel: BlockingChannel) -> None:
    channel.exchange_declare("orders", "topic", auto_delete=True)
    queues = {}
    for pattern in ("order.*", "#.paid", "order.#"):
        queues[pattern] = channel.queue_declare("", exclusive=True).method.queue
        channel.queue_bind(queues[pattern], "orders", pattern)
    for key in ("order.paid", "order.eu.paid", "order.new", "refund.paid"):
        channel.basic_publish("orders", key, key.encode())
    assert take(channel, queues["order.*"], 2) == [b"order.paid", b"order.new"]
    assert take(channel, queues["#.paid"], 3) == [b"order.paid", b"order.eu.paid", b"refund.paid"]
    assert take(channel, queues["order.#"], 3) == [b"order.paid", b"order.eu.paid", b"order.new"]


def test_message_keeps_its_properties(channel: BlockingChannel) -> None:
    queue = channel.queue_declare("", exclusive=True).method.queue
    properties = pika.BasicProperties(
        content_type="application/json",
        headers={"text": "x", "number": 5, "nested": {"list": [1, "two", None]}},
        delivery_mode=2,
        priority=3,
        correlation_id="c",
        reply_to="r",
        message_id="m",
        timestamp=1_700_000_000,
        type="t",
        app_id="a",
    )
    channel.basic_publish("", queue, b"{}", properties)
    _, got, body = channel.basic_get(queue, auto_ack=True)
    assert (got, body) == (properties, b"{}")


def test_unacknowledged_messages_come_back_redelivered(
    servers: Servers, channel: BlockingChannel
) -> None:
    channel.queue_declare("work", auto_delete=False)
    for number in range(3):
        channel.basic_publish("", "work", str(number).encode())
    lost = connect(servers)
    other = lost.channel()
    got = [other.basic_get("work") for _ in range(2)]
    other.basic_ack(got[1][0].delivery_tag)
    lost.close()
    first, second = (channel.basic_get("work", auto_ack=True) for _ in range(2))
    assert (first[2], first[0].redelivered) == (b"0", True)
    assert (second[2], second[0].redelivered) == (b"2", False)
    channel.queue_delete("work")


def test_prefetch_limits_what_is_unacknowledged(channel: BlockingChannel) -> None:
    queue = channel.queue_declare("", exclusive=True).method.queue
    for number in range(5):
        channel.basic_publish("", queue, str(number).encode())
    channel.basic_qos(prefetch_count=2)
    got: list[tuple[int, bytes]] = []
    channel.basic_consume(
        queue, lambda _, method, __, body: got.append((method.delivery_tag, body))
    )

    def taken(count: int) -> list[bytes]:
        """Once so many are there, all that came before the answer to what is asked then."""
        wait_for(lambda: channel.connection.process_data_events(0.05) or len(got) >= count)
        channel.queue_declare(queue, passive=True)
        channel.connection.process_data_events(0)
        return [body for _, body in got]

    assert taken(2) == [b"0", b"1"]
    channel.basic_ack(got[1][0], multiple=True)
    assert taken(4) == [b"0", b"1", b"2", b"3"]


def test_confirms_and_returns(channel: BlockingChannel) -> None:
    channel.confirm_delivery()
    queue = channel.queue_declare("", exclusive=True).method.queue
    channel.basic_publish("", queue, b"x", mandatory=True)
    with pytest.raises(UnroutableError) as raised:
        channel.basic_publish("amq.direct", "nowhere", b"x", mandatory=True)
    assert raised.value.messages[0].method.reply_code == 312


def test_exclusive_queue_is_locked_and_goes_with_its_connection(
    servers: Servers, connection: pika.BlockingConnection
) -> None:
    owner = connect(servers)
    owner.channel().queue_declare("mine", exclusive=True)
    with pytest.raises(ChannelClosedByBroker) as raised:
        connection.channel().queue_declare("mine", exclusive=True)
    assert raised.value.reply_code == 405
    owner.close()
    connection.channel().queue_declare("mine", exclusive=True)


def test_exclusive_consumer_is_alone(channel: BlockingChannel) -> None:
    queue = channel.queue_declare("", exclusive=True).method.queue
    channel.basic_consume(queue, lambda *_: None, exclusive=True)
    with pytest.raises(ChannelClosedByBroker) as raised:
        channel.basic_consume(queue, lambda *_: None)
    assert raised.value.reply_code == 403


def test_consumer_learns_that_its_queue_is_gone(servers: Servers, channel: BlockingChannel) -> None:
    queue = channel.queue_declare("doomed").method.queue
    cancelled: list[object] = []
    channel.add_on_cancel_callback(cancelled.append)
    channel.basic_consume(queue, lambda *_: None)
    servers.call(servers.brokers["amqp"].delete_queue, "doomed")
    wait_for(lambda: channel.connection.process_data_events(0.05) or cancelled)


def test_large_message_goes_through_in_many_frames(channel: BlockingChannel) -> None:
    queue = channel.queue_declare("", exclusive=True).method.queue
    body = bytes(range(256)) * 4096 * 3
    channel.basic_publish("", queue, body)
    assert take(channel, queue, 1) == [body]


def test_transaction(channel: BlockingChannel) -> None:
    queue = channel.queue_declare("", exclusive=True).method.queue
    channel.tx_select()
    channel.basic_publish("", queue, b"no")
    channel.tx_rollback()
    channel.basic_publish("", queue, b"yes")
    channel.tx_commit()
    assert take(channel, queue, 1) == [b"yes"]


def test_refused_channel_leaves_the_connection_open(connection: pika.BlockingConnection) -> None:
    with pytest.raises(ChannelClosedByBroker) as raised:
        connection.channel().queue_declare("nope", passive=True)
    assert raised.value.reply_text == "NOT_FOUND - no queue 'nope' in vhost '/'"
    connection.channel().queue_declare("", exclusive=True)


def test_wrong_password_and_unknown_vhost_are_understood(servers: Servers) -> None:
    with pytest.raises(ProbableAuthenticationError):
        connect(servers, credentials=pika.PlainCredentials("guest", "wrong"))
    with pytest.raises(ProbableAccessDeniedError):
        connect(servers, virtual_host="nope")


def test_person_closes_a_connection(servers: Servers) -> None:
    connection = connect(servers, client_properties={"connection_name": "to be closed"})
    broker = servers.brokers["amqp"]
    (view,) = [each for each in servers.call(broker.connections) if each.client == "to be closed"]
    assert servers.call(broker.disconnect, view.id, "by hand")
    with pytest.raises(ConnectionClosedByBroker, match="by hand"):
        wait_for(lambda: connection.process_data_events(0.05))


def test_prompt_publishes_to_a_client(servers: Servers, channel: BlockingChannel) -> None:
    queue = channel.queue_declare("", exclusive=True).method.queue
    channel.queue_bind(queue, "amq.topic", "a.#")
    reached = servers.call(servers.brokers["amqp"].publish, "amq.topic", "a.b", b"hello")
    assert reached == 1
    assert take(channel, queue, 1) == [b"hello"]


def test_restart_keeps_confirmed_persistent_messages(servers: Servers) -> None:
    connection = connect(servers)
    channel = connection.channel()
    channel.queue_declare("lasting", durable=True)
    channel.queue_declare("passing")
    channel.confirm_delivery()
    persistent = pika.BasicProperties(delivery_mode=2, headers={"n": 1})
    for body in (b"1", b"2", b"3"):
        channel.basic_publish("", "lasting", body, persistent)
    channel.basic_publish("", "lasting", b"transient")
    assert channel.basic_get("lasting")[2] == b"1"
    servers.call(servers.brokers["amqp"].restart)
    with pytest.raises(ConnectionClosedByBroker, match="CONNECTION_FORCED"):
        connection.process_data_events(20)
    connection = connect(servers)
    channel = connection.channel()
    found = [channel.basic_get("lasting", auto_ack=True) for _ in range(4)]
    assert [body for _, _, body in found] == [b"1", b"2", b"3", None]
    assert [method.redelivered for method, _, _ in found[:3]] == [True, False, False]
    assert found[0][1].headers == {"n": 1}
    with pytest.raises(ChannelClosedByBroker, match="no queue 'passing'"):
        channel.queue_declare("passing", passive=True)
    channel = connection.channel()
    channel.queue_delete("lasting")
    connection.close()


def test_rejected_and_expired_messages_come_to_the_dead_letter_queue(
    channel: BlockingChannel,
) -> None:
    dead = channel.queue_declare("", exclusive=True).method.queue
    arguments = {
        # Longer than it takes to get and reject the first.
        "x-message-ttl": 60_000,
        "x-dead-letter-exchange": "",
        "x-dead-letter-routing-key": dead,
    }
    source = channel.queue_declare("", exclusive=True, arguments=arguments).method.queue
    channel.basic_publish("", source, b"rejected")
    method, _, _ = channel.basic_get(source)
    channel.basic_reject(method.delivery_tag, requeue=False)
    channel.basic_publish("", source, b"expired", pika.BasicProperties(expiration="20"))
    found = []
    for _, properties, body in channel.consume(dead, auto_ack=True, inactivity_timeout=20):
        assert properties is not None
        found.append((body, properties.headers["x-death"][0]["reason"]))
        if len(found) == 2:
            break
    channel.cancel()
    assert found == [(b"rejected", "rejected"), (b"expired", "expired")]


def test_full_queue_nacks_and_priorities_go_first(channel: BlockingChannel) -> None:
    arguments = {"x-max-length": 3, "x-overflow": "reject-publish", "x-max-priority": 9}
    queue = channel.queue_declare("", exclusive=True, arguments=arguments).method.queue
    channel.confirm_delivery()
    for priority in (1, 9, 5):
        channel.basic_publish("", queue, b"%d" % priority, pika.BasicProperties(priority=priority))
    with pytest.raises(NackError):
        channel.basic_publish("", queue, b"too many")
    assert take(channel, queue, 3) == [b"9", b"5", b"1"]


def test_rpc_over_direct_reply_to(servers: Servers, channel: BlockingChannel) -> None:
    server = connect(servers)
    serving = server.channel()
    queue = serving.queue_declare("", exclusive=True).method.queue
    replies: list[bytes] = []
    channel.basic_consume(
        "amq.rabbitmq.reply-to", lambda *got: replies.append(got[3]), auto_ack=True
    )
    properties = pika.BasicProperties(reply_to="amq.rabbitmq.reply-to", correlation_id="1")
    channel.basic_publish("", queue, b"ping", properties)
    request = wait_for(lambda: _request(serving, queue))
    serving.basic_publish("", request.reply_to, b"pong")
    wait_for(lambda: channel.connection.process_data_events(0.01) or replies)
    assert replies == [b"pong"]
    server.close()


def _request(channel: BlockingChannel, queue: str) -> pika.BasicProperties | None:
    return channel.basic_get(queue, auto_ack=True)[1]


def test_what_a_client_holds_back_is_listed_with_its_age(servers: Servers) -> None:
    channel = connect(servers).channel()
    channel.queue_declare("q.slow", auto_delete=True)
    channel.basic_qos(prefetch_count=2)
    got: list[int] = []

    def keep(_: object, method: pika.spec.Basic.Deliver, *__: object) -> None:
        got.append(method.delivery_tag or 0)

    channel.basic_consume("q.slow", keep, consumer_tag="holder")
    channel.basic_publish("", "q.slow", b"x")
    while not got:
        channel.connection.process_data_events(1)
    (row,) = servers.run("consumer ls q.slow").data
    assert (row["tag"], row["credit"], row["unacked"]) == ("holder", 1, 1)
    assert row["oldest"] is not None
    (row,) = servers.run(f"channel ls | connection:{row['connection']}").data
    assert (row["mode"], row["prefetch"], row["consumers"], row["unacked"]) == ("", 2, 1, 1)
    channel.confirm_delivery()
    channel.basic_publish("", "q.slow", b"y")
    (row,) = servers.run(f"channel ls | connection:{row['connection']}").data
    assert (row["mode"], row["published"]) == ("confirm", 1)
    channel.connection.close()
