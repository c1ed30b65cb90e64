"""What tells the messages of a client apart."""

import re
from collections.abc import Callable
from hashlib import blake2b
from typing import Final

from mockforge_brokers.errors import InvalidInput
from mockforge_brokers.events import MessageSeen
from mockforge_brokers.journal import Row
from mockforge_brokers.protocols import protocol_of

from ...filters.fields import header_of, property_of
from ...filters.json_path import JsonReader, parse_path

_LONGEST_ID: Final = 100
_SHOWN_OF_ID: Final = 60
_LONGEST_NUMBER: Final = 15
_LAST_NUMBER: Final = re.compile(rb"[0-9]+\Z")

Identify = Callable[[MessageSeen | Row], object]


def name_of(value: object) -> str:
    """What tells a message apart, in few characters: a payload may have megabytes.

    The number at its end stays there, by which they are in order.
    """
    data = value if isinstance(value, bytes) else str(value).encode("utf-8", "surrogatepass")
    if len(data) <= _LONGEST_ID:
        return data.decode("utf-8", "replace")
    number = _LAST_NUMBER.search(data, len(data) - _LONGEST_NUMBER)
    end = len(data) if number is None else number.start()
    digest = blake2b(data[:end], digest_size=8).hexdigest()
    head = data[:_SHOWN_OF_ID].decode("utf-8", "replace")
    return f"{head}…{digest}…{data[end:].decode()}"


def _whole(event: MessageSeen | Row) -> object:
    """Payloads may be alike and their keys not; one that ends in a number is in order by it."""
    payload = event.payload or b""
    if not event.key or protocol_of(event.protocol).routed or payload[-1:].isdigit():
        return event.payload
    # Of a key of any length the same id whatever the payload's is.
    return name_of(event.key).encode() + b": " + payload


def identify_by(text: str) -> Identify:
    """What tells messages apart: `key`, `payload`, `header.NAME`, `prop.NAME` or `json.PATH`.

    Empty: their payload, and their key beside it where they have one. Raises InvalidInput.
    """
    if not text:
        return _whole
    kind, _, path = text.partition(".")
    if kind == "json" and path:
        try:
            steps = parse_path(path)
        except ValueError as error:
            raise InvalidInput(f"{text}: {error}") from None
        read = JsonReader()
        return lambda event: read(event.payload, steps, event.destination)
    if kind == "header" and path:
        return lambda event: header_of(event, path)
    if kind == "prop" and path:
        return lambda event: property_of(event, path)
    if text == "key":
        return lambda event: event.key
    if text == "payload":
        return lambda event: event.payload
    raise InvalidInput(f"{text!r} is none of key, payload, header.NAME, prop.NAME, json.PATH")
