"""The words of MQTT and MQTT-SN that a rule may ask for: their packets, and the codes in them."""

from typing import Final

from .codes import CONNACK_NAMES, PacketType, Reason, reason_name
from .sn.messages import MessageType, ReturnCode

OPERATIONS: Final = tuple(
    dict.fromkeys((*(each.name for each in PacketType), *(each.name for each in MessageType), "?"))
)
"""`?` are bytes that are neither."""
NUMBERED: Final = ()

CODES: Final = tuple(
    dict.fromkeys(
        name.upper().replace(" ", "_")
        for name in (
            *(reason_name(packet, code) for code in Reason for packet in PacketType),
            *CONNACK_NAMES.values(),
            *(code.text.removeprefix("Rejected: ") for code in ReturnCode),
        )
    )
)
