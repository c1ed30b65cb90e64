"""The words of MQTT and MQTT-SN that a rule may ask for: their packets, and the codes in them."""

from collections.abc import Iterator
from functools import partial
from typing import Final

from msgspec.structs import replace

from ..journal import IN, OUT
from ..misbehaviour.possible import NOTHING_NAMED, FrameKind, kinds_of
from ..protocols import PROTOCOLS
from .codes import CONNACK_NAMES, PacketType, Reason, reason_name
from .setting import check_value, field_names
from .sn.messages import MessageType, ReturnCode
from .sn.misbehaviour import check_value as sn_check_value
from .sn.misbehaviour import field_names as sn_field_names

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

_SENDERS: Final = {
    **dict.fromkeys(("CONNECT", "SUBSCRIBE", "UNSUBSCRIBE"), IN),
    **dict.fromkeys(("WILLTOPIC", "WILLMSG", "WILLTOPICUPD", "WILLMSGUPD"), IN),
    **dict.fromkeys(("CONNACK", "SUBACK", "UNSUBACK"), OUT),
    **dict.fromkeys(("WILLTOPICREQ", "WILLMSGREQ", "WILLTOPICRESP", "WILLMSGRESP"), OUT),
}
"""Who alone sends a packet (2.1.2; MQTT-SN 5.4)."""
_PINGS: Final = {"PINGREQ": IN, "PINGRESP": OUT}
"""The same of MQTT alone: a gateway of MQTT-SN may ask too (MQTT-SN 5.4.21)."""


def frame_kinds() -> Iterator[FrameKind]:
    """What rules can do to its packets, and to MQTT-SN's, which has some of the same names."""
    malformed = PROTOCOLS["mqtt"].malformed
    for packet in PacketType:
        sender = {**_SENDERS, **_PINGS}.get(packet.name)
        known = partial(field_names, packet)
        for kind in kinds_of("mqtt", packet.name, known, malformed, sender=sender):
            yield replace(
                kind, check=partial(check_value, packet), lacks=partial(_lacks, packet.name)
            )
    for message in MessageType:
        fields = partial(sn_field_names, message)
        sender = _SENDERS.get(message.name)
        for kind in kinds_of("mqtt", message.name, fields, sender=sender):
            lacks = partial(_lacks_sn, message)
            check = partial(sn_check_value, message)
            yield replace(kind, check=check, lacks=lacks, datagram=True)
    for kind in kinds_of("mqtt", "?"):
        yield replace(kind, refusable=_no_code, lacks=lambda: NOTHING_NAMED)


def _lacks(name: str) -> list[str]:
    """Nothing has a key."""
    if name == "PUBLISH":
        return ["key", "redelivered"]
    found: tuple[str, ...] = ()
    if name in ("SUBSCRIBE", "UNSUBSCRIBE"):
        found = ("topic", "queue", "header")
    elif name not in _PINGS:
        found = ("header",)
    return [each for each in NOTHING_NAMED if each not in found]


def _lacks_sn(message: MessageType) -> list[str]:
    fields = sn_field_names(message)
    found = {"qos", "retain"} & {*fields}
    if {"topic_id", "topic_name"} & {*fields}:
        found |= {"topic", "queue"}
    if message is MessageType.PUBLISH:
        found |= {"body", "json"}
    return [each for each in NOTHING_NAMED if each not in found]


def _no_code(code: int) -> bool:
    """Of what cannot be read."""
    return False
