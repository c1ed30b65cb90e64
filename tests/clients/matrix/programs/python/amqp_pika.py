"""pika, in blocking mode."""

import importlib.metadata
import os
import ssl
import time
from collections.abc import Iterator
from contextlib import closing
from typing import Any

import pika
from checks import CA, RUN, SECONDS, equal, happen, refused, run
from pika.exceptions import AMQPError, ProbableAuthenticationError, UnroutableError

URL = os.environ["AMQP_URL"]


def connect(url: str = URL) -> Any:
    return closing(pika.BlockingConnection(pika.URLParameters(url)))


def again(url: str = URL) -> Any:
    """A connection as soon as there can be one."""
    deadline = time.monotonic() + SECONDS
    while True:
        try:
            return connect(url)
        except AMQPError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.1)


def take(channel: Any, queue: str, count: int, **more: Any) -> Iterator[tuple[Any, Any, bytes]]:
    deliveries = channel.consume(queue, inactivity_timeout=SECONDS, **more)
    for number in range(count):
        method, properties, body = next(deliveries)
        assert method is not None, f"only {number} of {count} came"
        yield method, properties, body


def publish() -> None:
    with connect() as connection:
        channel = connection.channel()
        channel.confirm_delivery()
        channel.exchange_declare(f"{RUN}-events", "topic", durable=True)
        queue = channel.queue_declare(f"{RUN}-invoices", durable=True).method.queue
        channel.queue_bind(queue, f"{RUN}-events", "order.*")
        sent = pika.BasicProperties(headers={"n": 1, "t": {"a": [1, "x"]}}, delivery_mode=2)
        for number in range(20):
            channel.basic_publish(f"{RUN}-events", "order.paid", str(number), sent, mandatory=True)
        refused(
            lambda: channel.basic_publish(f"{RUN}-events", "nobody", "", mandatory=True),
            UnroutableError,
        )
        channel.basic_qos(prefetch_count=5)
        redelivered = []
        for method, properties, body in take(channel, queue, 21):
            equal(properties.headers, {"n": 1, "t": {"a": [1, "x"]}})
            if method.redelivered:
                redelivered.append(body)
            if method.delivery_tag == 1:
                channel.basic_nack(1, requeue=True)
            else:
                channel.basic_ack(method.delivery_tag)
        equal(redelivered, [b"0"])


def dead_letters() -> None:
    with connect() as connection:
        channel = connection.channel()
        channel.queue_declare(f"{RUN}-dead")
        arguments = {"x-dead-letter-exchange": "", "x-dead-letter-routing-key": f"{RUN}-dead"}
        channel.queue_declare(f"{RUN}-short", arguments={**arguments, "x-message-ttl": 50})
        channel.queue_declare(f"{RUN}-long", arguments=arguments)
        channel.basic_publish("", f"{RUN}-short", "expired")
        ((_, properties, body),) = take(channel, f"{RUN}-dead", 1, auto_ack=True)
        death = properties.headers["x-death"][0]
        equal((body, death["reason"], death["queue"]), (b"expired", "expired", f"{RUN}-short"))
        channel.cancel()
        channel.basic_publish("", f"{RUN}-long", "refused")
        ((method, _, _),) = take(channel, f"{RUN}-long", 1)
        channel.basic_reject(method.delivery_tag, requeue=False)
        channel.cancel()
        ((_, properties, body),) = take(channel, f"{RUN}-dead", 1, auto_ack=True)
        equal((body, properties.headers["x-death"][0]["reason"]), (b"refused", "rejected"))


def limits() -> None:
    with connect() as connection:
        channel = connection.channel()
        channel.queue_declare(f"{RUN}-two", arguments={"x-max-length": 2})
        for number in range(4):
            channel.basic_publish("", f"{RUN}-two", str(number))
        bodies = [body for _, _, body in take(channel, f"{RUN}-two", 2, auto_ack=True)]
        equal(bodies, [b"2", b"3"])
        channel.cancel()
        channel.queue_declare(f"{RUN}-ranked", arguments={"x-max-priority": 5})
        for rank in (1, 5, 3):
            channel.basic_publish(
                "", f"{RUN}-ranked", str(rank), pika.BasicProperties(priority=rank)
            )
        got = [channel.basic_get(f"{RUN}-ranked", auto_ack=True)[2] for _ in range(3)]
        equal(got, [b"5", b"3", b"1"])


def rpc() -> None:
    with connect() as server, connect() as client:
        asked, asking = server.channel(), client.channel()
        asked.queue_declare(f"{RUN}-rpc")
        answers: list[bytes] = []
        asking.basic_consume(
            "amq.rabbitmq.reply-to", lambda c, m, p, body: answers.append(body), auto_ack=True
        )
        properties = pika.BasicProperties(reply_to="amq.rabbitmq.reply-to", correlation_id="7")
        asking.basic_publish("", f"{RUN}-rpc", "20", properties)
        ((_, request, body),) = take(asked, f"{RUN}-rpc", 1, auto_ack=True)
        asked.basic_publish("", request.reply_to, str(int(body) + 1))
        while not answers:
            client.process_data_events(1)
        equal(answers, [b"21"])


def transactions() -> None:
    with connect() as connection:
        channel = connection.channel()
        queue = channel.queue_declare(f"{RUN}-tx").method.queue
        channel.tx_select()
        channel.basic_publish("", queue, "no")
        channel.tx_rollback()
        channel.basic_publish("", queue, "yes")
        channel.tx_commit()
        equal(channel.basic_get(queue, auto_ack=True)[2], b"yes")


def survive(what: str) -> None:
    """Durable and unacknowledged messages are there again for who connects again."""
    queue = f"{RUN}-{what}"
    connection = pika.BlockingConnection(pika.URLParameters(URL))
    channel = connection.channel()
    channel.confirm_delivery()
    channel.queue_declare(queue, durable=True)
    for body in ("0", "1"):
        channel.basic_publish("", queue, body, pika.BasicProperties(delivery_mode=2))
    list(take(channel, queue, 1))
    happen(what)
    try:
        while True:
            connection.process_data_events(SECONDS)
    except AMQPError:
        pass
    with again() as next_one:
        got = [(m.redelivered, body) for m, _, body in take(next_one.channel(), queue, 2)]
        equal([body for _, body in got], [b"0", b"1"])
        equal(got[0][0], True, "redelivered")


def secured() -> None:
    parameters = pika.URLParameters(os.environ["AMQP_TLS_URL"])
    context = ssl.create_default_context(cafile=CA)
    parameters.ssl_options = pika.SSLOptions(context, "localhost")
    with closing(pika.BlockingConnection(parameters)) as connection:
        channel = connection.channel()
        channel.queue_declare(f"{RUN}-tls")
        channel.basic_publish("", f"{RUN}-tls", "here")
        equal(channel.basic_get(f"{RUN}-tls", auto_ack=True)[2], b"here")
    parameters.credentials = pika.PlainCredentials("alice", "wrong")
    refused(lambda: pika.BlockingConnection(parameters), ProbableAuthenticationError)


run(
    "pika",
    importlib.metadata.version("pika"),
    {
        "publish": publish,
        "dead letters": dead_letters,
        "limits": limits,
        "RPC": rpc,
        "transactions": transactions,
        "kill": lambda: survive("kill"),
        "restart": lambda: survive("restart"),
        "TLS": secured,
    },
)
