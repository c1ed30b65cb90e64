"""The words of MQTT and MQTT-SN that a rule may ask for: their packets, and the codes in them."""

from typing import Final

from .codes import CONNACK_NAMES, PacketType, Reason
from .sn.messages import MessageType

OPERATIONS: Final = tuple(
    dict.fromkeys((*(each.name for each in PacketType), *(each.name for each in MessageType), "?"))
)
"""`?` are bytes that are neither."""

CODES: Final = tuple(
    dict.fromkeys(
        (
            *(each.name for each in Reason),
            *(name.upper().replace(" ", "_") for name in CONNACK_NAMES.values()),
        )
    )
)
