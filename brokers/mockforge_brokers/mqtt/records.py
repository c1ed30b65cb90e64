"""The message, as sessions, retained store and connections hand it on."""

from collections.abc import Mapping
from typing import Any, ClassVar, Final

from msgspec import Struct

NO_PROPERTIES: Final[Mapping[str, Any]] = {}
_PAIR: Final = 64
"""Bytes that a user property takes beside its name and value; in one packet may be millions."""


class Message(Struct, gc=False, eq=False):
    """One application message as one subscriber is to get it; never changed once published.

    `properties` are those that a PUBLISH hands on (payload_format_indicator, content_type,
    response_topic, correlation_data, user_property) under their specified names; the expiry is
    `expires` (clock time, None: never) and the subscription identifiers are `identifiers`.
    `weight` is what the properties take in bytes. A plain message has none of these, and no room
    for them: half the cost of making one. A large payload may be a view of the packet that it came
    in, which nobody copies as long as it is on its way.
    """

    topic_name: str
    payload: bytes | memoryview
    qos: int = 0
    retain: bool = False

    properties: ClassVar[Mapping[str, Any]] = NO_PROPERTIES
    expires: ClassVar[float | None] = None
    identifiers: ClassVar[tuple[int, ...]] = ()
    weight: ClassVar[int] = 0

    def variant(self, qos: int, retain: bool, identifiers: tuple[int, ...] = ()) -> "Message":
        """This message with another QoS, retain flag or identifiers; itself when none differs."""
        if qos == self.qos and retain == self.retain and identifiers == self.identifiers:
            return self
        name, payload, properties, expires = (
            self.topic_name,
            self.payload,
            self.properties,
            self.expires,
        )
        if properties or identifiers or expires is not None:
            # There may be one for each subscriber, and what the properties weigh is known.
            return DetailedMessage(
                name, payload, qos, retain, properties, expires, identifiers, self.weight
            )
        return Message(name, payload, qos, retain)


class DetailedMessage(Message, gc=True, eq=False):
    """A message with properties, an expiry or subscription identifiers."""

    # Of the class in a plain message, where they take no room.
    properties: Mapping[str, Any] = NO_PROPERTIES  # type: ignore[misc]
    expires: float | None = None  # type: ignore[misc]
    identifiers: tuple[int, ...] = ()  # type: ignore[misc]
    weight: int = 0  # type: ignore[misc]


def detailed(
    topic_name: str,
    payload: bytes | memoryview,
    qos: int,
    retain: bool,
    properties: Mapping[str, Any],
    expires: float | None,
    identifiers: tuple[int, ...] = (),
) -> Message:
    """A message of the smaller kind that these values allow."""
    if properties or identifiers or expires is not None:
        weight = weight_of_properties(properties)
        return DetailedMessage(
            topic_name, payload, qos, retain, properties, expires, identifiers, weight
        )
    return Message(topic_name, payload, qos, retain)


def cost_of(message: Message) -> int:
    """What a message that is kept counts for where bytes are bounded."""
    return len(message.payload) + len(message.topic_name) + message.weight


def weight_of_properties(properties: Mapping[str, Any]) -> int:
    """What properties take in bytes."""
    weight = 0
    for name, value in properties.items():
        if name == "user_property":
            weight += sum(_PAIR + len(key) + len(text) for key, text in value)
        elif isinstance(value, str | bytes):
            weight += len(value)
    return weight
