"""The protocols that are served, and how each is shown to people."""

from typing import Final

from msgspec import Struct


class Protocol(Struct, frozen=True):
    """`name` is what people type, `title` what sentences say, `letter` what narrow columns show."""

    name: str
    title: str
    letter: str


PROTOCOLS: Final = {
    each.name: each
    for each in (
        Protocol("kafka", "Kafka", "K"),
        Protocol("mqtt", "MQTT", "M"),
        Protocol("amqp", "AMQP", "A"),
    )
}
"""By name, in the order in which they are shown."""


def letter_of(protocol: str) -> str:
    """A protocol's letter, `?` for what no protocol is known of."""
    known = PROTOCOLS.get(protocol)
    return known.letter if known else "?"


def title_of(protocol: str) -> str:
    known = PROTOCOLS.get(protocol)
    return known.title if known else protocol


def rank_of(protocol: str) -> int:
    """Where a protocol stands among the others; what is unknown comes last."""
    return _PLACES.get(protocol, len(_PLACES))


_PLACES: Final = {name: place for place, name in enumerate(PROTOCOLS)}
