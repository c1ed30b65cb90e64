"""Apache Qpid Proton and RabbitMQ's own client of AMQP 1.0, beside pika on the same queues."""

from collections.abc import Iterator

import pika
import pytest

from clients.conftest import Servers

proton = pytest.importorskip(
    "proton", reason="python-qpid-proton is built from source, where there is a compiler"
)
from proton import ConnectionException, Message, int32, symbol, ulong  # noqa: E402
from proton.reactor import Filter  # noqa: E402
from proton.utils import BlockingConnection, LinkDetached, SendException  # noqa: E402

pytestmark = pytest.mark.client


def connect(servers: Servers, user: str = "guest", password: str = "guest") -> BlockingConnection:
    port = servers.ports["amqp"]
    return BlockingConnection(f"amqp://{user}:{password}@127.0.0.1:{port}", timeout=30)


@pytest.fixture
def old(servers: Servers) -> Iterator[pika.adapters.blocking_connection.BlockingChannel]:
    parameters = pika.ConnectionParameters("127.0.0.1", servers.ports["amqp"])
    with pika.BlockingConnection(parameters) as connection:
        channel = connection.channel()
        channel.queue_declare("q10", durable=True)
        yield channel
        channel.queue_delete("q10")


@pytest.fixture
def connection(servers: Servers, old: object) -> Iterator[BlockingConnection]:
    found = connect(servers)
    yield found
    found.close()


def test_a_message_goes_out_and_comes_back_as_it_was(connection: BlockingConnection) -> None:
    sender = connection.create_sender("/queues/q10")
    sent = Message(
        id=ulong(7),
        subject="s",
        body={"k": [1, True]},
        properties={"a": int32(3)},
        annotations={symbol("x-mine"): "1"},
        durable=True,
    )
    assert sender.send(sent).remote_state == proton.Delivery.ACCEPTED
    receiver = connection.create_receiver("/queues/q10", credit=5)
    got = receiver.receive(timeout=30)
    receiver.accept()
    assert (got.id, got.subject, got.body, got.properties) == (7, "s", {"k": [1, True]}, {"a": 3})
    assert isinstance(got.properties["a"], int32)
    assert got.annotations[symbol("x-mine")] == "1"
    assert got.annotations[symbol("x-routing-key")] == "q10"
    assert (got.durable, got.first_acquirer) == (True, True)


def test_released_comes_again_and_rejected_does_not(
    connection: BlockingConnection, old: pika.adapters.blocking_connection.BlockingChannel
) -> None:
    sender = connection.create_sender("/queues/q10")
    sender.send(Message(body=b"1", inferred=True))
    receiver = connection.create_receiver("/queues/q10", credit=1)
    receiver.receive(timeout=30)
    receiver.release(delivered=False)
    again = receiver.receive(timeout=30)
    assert not again.first_acquirer
    receiver.reject()
    assert old.queue_declare("q10", passive=True).method.message_count == 0


def test_pika_and_proton_read_each_others_messages(
    connection: BlockingConnection, old: pika.adapters.blocking_connection.BlockingChannel
) -> None:
    properties = pika.BasicProperties(
        headers={"h": 1}, message_id="m", delivery_mode=2, reply_to="back"
    )
    old.basic_publish("", "q10", b"old", properties)
    receiver = connection.create_receiver("/queues/q10", credit=1)
    got = receiver.receive(timeout=30)
    receiver.accept()
    receiver.close()
    assert (bytes(got.body), got.id, got.reply_to) == (b"old", "m", "/queues/back")
    assert got.properties == {"h": 1}
    sender = connection.create_sender("/queues/q10")
    sender.send(Message(body=b"new", inferred=True, properties={"n": int32(2)}))
    _, seen, body = old.basic_get("q10", auto_ack=True)
    assert (body, seen.headers) == (b"new", {"n": 2})


def test_what_leads_nowhere_is_released_and_what_is_not_there_refused(
    connection: BlockingConnection,
) -> None:
    with pytest.raises(LinkDetached, match="no queue 'none' in vhost '/'"):
        connection.create_sender("/queues/none")
    with pytest.raises(LinkDetached, match="no queue 'none' in vhost '/'"):
        connection.create_receiver("/queues/none")
    with pytest.raises(SendException):
        connection.create_sender("/exchanges/amq.direct/nobody").send(Message(body="x"))


