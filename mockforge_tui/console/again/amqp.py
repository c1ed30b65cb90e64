"""A message of AMQP as a line of rabbitmqadmin, and as a fixture's target."""

import base64
from collections.abc import Mapping
from typing import Any

from mockforge_brokers.journal import Row

from ...fixtures.messages import properties_of
from ..results import for_json, to_json
from ..targets import AmqpTarget, origin_of
from .spelling import Unspeakable, typed_text, words

_DEFAULT = "amq.default"
"""What the management interface calls the exchange without a name."""


def command_line(row: Row, address: str) -> str:
    """rabbitmqadmin asks the management interface, and not the broker's address.

    Raises Unspeakable.
    """
    to = origin_of(row)
    assert isinstance(to, AmqpTarget)
    given = ["rabbitmqadmin"]
    if to.vhost not in (None, "/"):
        given += ["-V", str(to.vhost)]
    given += ["publish", f"exchange={to.exchange or _DEFAULT}", f"routing_key={to.routing_key}"]
    properties = dict(properties_of(row.protocol, row.detail))
    if row.headers:
        properties["headers"] = dict(row.headers)
    if properties:
        given.append(f"properties={to_json(properties)}")
    payload = row.payload or b""
    text = typed_text(payload)
    if text is None:
        encoded = base64.b64encode(payload).decode()
        given += ["payload_encoding=base64", f"payload={encoded}"]
    else:
        given.append(f"payload={text}")
    return words(*given)


def target(row: Row) -> Mapping[str, Any]:
    """Raises Unspeakable."""
    to = origin_of(row)
    assert isinstance(to, AmqpTarget)
    if to.vhost not in (None, "/"):
        raise Unspeakable("fixtures publish in virtual host / alone")
    at = {"exchange": to.exchange, "routing_key": to.routing_key}
    found: dict[str, Any] = {"amqp": at if to.exchange else to.routing_key}
    if properties := properties_of(row.protocol, row.detail):
        found["properties"] = for_json(properties)
    if row.headers:
        found["headers"] = for_json(dict(row.headers))
    return found
