"""PUT and DELETE of virtual hosts."""

from typing import Any

from mockforge_brokers.amqp import granting
from mockforge_brokers.amqp.connection.ends import NODE
from mockforge_brokers.amqp.definitions import queue_type_of, words

from .reading import vhost_name
from .refusals import bad_request
from .request import CREATED, NO_CONTENT, Asked


def put_vhost(asked: Asked) -> Any:
    (name,) = asked.names
    broker, access = asked.broker, asked.runtime.environment.access
    there = name in broker.vhosts
    tracing, kind = asked.flag("tracing"), queue_type_of(asked.body)
    description, tags = _description(asked), _tags(asked)
    if not there:
        broker.add_vhost(name, default_queue_type=kind or "", description=description, tags=tags)
        if granting.ruled(access):
            every = dict.fromkeys(granting.OPERATIONS, granting.EVERYTHING)
            granting.grant(access, broker.vhosts, asked.user, name, every)
    else:
        # The type may be refused, and then nothing is changed.
        if kind is not None:
            broker.default_queue_type(kind, vhost=name)
        # What a request does not say is taken back, as with RabbitMQ.
        broker.describe_vhost(name, description, tags)
    if "tracing" in asked.body:
        broker.trace(tracing, vhost=name)
    return NO_CONTENT if there else CREATED, None


def _description(asked: Asked) -> str:
    return "" if asked.body.get("description") is None else asked.text("description")


def _tags(asked: Asked) -> list[str]:
    try:
        return words(asked.body.get("tags"))
    except TypeError as error:
        raise bad_request(str(error)) from None


def delete_vhost(asked: Asked) -> Any:
    asked.broker.remove_vhost(vhost_name(asked, asked.names[0]))
    return NO_CONTENT, None


def start(asked: Asked) -> Any:
    """All of them are started on the one node that there is."""
    vhost, node = asked.names
    if node != NODE:
        raise bad_request(f"Request to node {node} failed with nodedown")
    if vhost not in asked.broker.vhosts:
        raise bad_request(f'Request to node {node} failed with {{no_such_vhost,<<"{vhost}">>}}')
    return NO_CONTENT, None
