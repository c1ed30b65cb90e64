"""Whatever is wrong with a CONNECT of MQTT 5, its client is told what [MQTT-4.13.1-2]."""

import pytest
from mockforge_brokers.mqtt.wire.encode import encode_packet
from mockforge_brokers.mqtt.wire.packets import Connack, Connect, Will

from .scene import Scene

WHOLE = encode_packet(
    Connect(
        "client",
        5,
        True,
        60,
        Will("w/t", b"bye", 1, True, {"will_delay_interval": 9, "response_topic": "r"}),
        "user",
        b"secret",
        {
            "session_expiry_interval": 7,
            "receive_maximum": 9,
            "request_problem_information": 1,
            "user_property": [("a", "b")],
        },
    ),
    5,
)
HEAD = len(b"\x10\x00\x00\x04MQTT\x05")


def answer(data: bytes) -> tuple[Connack | None, str]:
    """The CONNACK to these bytes, and how the connection ended ("" where it did not)."""
    scene = Scene(journal=False)
    client = scene.come()
    client.send(data)
    packet = next(iter(scene.got(client)), None)
    assert packet is None or isinstance(packet, Connack)
    return packet, client.peer.ended


def check(data: bytes) -> bool:
    """Whether it was refused, and then in the right way."""
    connack, ended = answer(data)
    if connack is None:
        # The packet is not all there yet.
        assert ended == ""
        return False
    if connack.code:
        assert ended == "closed"
        assert connack.code >= 0x80
        assert connack.properties["reason_string"]
    else:
        assert ended == ""
    return bool(connack.code)


def test_whole_connect_is_accepted() -> None:
    assert not check(WHOLE)


@pytest.mark.parametrize("place", range(HEAD, len(WHOLE)))
def test_connect_with_one_wrong_byte_is_accepted_awaited_or_refused_with_a_reason(
    place: int,
) -> None:
    for byte in (0, 1, 2, 3, 0x7F, 0x80, 0xC0, 0xFF):
        check(WHOLE[:place] + bytes((byte,)) + WHOLE[place + 1 :])


@pytest.mark.parametrize("length", range(HEAD, len(WHOLE)))
def test_connect_that_ends_too_early_is_refused_with_a_reason(length: int) -> None:
    body = WHOLE[2:length]
    assert check(bytes((0x10, len(body))) + body)


def test_connect_with_bytes_too_many_is_refused_with_a_reason() -> None:
    assert check(bytes((0x10, len(WHOLE) - 1)) + WHOLE[2:] + b"\0")


@pytest.mark.parametrize("first", range(0x11, 0x20))
def test_connect_with_wrong_flags_in_its_first_byte_is_refused_with_a_reason(first: int) -> None:
    assert check(bytes((first,)) + WHOLE[1:])
