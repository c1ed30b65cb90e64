"""kombu, on py-amqp."""

import importlib.metadata
import os
import socket
import ssl
import time
from collections.abc import Callable
from typing import Any
from urllib.parse import urlsplit

from amqp.exceptions import AccessRefused
from checks import CA, RUN, SECONDS, equal, happen, refused, run
from kombu import Connection, Consumer, Exchange, Producer, Queue

URL = os.environ["AMQP_URL"]


def drain(connection: Connection, fact: Callable[[], object]) -> None:
    deadline = time.monotonic() + SECONDS
    while not fact():
        assert time.monotonic() < deadline, "the messages did not come"
        try:
            connection.drain_events(timeout=1)
        except socket.timeout:  # noqa: UP041 (py-amqp raises it under this name)
            pass


def publish() -> None:
    exchange = Exchange(f"{RUN}-events", "topic")
    queue = Queue(f"{RUN}-invoices", exchange, "order.*", max_priority=5)
    got: list[Any] = []

    def take(body: Any, message: Any) -> None:
        if body["n"] == 3 and not message.delivery_info["redelivered"]:
            message.requeue()
        else:
            got.append(body["n"])
            message.ack()

    with Connection(URL, transport_options={"confirm_publish": True}) as connection:
        for kind in ("json", "pickle", "yaml"):
            producer = Producer(connection, exchange, serializer=kind)
            for number in range(5):
                producer.publish({"n": number}, "order.paid", declare=[queue], compression="zlib")
        with Consumer(connection, queue, callbacks=[take], prefetch_count=4, accept=ACCEPTED):
            drain(connection, lambda: len(got) == 15)
    equal(sorted(got), sorted([*range(5)] * 3))


ACCEPTED = ["json", "pickle", "yaml"]


def dead_letters() -> None:
    got: list[Any] = []
    with Connection(URL) as connection:
        dead = Queue(f"{RUN}-dead")
        arguments = {"x-dead-letter-exchange": "", "x-dead-letter-routing-key": dead.name}
        short = Queue(f"{RUN}-short", message_ttl=0.05, queue_arguments=arguments)
        Producer(connection).publish("x", routing_key=short.name, declare=[short, dead])
        with Consumer(connection, dead, callbacks=[lambda body, message: got.append(message)]):
            drain(connection, lambda: got)
    equal(got[0].headers["x-death"][0]["reason"], "expired")


def limits() -> None:
    got: list[Any] = []

    def take(body: Any, message: Any) -> None:
        got.append(body)
        message.ack()

    with Connection(URL, transport_options={"confirm_publish": True}) as connection:
        producer = Producer(connection)
        two, ranked = Queue(f"{RUN}-two", max_length=2), Queue(f"{RUN}-ranked", max_priority=5)
        for number in range(4):
            producer.publish(str(number), routing_key=two.name, declare=[two])
        for priority in (1, 5, 3):
            body = str(priority)
            producer.publish(body, routing_key=ranked.name, declare=[ranked], priority=priority)
        for queue, kept in ((two, ["2", "3"]), (ranked, ["5", "3", "1"])):
            got.clear()
            with Consumer(connection, queue, callbacks=[take]):
                drain(connection, lambda kept=kept: len(got) == len(kept))  # type: ignore[misc]
            equal(got, kept)


def rpc() -> None:
    """Kombu's users answer by hand to what a request names, here RabbitMQ's direct reply-to."""
    answers: list[Any] = []
    with Connection(URL) as connection, connection.channel() as serving:
        queue = Queue(f"{RUN}-rpc")

        def answer(body: Any, message: Any) -> None:
            producer = Producer(serving)
            producer.publish(body + 1, routing_key=message.properties["reply_to"])
            message.ack()

        channel = connection.default_channel
        replies = Queue("amq.rabbitmq.reply-to", no_declare=True)
        with (
            Consumer(serving, queue, callbacks=[answer]),
            Consumer(
                channel, replies, callbacks=[lambda body, _: answers.append(body)], no_ack=True
            ),
        ):
            Producer(channel).publish(41, routing_key=queue.name, reply_to=replies.name)
            drain(connection, lambda: answers)
    equal(answers, [42])


def survive(what: str) -> None:
    """With `ensure_connection`, as its users connect again; durable messages are there."""
    queue = Queue(f"{RUN}-{what}", durable=True)
    got: list[Any] = []

    def take(body: Any, message: Any) -> None:
        got.append((body, bool(message.delivery_info["redelivered"])))

    connection = Connection(URL)
    producer = Producer(connection)
    producer.publish("0", routing_key=queue.name, declare=[queue])
    with Consumer(connection, queue, callbacks=[take]):
        drain(connection, lambda: got)
        happen(what)
        try:
            while True:
                connection.drain_events(timeout=1)
        except connection.connection_errors:
            pass
    connection.close()
    connection = Connection(URL).ensure_connection(max_retries=100, interval_start=0.1)
    got.clear()
    with Consumer(connection, queue, callbacks=[take]):
        drain(connection, lambda: got)
    equal(got, [("0", True)])
    connection.close()


def secured() -> None:
    url = urlsplit(os.environ["AMQP_TLS_URL"])
    options = {"ca_certs": CA, "server_hostname": "localhost", "cert_reqs": ssl.CERT_REQUIRED}

    def connection(password: str) -> Connection:
        address = f"amqp://alice:{password}@localhost:{url.port}/%2F"
        return Connection(address, ssl=options)

    with connection("secret") as opened:
        simple = opened.SimpleQueue(f"{RUN}-tls")
        simple.put("here")
        message = simple.get(timeout=SECONDS)
        message.ack()
        equal(message.payload, "here")
        simple.close()
    refused(lambda: connection("wrong").connect(), AccessRefused)


run(
    "kombu",
    importlib.metadata.version("kombu"),
    {
        "publish": publish,
        "dead letters": dead_letters,
        "limits": limits,
        "RPC": rpc,
        "kill": lambda: survive("kill"),
        "restart": lambda: survive("restart"),
        "TLS": secured,
    },
)
