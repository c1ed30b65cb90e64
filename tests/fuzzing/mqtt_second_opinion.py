"""Damaged packets of MQTT 5 to our decoder and to that of mqtt5: both take them, or neither does.

    python -m tests.fuzzing.mqtt_second_opinion --seconds 60 [--seed N]

Where the two may differ is in DIFFERENCES, with what decides. What both take is written by each as
the other reads it.
"""

import argparse
import re
import sys
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from random import Random
from typing import Any, Final

import mqtt5
from mockforge_brokers.errors import ProtocolError
from mockforge_brokers.mqtt.wire.decode import decode_packet
from mockforge_brokers.mqtt.wire.encode import encode_packet
from mockforge_brokers.mqtt.wire.packets import Packet
from msgspec.structs import asdict

from tests.brokers.mqtt.test_oracle import PACKETS

SEEDS: Final = tuple(encode_packet(packet, 5) for packet in PACKETS)

OURS: Final = {
    r"U\+0000 in a string": "[MQTT-1.5.4-2]; mqtt5 takes it",
    r"packet identifier 0": "[MQTT-2.2.1-3]; mqtt5 takes it",
    r"bytes wanted at offset|ends within its value": "a property ends where its Property Length "
    "says (2.2.2.1); mqtt5 reads on behind that",
    r"use reserved values": "[MQTT-3.8.3-5]; mqtt5 takes them",
    r"Retain Handling is 3": "3.8.3.1; mqtt5 takes it",
    r"payload_format_indicator must not be|request_\w+_information must not be": "0 or 1 "
    "(3.3.2.3.2, 3.1.2.11.6); mqtt5 takes others",
    r"the reserved flag is set": "[MQTT-3.1.2-3]; mqtt5 takes it",
    r"a Will QoS or Will Retain without a will": "[MQTT-3.1.2-11]; mqtt5 takes it",
    r"subscription_identifier must not be 0": "3.8.2.1.2; mqtt5 takes it",
    r"_available must not be|maximum_qos must not be": "0 or 1 (3.2.2.3); mqtt5 takes others",
    r"maximum_packet_size must not be 0|receive_maximum must not be 0": "3.1.2.11; mqtt5 takes it",
}
"""What we refuse and mqtt5 does not, by our words, and what decides."""
THEIRS: Final = {
    r"Invalid (Sub|Unsub|Conn)AckReasonCode": "codes that a server sends are shown as they are",
    r"Invalid variable byte integer": "[MQTT-1.5.5-1]: a Remaining Length longer than it need be; "
    "we and Mosquitto take it, and lint says so",
    r"Topic alias must be": "0, or none with an empty topic: the connection knows, not the decoder",
    r"Missing property length": "AUTH without a reason code ends there (3.15.2.1)",
}
"""What mqtt5 refuses and we do not, by its words, and what decides."""


def damaged(random: Random) -> bytes:
    """A packet with one or two accidents, whose length is mostly right."""
    spoiled = bytearray(random.choice(SEEDS))
    for _ in range(random.randrange(1, 3)):
        at = random.randrange(len(spoiled))
        match random.randrange(4):
            case 0:
                spoiled[at] ^= 1 << random.randrange(8)
            case 1:
                spoiled[at] = random.choice((0, 1, 0x7F, 0x80, 0xFF))
            case 2 if len(spoiled) > 2:
                del spoiled[at]
            case _:
                spoiled.insert(at, random.randrange(256))
    if random.random() < 0.8 and 2 <= len(spoiled) < 0x82:
        spoiled[1] = len(spoiled) - 2
    return bytes(spoiled)


def disagreement(data: bytes) -> str:
    """What the two make of a packet where no table says why; empty where they agree."""
    ours, refusal = _ours(data)
    if "is not UTF-8" in refusal:
        # There mqtt5 panics.
        return ""
    theirs, objection = _theirs(data)
    if ours is not None and theirs is not None:
        return _rewritten(data, ours, theirs)
    if ours is None and theirs is None:
        return ""
    known, text = (OURS, refusal) if ours is None else (THEIRS, objection)
    who = "we refuse" if ours is None else "mqtt5 refuses"
    return "" if _has_reason(known, text) else f"{who} {data.hex()}: {text}"


def _has_reason(known: Mapping[str, str], text: str) -> bool:
    return any(re.search(each, text) for each in known)


def _ours(data: bytes) -> tuple[Packet | None, str]:
    try:
        return decode_packet(data, 5), ""
    except ProtocolError as error:
        return None, error.text


def _theirs(data: bytes) -> "tuple[mqtt5.Packet | None, str]":
    try:
        packet, length = mqtt5.read(data)
    except (ValueError, IndexError) as error:
        return None, str(error)
    except BaseException as error:
        # PyO3's, of no type that could be imported; Rust says it on standard error as well.
        if type(error).__name__ != "PanicException":
            raise
        return None, "it panicked"
    return (packet, "") if length == len(data) else (None, "there are bytes behind it")


def _rewritten(data: bytes, ours: Packet, theirs: "mqtt5.Packet") -> str:
    again, objection = _ours(theirs.write())
    if again is None or _meant(again) != _meant(ours):
        return f"{data.hex()}: mqtt5 writes {theirs.write().hex()}, to us {objection or again}"
    back, objection = _theirs(encode_packet(ours, 5))
    if back is None and _has_reason(THEIRS, objection):
        return ""
    if back is None or back.write() != theirs.write():
        return (
            f"{data.hex()}: we write {encode_packet(ours, 5).hex()}, to mqtt5 {objection or back}"
        )
    return ""


def _meant(packet: Packet) -> dict[str, Any]:
    """Its fields, without properties of 0: mqtt5 leaves out what is so without being written."""
    fields = asdict(packet)
    will = fields.get("will")
    if will is not None:
        fields["will"] = asdict(will) | {"properties": _meant_of(will.properties)}
    return fields | {"properties": _meant_of(fields.get("properties", {}))}


def _meant_of(properties: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in properties.items() if value != 0}


def main(arguments: Sequence[str]) -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.fuzzing.mqtt_second_opinion")
    parser.add_argument("--seconds", type=float, default=60.0)
    parser.add_argument("--seed", type=int, default=None)
    given = parser.parse_args(arguments)
    random = Random(given.seed)
    end = time.monotonic() + given.seconds
    found: Counter[str] = Counter()
    count = 0
    while time.monotonic() < end:
        count += 1
        text = disagreement(damaged(random))
        if text:
            found[text] += 1
    for text, times in found.most_common(20):
        print(f"{times}: {text}")
    print(f"{count} packets, {len(found)} without a reason")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
