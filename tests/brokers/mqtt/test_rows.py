"""Packets as rows for people."""

from typing import Any

import pytest
from mockforge_brokers.journal import IN, OUT, Row
from mockforge_brokers.mqtt.rows import read_rows
from mockforge_brokers.mqtt.wire.encode import encode_packet
from mockforge_brokers.mqtt.wire.packets import Request, Subscribe, Unsubscribe

from brokers.playback import to_bytes


def row(data: str, version: int = 5, direction: int = IN, **aliases: str) -> Row:
    names = {int(key[1:]): value for key, value in aliases.items()}
    (only,) = read_rows(direction, to_bytes(data), version, names)
    return only


def test_publish_row_has_everything_of_the_message() -> None:
    got = row('3b 15 00 03 "a/b" 00 07 0b 03 00 01 "t" 26 00 01 "k" 00 01 "v" "{}"')
    assert (got.operation, got.kind, got.destination, got.payload) == (
        "PUBLISH",
        "message",
        "a/b",
        b"{}",
    )
    assert got.headers == (("k", "v"),)
    assert got.detail == {
        "qos": 1,
        "retain": True,
        "dup": True,
        "packet_id": 7,
        "content_type": "t",
    }


def test_alias_row_names_the_topic_that_the_alias_stands_for() -> None:
    data = '30 07 00 00 03 23 00 05 "x"'
    assert row(data, _5="long/topic").destination == "long/topic"
    assert row(data).destination == ""
    assert row(data, direction=OUT, _5="long/topic").destination == ""


@pytest.mark.parametrize(
    ("data", "version", "operation", "kind", "detail", "error"),
    [
        ("c0 00", 4, "PINGREQ", "noise", {}, ""),
        ("20 02 00 05", 4, "CONNACK", "control", {"reason": "Not authorized"}, "Not authorized"),
        ("20 03 01 00 00", 5, "CONNACK", "control", {"session_present": True}, ""),
        ("40 03 00 09 10", 5, "PUBACK", "control", {"reason": "No matching subscribers"}, ""),
        ("40 02 00 09", 4, "PUBACK", "control", {"packet_id": 9}, ""),
        ("90 04 00 01 01 80", 4, "SUBACK", "control", {}, "Unspecified error"),
        ("e0 01 8e", 5, "DISCONNECT", "control", {"code": 0x8E}, "Session taken over"),
        ('82 06 00 01 00 01 "t" 01', 4, "SUBSCRIBE", "control", {"packet_id": 1}, ""),
        ('a2 05 00 01 00 01 "t"', 4, "UNSUBSCRIBE", "control", {"filters": ["t"]}, ""),
    ],
)
def test_control_rows(
    data: str, version: int, operation: str, kind: str, detail: dict[str, Any], error: str
) -> None:
    got = row(data, version)
    assert (got.operation, got.kind, got.error) == (operation, kind, error)
    assert detail.items() <= got.detail.items()


def test_connect_row_shows_who_and_how_but_no_password() -> None:
    got = row('10 1c 00 04 "MQTT" 04 c6 00 0a 00 01 "c" 00 01 "w" 00 03 "bye" 00 01 "u" 00 02 "pw"')
    assert got.detail["client_id"] == "c"
    assert got.detail["version"] == "3.1.1"
    assert got.detail["will"]["payload"] == b"bye"
    assert got.detail["user_name"] == "u"


def test_the_reason_in_words_comes_first() -> None:
    for data in ("20 03 00 00 00", "40 02 00 01", "90 04 00 01 00 01", "e0 00"):
        assert next(iter(row(data, direction=OUT).detail)) in ("reason", "reasons")


def test_the_properties_of_each_request_are_shown() -> None:
    given = {"user_property": [("a", "b")]}
    for packet in (Subscribe(1, [Request("t")], given), Unsubscribe(1, ["t"], given)):
        [row] = read_rows(0, encode_packet(packet, 5), 5, {})
        assert row.detail["user_property"] == [("a", "b")]
