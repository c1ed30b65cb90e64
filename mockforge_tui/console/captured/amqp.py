"""What AMQP 0-9-1 clients did, as statements of a test with pika.

A statement for each method that a client sent and for each message that it got, in their order;
what the broker answers is waited for.
"""

from collections.abc import Iterator, Mapping
from typing import Any, Final

from mockforge_brokers.journal import IN, Row

HEAD: Final = '''"""A captured sequence, played again. Needs mockforge-tui and pika."""

import time
from collections import deque
from functools import partial

import pika
from pika.exceptions import ChannelClosedByBroker, UnroutableError

WITHIN = 10.0
"""Seconds in which a message is to come."""


class Client:
    """A connection of one of the clients, with its channels by number."""

    def __init__(self, url, vhost="/"):
        parameters = pika.URLParameters(url)
        parameters.virtual_host = vhost
        self.connection, self.channels = pika.BlockingConnection(parameters), {}

    def opens(self, number):
        self.channels[number] = Channel(self.connection, number)

    def on(self, number):
        if number not in self.channels:
            self.opens(number)
        return self.channels[number]

    def closes(self):
        if self.connection.is_open:
            self.connection.close()
        for channel in self.channels.values():
            assert channel.problem is None, f"the broker closed a channel: {channel.problem}"


class Channel:
    """Methods are pika's by their names; each waits for what answers it."""

    def __init__(self, connection, number):
        self.connection, self.pika = connection, connection.channel(number)
        self.got, self.returned, self.problem, self.reply_to = deque(), deque(), None, ""
        self.pika.add_on_return_callback(lambda *args: self.returned.append(args[3]))

    def __getattr__(self, name):
        return partial(self._do, getattr(self.pika, name))

    def _do(self, method, *args, **kwargs):
        try:
            return method(*args, **kwargs)
        except ChannelClosedByBroker as problem:
            self.problem = problem

    def declares(self, **options):
        """A queue without a name; returns the one that the broker gave it."""
        return self._do(self.pika.queue_declare, "", **options).method.queue

    def consumes(self, queue, tag, **options):
        self._do(self.pika.basic_consume, queue, self._take, consumer_tag=tag, **options)

    def publishes(self, exchange, routing_key, body, mandatory=False, **properties):
        made = pika.BasicProperties(**properties)
        try:
            self._do(self.pika.basic_publish, exchange, routing_key, body, made, mandatory)
        except UnroutableError as error:
            self.returned += [message.body for message in error.messages]

    def gets(self, queue, body, auto_ack=False):
        """A message from there, or None for none."""
        method, properties, got = self._do(self.pika.basic_get, queue, auto_ack)
        assert got == body, (got, body)

    def receives(self, routing_key, body):
        method, properties, got = self._wait(self.got, body)
        self.reply_to = properties.reply_to
        assert (method.routing_key, got) == (routing_key, body)

    def gets_back(self, body):
        assert self._wait(self.returned, body) == body

    def is_closed(self, code):
        until = time.monotonic() + WITHIN
        while self.problem is None and time.monotonic() < until:
            self._do(self.connection.process_data_events, 0.1)
            if self.pika.is_closed:
                break
        problem, self.problem = self.problem, None
        assert self.pika.is_closed, "the channel is open"
        assert problem is None or problem.reply_code == code, problem

    def _take(self, channel, method, properties, body):
        self.got.append((method, properties, body))

    def _wait(self, came, body):
        until = time.monotonic() + WITHIN
        while not came:
            assert time.monotonic() < until, f"{body!r} did not come"
            self._do(self.connection.process_data_events, 0.1)
        return came.popleft()


class Clients(dict):
    """By name; all are gone at the end."""

    def __enter__(self):
        return self

    def __exit__(self, kind, *_):
        for client in self.values():
            if kind is None:
                client.closes()
            elif client.connection.is_open:
                client.connection.close()


def test_captured(mockforge):
    url, clients, names = mockforge.amqp.url, Clients(), {}
    with clients:
'''

_NOBODY: Final = "publisher"
"""Who publishes what no client did: the prompt, a fixture, or a message that is only stored."""
_REPLY: Final = "amq.rabbitmq.reply-to."
"""How the address of a direct reply begins: it is another one each time."""

_OF_1_0: Final = "transfer"
"""A message of AMQP 1.0, whose clients are none of pika's."""


