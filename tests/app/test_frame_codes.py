"""Each code that a frame can bear may be asked for by its name, and finds the frame."""

from collections.abc import Callable, Iterator
from itertools import pairwise

import pytest
from mockforge_brokers.amqp.channel.unroutable import Unroutable
from mockforge_brokers.amqp.codes import ReplyCode, reply_text
from mockforge_brokers.amqp.rows import read_rows as read_amqp
from mockforge_brokers.amqp.v1_0.rows import Names
from mockforge_brokers.amqp.v1_0.rows import read_rows as read_amqp_1_0
from mockforge_brokers.amqp.v1_0.wire import frames as frames_1_0
from mockforge_brokers.amqp.v1_0.wire.performatives import Composite
from mockforge_brokers.amqp.wire import frames
from mockforge_brokers.clock import ManualClock
from mockforge_brokers.journal import OUT, Row
from mockforge_brokers.kafka.codes import ApiKey, ErrorCode
from mockforge_brokers.kafka.rows import Reading, RowReader
from mockforge_brokers.kafka.wire.frames import encode_response
from mockforge_brokers.kafka.wire.messages.groups import LeaveGroupResponse, MemberResponse
from mockforge_brokers.mqtt.codes import CONNACK_NAMES, LEGAL_CODES, V5, V311, PacketType, Reason
from mockforge_brokers.mqtt.rows import read_rows as read_mqtt
from mockforge_brokers.mqtt.sn import messages as sn
from mockforge_brokers.mqtt.sn.codec import encode
from mockforge_brokers.mqtt.sn.rows import read_rows as read_sn
from mockforge_brokers.mqtt.wire.encode import encode_packet
from mockforge_brokers.mqtt.wire.packets import (
    Ack,
    Auth,
    Connack,
    Disconnect,
    Packet,
    Suback,
    Unsuback,
)
from mockforge_brokers.spine import Spine

from mockforge_tui.fault_values import frame_match
from mockforge_tui.rule_words import codes_of

Borne = Iterator[tuple[Row, set[str]]]
"""Rows, and the names of the codes that their frames bear."""


def _mqtt() -> Borne:
    for code in CONNACK_NAMES:
        yield _mqtt_row(Connack(code), V311)
    for reason in Reason:
        yield _mqtt_row(Connack(reason))
        for kind in (PacketType.PUBACK, PacketType.PUBREC, PacketType.PUBREL, PacketType.PUBCOMP):
            if reason in LEGAL_CODES[kind]:
                yield _mqtt_row(Ack(kind, 1, reason))
        if reason in LEGAL_CODES[PacketType.DISCONNECT]:
            yield _mqtt_row(Disconnect(reason))
        if reason in LEGAL_CODES[PacketType.AUTH]:
            yield _mqtt_row(Auth(reason))
    for one, other in pairwise((Reason.MAXIMUM_CONNECT_TIME, *Reason)):
        yield _mqtt_row(Suback(1, [one, other]))
        yield _mqtt_row(Unsuback(1, [one, other]))
    for code in sn.ReturnCode:
        for message in (
            sn.Connack(code),
            sn.Regack(1, 1, code),
            sn.Puback(1, 1, code),
            sn.Suback(1, 1, code),
            sn.WillTopicResponse(code),
            sn.WillMessageResponse(code),
        ):
            [row] = read_sn(OUT, encode(message), lambda kind, number: None)
            yield row, {code.name}


def _mqtt_row(packet: Packet, version: int = V5) -> tuple[Row, set[str]]:
    [row] = read_mqtt(OUT, encode_packet(packet, version), version, {})
    names = row.detail.get("reasons") or [row.detail["reason"]]
    return row, {name.upper().replace(" ", "_") for name in names}


def _amqp() -> Borne:
    for code in ReplyCode:
        for text in (reply_text(code, "so, and: so"), "what a client says"):
            unit = frames.method(1, "channel.close", reply_code=code, reply_text=text)
            yield read_amqp(OUT, unit, {})[0], {code.name}
    for requeue in (False, True):
        unit = frames.method(1, "basic.nack", delivery_tag=1, requeue=requeue)
        yield read_amqp(OUT, unit, {})[0], {"REQUEUED" if requeue else "REJECTED"}
    failure = Composite("error", {"condition": "amqp:not-found", "description": "no, not here"})
    for state in (
        Composite("received", {"section_number": 0, "section_offset": 0}),
        Composite("accepted", {}),
        Composite("rejected", {"error": failure}),
        Composite("released", {}),
        Composite("modified", {"delivery_failed": True}),
    ):
        unit = frames_1_0.performative(0, "disposition", role=True, first=0, state=state)
        [row] = read_amqp_1_0(OUT, unit, Names(), Unroutable(Spine(ManualClock()), 1, ""))
        yield row, {state.name.upper()}


def _kafka() -> Borne:
    reader = RowReader(Reading(lambda topic_id: ""))
    reader.remember(1, ApiKey.LEAVE_GROUP, 5)
    codes = [code for code in ErrorCode if code]
    for one, other in pairwise((codes[-1], *codes)):
        members = [MemberResponse(member_id="m", group_instance_id=None, error_code=other)]
        response = LeaveGroupResponse(error_code=one, members=members)
        [row] = reader.rows(OUT, encode_response(response, 5, 1))
        yield row, {one.name, other.name}


@pytest.mark.parametrize(
    ("protocol", "borne"), [("mqtt", _mqtt), ("amqp", _amqp), ("kafka", _kafka)]
)
def test_each_code_that_a_frame_bears_is_asked_for_by_its_name(
    protocol: str, borne: Callable[[], Borne]
) -> None:
    rows = list(borne())
    found = {name: frame_match(f"code:{name}") for name in codes_of(protocol)}
    for row, names in rows:
        assert {name for name, match in found.items() if match.matches(row)} == names, row
    assert set().union(*(names for _, names in rows)) == found.keys()


@pytest.mark.parametrize(
    ("text", "frame"),
    [
        ("code:amqp:not-found", {"error": "amqp:not-found: no queue 'q', not here"}),
        ("code:151", {"detail": {"codes": [1, 151]}}),
        ('code:"Rejected: congestion"', {"error": "Rejected: congestion"}),
    ],
)
def test_what_people_see_of_a_code_finds_it_too(text: str, frame: dict[str, object]) -> None:
    assert frame_match(text).matches(Row("", OUT, "", **frame))  # type: ignore[arg-type]