def test_a_wrong_password_does_not_get_in(servers: Servers) -> None:
    with pytest.raises(ConnectionException):
        connect(servers, password="wrong")
    connect(servers).close()


def test_rabbitmqs_own_client_manages_publishes_and_consumes(servers: Servers) -> None:
    rabbit = pytest.importorskip("rabbitmq_amqp_python_client")
    port = servers.ports["amqp"]
    environment = rabbit.Environment(f"amqp://guest:guest@127.0.0.1:{port}/")
    connection = environment.connection()
    connection.dial()
    management = connection.management()
    management.declare_exchange(rabbit.ExchangeSpecification(name="x10"))
    management.declare_queue(rabbit.QuorumQueueSpecification(name="qq10"))
    binding = management.bind(
        rabbit.ExchangeToQueueBindingSpecification(
            source_exchange="x10", destination_queue="qq10", binding_key="k"
        )
    )
    publisher = connection.publisher(rabbit.AddressHelper.exchange_address("x10", "k"))
    for number in range(10):
        body = rabbit.Converter.string_to_bytes(f"m{number}")
        status = publisher.publish(rabbit.Message(body=body))
        assert status.remote_state == rabbit.OutcomeState.ACCEPTED
    assert management.queue_info("qq10").message_count == 10
    bodies: list[str] = []

    class Handler(rabbit.AMQPMessagingHandler):
        def on_amqp_message(self, event: object) -> None:
            body = rabbit.Converter.bytes_to_string(event.message.body)  # type: ignore[attr-defined]
            if body == "m3" and "m3 back" not in bodies:
                bodies.append("m3 back")
                self.delivery_context.requeue(event)
                return
            bodies.append(body)
            self.delivery_context.accept(event)
            if len(bodies) == 11:
                raise KeyboardInterrupt

    consumer = connection.consumer(
        rabbit.AddressHelper.queue_address("qq10"), message_handler=Handler()
    )
    with pytest.raises(KeyboardInterrupt):
        consumer.run()
    assert sorted(bodies) == sorted(["m3 back", *(f"m{number}" for number in range(10))])
    consumer.close()
    management.unbind(binding)
    assert management.purge_queue("qq10") == 0
    management.delete_queue("qq10")
    management.delete_exchange("x10")
    connection.close()


def test_proton_reads_of_a_stream_what_its_filters_say(
    servers: Servers, old: pika.adapters.blocking_connection.BlockingChannel
) -> None:
    found = connect(servers)
    old.queue_declare("s10", durable=True, arguments={"x-queue-type": "stream"})
    sender = found.create_sender("/queues/s10")
    for number in range(6):
        subject = f"{'odd' if number % 2 else 'even'}.{number}"
        sender.send(Message(subject=subject, body=number, properties={"big": number > 3}))

    def described(name: str, value: object) -> proton.Described:
        return proton.Described(symbol(name), value)

    filters = {
        symbol("rabbitmq:stream-offset-spec"): described("rabbitmq:stream-offset-spec", "first"),
        symbol("subject"): described("amqp:properties-filter", {symbol("subject"): "&p:even"}),
        symbol("big"): described("amqp:application-properties-filter", {"big": True}),
    }
    receiver = found.create_receiver("/queues/s10", credit=10, options=Filter(filters))
    assert receiver.receive(timeout=30).body == 4
    receiver.accept()
    in_force = receiver.link.remote_source.filter
    in_force.rewind()
    in_force.next()
    assert set(in_force.get_dict()) == set(filters)
    del filters[symbol("subject")], filters[symbol("big")]
    sql = "p.subject LIKE 'odd.%' AND big AND h.priority = 4"
    filters[symbol("sql-filter")] = described("amqp:sql-filter", sql)
    receiver = found.create_receiver(
        "/queues/s10", credit=10, name="by sql", options=Filter(filters)
    )
    assert receiver.receive(timeout=30).body == 5
    receiver.accept()
    found.close()
    old.queue_delete("s10")