class Captured:
    """The statements of each row."""

    head = HEAD

    def __init__(self) -> None:
        self._known: dict[int, str] = {}
        """Names of clients by connection: several connections may have one name."""
        self._named: set[str] = set()
        """Queues that the broker gave a name, whose declaration was seen."""
        self._nameless: dict[tuple[int, int], str] = {}
        """What declares a queue without a name, by connection and channel, until it has one."""
        self._asked: dict[tuple[int, int], tuple[str, bool]] = {}
        """The queue of a `basic.get` by connection and channel, and whether it acknowledges."""

    def lines(self, row: Row) -> Iterator[str]:
        if _is_unreadable(row) or row.operation == _OF_1_0:
            return
        number = row.detail.get("channel", 0)
        if row.operation == "connection.open":
            vhost = row.detail.get("virtual_host", "/")
            yield from self._begin(row, vhost)
        elif row.operation == "connection.close" and row.direction == IN:
            if row.connection in self._known:
                yield f"{self._client(row)}.connection.close()"
        elif row.operation == "queue.declare-ok":
            yield from self._declared(row, number)
        elif row.operation == "channel.open" and row.direction == IN:
            yield from self._begin(row)
            yield f"{self._client(row)}.opens({number})"
        elif (done := self._done(row)) is not None:
            yield from self._begin(row)
            yield f"{self._client(row)}.on({number or 1}).{done}"

    def rest(self) -> Iterator[str]:
        return iter(())

    def _begin(self, row: Row, vhost: str = "/") -> Iterator[str]:
        if row.connection not in self._known:
            name = (row.client or f"c{row.connection}") if row.connection else _NOBODY
            taken = set(self._known.values())
            self._known[row.connection] = f"{name} c{row.connection}" if name in taken else name
            more = "" if vhost == "/" else f", {vhost!r}"
            yield f"{self._client(row)} = Client(url{more})"

    def _client(self, row: Row) -> str:
        return f"clients[{self._known[row.connection]!r}]"

    def _declared(self, row: Row, number: int) -> Iterator[str]:
        """Only now the name is known by which others will speak of it."""
        statement = self._nameless.pop((row.connection, number), None)
        if statement is not None:
            self._named.add(row.detail["queue"])
            yield from self._begin(row)
            yield f"names[{row.detail['queue']!r}] = {self._client(row)}.on({number}).{statement}"

    def _done(self, row: Row) -> str | None:
        """What a client does, or what happens to it; None for what only answers."""
        detail = row.detail
        if row.direction != IN and row.connection:
            return self._came(row)
        if row.kind == "message":
            return f"publishes({', '.join(self._published(row))})"
        place = row.connection, detail.get("channel", 0)
        match row.operation:
            case "basic.get":
                self._asked[place] = self._named_queue(detail["queue"]), bool(detail["no_ack"])
            case "queue.declare" if not detail["queue"]:
                self._nameless[place] = f"declares({', '.join(_given(detail, _DECLARED))})"
            case operation if operation in _METHODS:
                return self._method(operation, detail)
        return None

    def _came(self, row: Row) -> str | None:
        detail, body = row.detail, row.payload or b""
        match row.operation:
            case "basic.deliver":
                return f"receives({self._key(detail['routing_key'])}, {body!r})"
            case "basic.return":
                return f"gets_back({body!r})"
            case "basic.get-ok" | "basic.get-empty":
                asked = self._asked.pop((row.connection, detail["channel"]), None)
                if asked is None:
                    return None
                got = repr(body if row.operation == "basic.get-ok" else None)
                return f"gets({asked[0]}, {got}{', auto_ack=True' if asked[1] else ''})"
            case "channel.close":
                return f"is_closed({detail['reply_code']})"
        return None

    def _method(self, operation: str, detail: Mapping[str, Any]) -> str:
        """A method of pika's: what it takes by place, then by name where it is not as usual."""
        name, places, options = _METHODS[operation]
        words = [self._word(place, detail.get(place, "")) for place in places]
        return f"{name}({', '.join([*words, *_given(detail, options)])})"

    def _word(self, place: str, value: Any) -> str:
        match place:
            case "queue":
                return self._named_queue(value)
            case "routing_key":
                return self._key(value)
        return repr(value)

    def _named_queue(self, name: str) -> str:
        return f"names[{name!r}]" if name in self._named else repr(name)

    def _key(self, key: str) -> str:
        """A routing key, which may be the name of a queue."""
        return self._named_queue(key)

    def _published(self, row: Row) -> Iterator[str]:
        detail = row.detail
        exchange = str(detail.get("exchange", row.destination))
        key = str(detail.get("routing_key", ""))
        yield repr(exchange)
        if key.startswith(_REPLY):
            # To whoever sent what this channel got last.
            yield f"{self._client(row)}.on({detail.get('channel') or 1}).reply_to"
        else:
            yield self._key(key)
        yield repr(row.payload or b"")
        if detail.get("mandatory"):
            yield "mandatory=True"
        for name, value in (detail.get("properties") or {}).items():
            if name in _PROPERTIES and value is not None:
                yield f"{name}={self._key(value) if name == 'reply_to' else repr(value)}"
        if row.headers:
            yield f"headers={dict(row.headers)!r}"


