"""A message of AMQP as a line of rabbitmqadmin, and as a fixture's target."""

import base64
from collections.abc import Mapping
from typing import Any

from mockforge_brokers.journal import Row

from ...fixtures.messages import properties_of
from ..results import to_json
from ..targets import AmqpTarget, origin_of
from .spelling import Unspeakable, is_word, plain_value, printed, typed_text, words

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
    properties = _properties(row)
    if row.headers:
        properties["headers"] = _headers(row)
    if properties:
        given.append(f"properties={to_json(properties)}")
    payload = row.payload or b""
    text = typed_text(payload)
    if text is None:
        encoded = f"payload={base64.b64encode(payload).decode()}"
        if not is_word(encoded):
            raise Unspeakable("rabbitmqadmin takes 96 KiB at most of bytes that are no text")
        given += ["payload_encoding=base64", encoded]
    elif is_word(named := f"payload={text}"):
        given.append(named)
    elif "\r" in text:
        # It reads lines, and ends all of them in the same way.
        raise Unspeakable("rabbitmqadmin takes 128 KiB at most of a text with carriage returns")
    else:
        return f"{printed(text)} | {words(*given)}"
    return words(*given)


def target(row: Row) -> Mapping[str, Any]:
    """Raises Unspeakable."""
    to = origin_of(row)
    assert isinstance(to, AmqpTarget)
    if to.vhost not in (None, "/"):
        raise Unspeakable("fixtures publish in virtual host / alone")
    at = {"exchange": to.exchange, "routing_key": to.routing_key}
    found: dict[str, Any] = {"amqp": at if to.exchange else to.routing_key}
    if properties := _properties(row):
        found["properties"] = properties
    if row.headers:
        found["headers"] = _headers(row)
    return found


def _properties(row: Row) -> dict[str, Any]:
    found = properties_of(row.protocol, row.detail)
    return {name: plain_value(each, name.replace("_", " ")) for name, each in found.items()}


def _headers(row: Row) -> dict[str, Any]:
    return {
        plain_value(name, "the name of a header"): plain_value(each, f"header {name}")
        for name, each in row.headers
    }
