"""The message, as sessions, retained store and connections hand it on."""

from collections.abc import Mapping
from typing import Any, Final

NO_PROPERTIES: Final[Mapping[str, Any]] = {}


class Message:
    """One application message as one subscriber is to get it; never changed once published.

    `properties` are those that a PUBLISH hands on (payload_format_indicator, content_type,
    response_topic, correlation_data, user_property) under their specified names; the expiry is
    `expires` (clock time, None: never) and the subscription identifiers are `identifiers`.
    """

    __slots__ = (
        "expires",
        "identifiers",
        "payload",
        "properties",
        "qos",
        "retain",
        "topic_name",
        "variants",
    )

    def __init__(
        self,
        topic_name: str,
        payload: bytes,
        qos: int = 0,
        retain: bool = False,
        properties: Mapping[str, Any] = NO_PROPERTIES,
        expires: float | None = None,
        identifiers: tuple[int, ...] = (),
    ) -> None:
        self.topic_name = topic_name
        self.payload = payload
        self.qos = qos
        self.retain = retain
        self.properties = properties
        self.expires = expires
        self.identifiers = identifiers
        self.variants: dict[tuple[int, bool, tuple[int, ...]], Message] | None = None

    def variant(self, qos: int, retain: bool, identifiers: tuple[int, ...] = ()) -> "Message":
        """This message with another QoS, retain flag or identifiers: the same object each time.

        Subscribers that are to get the same thus share what is rendered for one of them.
        """
        if qos == self.qos and retain == self.retain and identifiers == self.identifiers:
            return self
        if self.variants is None:
            self.variants = {}
        key = (qos, retain, identifiers)
        made = self.variants.get(key)
        if made is None:
            made = self.variants[key] = Message(
                self.topic_name,
                self.payload,
                qos,
                retain,
                self.properties,
                self.expires,
                identifiers,
            )
        return made
