"""What people give as properties of a PUBLISH, made ready for the wire."""

from collections.abc import Mapping
from typing import Any

from ..errors import InvalidInput
from .codes import PacketType
from .wire.encode import encode_packet
from .wire.packets import Publish
from .wire.properties import BY_NAME, Properties, encode_text

_NOT_GIVEN = frozenset({"topic_alias", "subscription_identifier"})


def check_encoding(where: str, packet: Publish, version: int) -> bytes:
    """The packet's bytes; raises InvalidInput where its topic, or a property's value, is none."""
    try:
        encode_text(packet.topic_name)
    except UnicodeEncodeError:
        raise InvalidInput(f"{where}: a topic name is UTF-8 [MQTT-1.5.4-1]") from None
    try:
        return encode_packet(packet, version)
    except (TypeError, ValueError, OverflowError, AttributeError, IndexError) as error:
        raise InvalidInput(f"{where}: a property has no legal value: {error}") from None


def publish_properties(where: str, wanted: Mapping[str, Any]) -> Properties:
    """A PUBLISH's properties by name; raises InvalidInput that begins with `where`."""
    given: Properties = {}
    for name, value in wanted.items():
        row = BY_NAME.get(name)
        if row is None or PacketType.PUBLISH not in row.packets or name in _NOT_GIVEN:
            known = sorted(
                row.name
                for row in BY_NAME.values()
                if PacketType.PUBLISH in row.packets and row.name not in _NOT_GIVEN
            )
            raise InvalidInput(
                f"{where}: PUBLISH has no property {name!r}; it has {', '.join(known)}"
            )
        if name == "user_property":
            value = _pairs(where, value)
        elif name == "correlation_data" and isinstance(value, str):
            value = value.encode()
        given[name] = value
    return given


def _pairs(where: str, value: Any) -> list[tuple[str, str]]:
    pairs = value.items() if isinstance(value, Mapping) else value
    try:
        return [(str(key), str(text)) for key, text in pairs]
    except (TypeError, ValueError):
        raise InvalidInput(f"{where}: user_property is a mapping or pairs, not {value!r}") from None