_PROPERTIES: Final = frozenset(
    (
        *("content_type", "content_encoding", "delivery_mode", "priority", "correlation_id"),
        *("reply_to", "expiration", "message_id", "timestamp", "type", "user_id", "app_id"),
    )
)
_DECLARED: Final = {
    "passive": "passive",
    "durable": "durable",
    "exclusive": "exclusive",
    "auto_delete": "auto_delete",
    "arguments": "arguments",
}
_ARGUMENTS: Final = {"arguments": "arguments"}

_METHODS: Final[Mapping[str, tuple[str, tuple[str, ...], Mapping[str, str]]]] = {
    "exchange.declare": (
        "exchange_declare",
        ("exchange", "exchange_type"),
        {
            "passive": "passive",
            "durable": "durable",
            "auto_delete": "auto_delete",
            "internal": "internal",
            **_ARGUMENTS,
        },
    ),
    "exchange.delete": ("exchange_delete", ("exchange",), {"if_unused": "if_unused"}),
    "exchange.bind": ("exchange_bind", ("destination", "source", "routing_key"), _ARGUMENTS),
    "exchange.unbind": ("exchange_unbind", ("destination", "source", "routing_key"), _ARGUMENTS),
    "queue.declare": ("queue_declare", ("queue",), _DECLARED),
    "queue.bind": ("queue_bind", ("queue", "exchange", "routing_key"), _ARGUMENTS),
    "queue.unbind": ("queue_unbind", ("queue", "exchange", "routing_key"), _ARGUMENTS),
    "queue.purge": ("queue_purge", ("queue",), {}),
    "queue.delete": (
        "queue_delete",
        ("queue",),
        {"if_unused": "if_unused", "if_empty": "if_empty"},
    ),
    "basic.qos": (
        "basic_qos",
        (),
        {"prefetch_size": "prefetch_size", "prefetch_count": "prefetch_count",
         "is_global": "global_qos"},
    ),
    "basic.consume": (
        "consumes",
        ("queue", "consumer_tag"),
        {"no_ack": "auto_ack", "exclusive": "exclusive", **_ARGUMENTS},
    ),
    "basic.cancel": ("basic_cancel", ("consumer_tag",), {}),
    "basic.ack": ("basic_ack", ("delivery_tag",), {"multiple": "multiple"}),
    "basic.reject": ("basic_reject", ("delivery_tag", "requeue"), {}),
    "basic.nack": ("basic_nack", ("delivery_tag", "multiple", "requeue"), {}),
    "basic.recover": ("basic_recover", ("requeue",), {}),
    "confirm.select": ("confirm_delivery", (), {}),
    "tx.select": ("tx_select", (), {}),
    "tx.commit": ("tx_commit", (), {}),
    "tx.rollback": ("tx_rollback", (), {}),
    "channel.close": ("close", (), {}),
}  # fmt: skip
"""A client's methods: what pika calls them, what they take by place, and by which name the rest."""


def _is_unreadable(row: Row) -> bool:
    """Its fields are missing; an error alone may be what a method says (nack, close)."""
    return bool(row.error) and row.detail.keys() <= {"channel"}


def _given(detail: Mapping[str, Any], options: Mapping[str, str]) -> Iterator[str]:
    """The options that are not as they usually are (false, 0, empty)."""
    for ours, theirs in options.items():
        if detail.get(ours):
            yield f"{theirs}={detail[ours]!r}"
