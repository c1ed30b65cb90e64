"""exchange.* and queue.*: declare, bind, unbind, purge, delete."""

from ..profiles import MANY_HASHES, UNKNOWN_EXCHANGE_TYPE
from ..records import Table
from ..state import outdated
from ..state.direct_replies import REPLY_TO
from ..state.plugin_exchanges import EXCHANGE_TYPES
from ..wire.frames import method
from .channel import Channel


def exchange_declare(
    channel: Channel,
    *,
    exchange: str,
    exchange_type: str,
    passive: bool,
    durable: bool,
    auto_delete: bool,
    internal: bool,
    no_wait: bool,
    arguments: Table,
) -> None:
    if passive:
        channel.vhost.check_exchange(exchange)
    else:
        if exchange_type not in EXCHANGE_TYPES:
            what = f"exchange '{exchange}' in vhost '{channel.vhost.name}'"
            channel.lint(UNKNOWN_EXCHANGE_TYPE, f"{what} is of type '{exchange_type}'")
        channel.vhost.declare_exchange(
            exchange,
            exchange_type,
            durable=durable,
            auto_delete=auto_delete,
            internal=internal,
            arguments=arguments,
        )
    if not no_wait:
        channel.send("exchange.declare-ok")


def exchange_delete(channel: Channel, *, exchange: str, if_unused: bool, no_wait: bool) -> None:
    channel.vhost.delete_exchange(exchange, if_unused=if_unused)
    if not no_wait:
        channel.send("exchange.delete-ok")


def exchange_bind(
    channel: Channel,
    *,
    destination: str,
    source: str,
    routing_key: str,
    no_wait: bool,
    arguments: Table,
) -> None:
    _permit_key(channel, source, routing_key)
    _lint_binding(channel, source, routing_key)
    channel.vhost.bind_exchange(destination, source, routing_key, arguments, channel.do)
    if not no_wait:
        channel.send("exchange.bind-ok")


def exchange_unbind(
    channel: Channel,
    *,
    destination: str,
    source: str,
    routing_key: str,
    no_wait: bool,
    arguments: Table,
) -> None:
    _permit_key(channel, source, routing_key)
    channel.vhost.unbind_exchange(destination, source, routing_key, arguments)
    if not no_wait:
        channel.send("exchange.unbind-ok")


def queue_declare(
    channel: Channel,
    *,
    queue: str,
    passive: bool,
    durable: bool,
    exclusive: bool,
    auto_delete: bool,
    no_wait: bool,
    arguments: Table,
) -> None:
    if queue.startswith(REPLY_TO):
        # Who answers may ask in this way whether there is anybody left to answer to.
        if queue != REPLY_TO and queue not in channel.vhost.replies:
            channel.vhost.queue(queue)
        _declared(channel, queue, 0, 1, no_wait=no_wait)
        return
    if passive:
        found = channel.vhost.queue(queue, channel.line.id)
        # To ask for it is to use it: its x-expires begins anew.
        found.touch()
    else:
        what = f"queue '{queue}' in vhost '{channel.vhost.name}'"
        for name, how in outdated.of_queue(arguments, durable=durable, exclusive=exclusive):
            channel.lint(name, f"{what} {how}")
        found = channel.vhost.declare_queue(
            queue or channel.new_name("amq.gen-"),
            durable=durable,
            exclusive=exclusive,
            auto_delete=auto_delete,
            arguments=arguments,
            connection=channel.line.id,
            client=channel.line.client,
            server_named=not queue,
        )
    _declared(channel, found.name, len(found.messages), found.counted, no_wait=no_wait)


def _declared(channel: Channel, name: str, messages: int, consumers: int, *, no_wait: bool) -> None:
    channel.last_queue = name
    if not no_wait:
        channel.send(
            "queue.declare-ok", queue=name, message_count=messages, consumer_count=consumers
        )


def _permit_key(channel: Channel, exchange: str, key: str) -> None:
    """Raise RequestRefused (403) where the user may not read by this key of a topic exchange."""
    found = channel.vhost.exchanges.get(exchange)
    if found is not None:
        channel.vhost.topic_permissions.check(channel.line.user, "read", found, key)


def _lint_binding(channel: Channel, exchange: str, key: str) -> None:
    found = channel.vhost.exchanges.get(exchange)
    if found is not None and outdated.has_many_hashes(found.type, key):
        channel.lint(MANY_HASHES, f"binding key '{key}' of exchange '{exchange}' has many #")


def queue_bind(
    channel: Channel,
    *,
    queue: str,
    exchange: str,
    routing_key: str,
    no_wait: bool,
    arguments: Table,
) -> None:
    name, key = _names(channel, queue, routing_key)
    _permit_key(channel, exchange, key)
    _lint_binding(channel, exchange, key)
    channel.vhost.bind_queue(name, exchange, key, arguments, channel.line.id, channel.do)
    if not no_wait:
        channel.send("queue.bind-ok")


def queue_unbind(
    channel: Channel, *, queue: str, exchange: str, routing_key: str, arguments: Table
) -> None:
    name, key = _names(channel, queue, routing_key)
    _permit_key(channel, exchange, key)
    channel.vhost.unbind_queue(name, exchange, key, arguments, channel.line.id)
    channel.send("queue.unbind-ok")


def _names(channel: Channel, queue: str, routing_key: str) -> tuple[str, str]:
    """AMQP 1.7.2.3: without queue and key the key is the last declared queue's name."""
    name = channel.queue_name(queue)
    return name, routing_key if routing_key or queue else name


def queue_purge(channel: Channel, *, queue: str, no_wait: bool) -> None:
    count = channel.vhost.purge(channel.queue_name(queue), channel.line.id)
    if not no_wait:
        channel.send("queue.purge-ok", message_count=count)


def queue_delete(
    channel: Channel, *, queue: str, if_unused: bool, if_empty: bool, no_wait: bool
) -> None:
    name = channel.queue_name(queue)
    first = len(channel.out)
    count = channel.vhost.delete_queue(
        name,
        if_unused=if_unused,
        if_empty=if_empty,
        connection=channel.line.id,
    )
    if not no_wait:
        # Before what the queue's consumers on this connection were sent: basic.cancel.
        reply = method(channel.number, "queue.delete-ok", message_count=count)
        channel.out.insert(first, reply)
        channel.line.counts.wrote(reply)
