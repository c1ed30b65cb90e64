"""Whatever bytes meet a fault or hold, at most their own connection ends: no rule raises."""

from random import Random

import pytest
from brokers.fake_peer import FakeClient
from brokers.misbehaving import lane
from mockforge_brokers.events import Warned
from mockforge_brokers.journal import IN, OUT
from mockforge_brokers.protocols import PROTOCOLS

from .scene import Scene

LINES = (
    "fault add delay {scope} 1s",
    "fault add throttle {scope} 1k",
    "fault add corrupt {scope} head --bits 9",
    "fault add corrupt {scope} body",
    "fault add corrupt {scope}",
    "fault add truncate {scope}",
    "fault add slice {scope} 1",
    "fault add join {scope} 3",
    "fault add set {scope} {fields}",
    "fault add refuse {scope} {code}",
    "fault add duplicate {scope} {dup}",
    "fault add reorder {scope}",
    "fault add drop {scope} json.a:1 has:header",
    "fault add inject {scope} 0xC000",
    "fault add block {scope} 1s",
    "fault add watch {scope} body~a (key:b or topic:b) topic:a/#",
    "fault add blackhole {scope} 1s",
    "fault add partition {scope} 1s",
    "fault add disconnect {scope} --mid",
    "hold {scope} --payload x -k key -H a=b",
    "hold {scope} --payload x --prop creation_time=soon",
    "hold {scope} --null --without key --timeout 1s",
    "hold {scope} --set qos=3 --set routing_key=x --set acks=1 --set channel=1",
    "hold {scope} --refuse {code}",
)
CODES = {"kafka": "NOT_COORDINATOR", "mqtt": "QUOTA_EXCEEDED", "amqp": "NOT_FOUND"}
FIELDS = {"kafka": "acks=1", "mqtt": "qos=3,topic_name=x", "amqp": "routing_key=x,exchange=e"}
STARTS = {
    # Produce, Fetch, Metadata, ApiVersions, and what is none of them.
    "kafka": (b"\0\0\0\x09", b"\0\1\0\x0b", b"\0\3\0\x09", b"\0\x12\0\3", b"\x7f\0", b""),
    "mqtt": (b"",),
    # basic.publish, queue.declare, connection.open, basic.ack, basic.deliver.
    "amqp": (
        b"\0\x3c\0\x28",
        b"\0\x32\0\x0a",
        b"\0\x0a\0\x28",
        b"\0\x3c\0\x50",
        b"\0\x3c\0\x3c",
        b"",
    ),
}
HEADERS = (b"AMQP\0\0\x09\1", b"AMQP\0\1\0\0", b"AMQP\3\1\0\0")


def frame_of(protocol: str, dice: Random) -> bytes:
    """Bytes that make a frame, of which little else is right."""
    body = dice.choice(STARTS[protocol]) + dice.randbytes(dice.randrange(20))
    match protocol:
        case "kafka":
            return len(body).to_bytes(4, "big") + body
        case "mqtt":
            return bytes((dice.randrange(256), len(body))) + body
    if dice.random() < 0.1:
        return dice.choice(HEADERS)
    head = bytes((dice.choice((1, 1, 1, 2, 3, 8)), 0, dice.choice((0, 1))))
    return head + len(body).to_bytes(4, "big") + body + b"\xce"


def clients(scene: Scene, protocol: str) -> list[FakeClient]:
    """One that is through with its handshake, where there is one, and one that is not."""
    known = {
        "kafka": scene.kafka_client,
        "mqtt": lambda: scene.mqtt_client("c", "t", version=5),
        "amqp": lambda: scene.amqp_client().fake,
    }
    return [known[protocol](), scene.networks[protocol].connect()]


@pytest.mark.parametrize("line", LINES)
@pytest.mark.parametrize("protocol", CODES)
def test_no_bytes_make_a_rule_raise(protocol: str, line: str) -> None:
    dice = Random(f"{protocol} {line}")
    for _ in range(4):
        scene = Scene(furnished=False)
        scope, dup = f"proto:{protocol}", "--dup" if protocol == "mqtt" else ""
        code, fields = CODES[protocol], FIELDS[protocol]
        scene.run(line.format(scope=scope, code=code, fields=fields, dup=dup))
        for client in clients(scene, protocol):
            connection, peer = client.connection, client.peer

            def receive(frame: bytes, client: FakeClient = client) -> None:
                client.connection.receive(frame)
                client.peer.wake()

            ways = [
                lane(IN, connection, peer, scene.environment, receive),
                lane(OUT, connection, peer, scene.environment, lambda frame: None),
            ]
            for each in ways * 4:
                if not peer.ended:
                    each.feed(frame_of(protocol, dice))
            scene.settle()
        scene.advance(5)
        scene.run("panic")
        scene.settle()


@pytest.mark.parametrize("protocol", CODES)
def test_a_malformed_packet_is_made_by_whose_protocol_describes_it(protocol: str) -> None:
    scene = Scene(furnished=False)
    scene.run("fault add inject qos-3 --dir out --instead")
    client, described = clients(scene, protocol)[0], PROTOCOLS[protocol].malformed
    sent: list[bytes] = []
    way = lane(OUT, client.connection, client.peer, scene.environment, sent.append)
    frame = frame_of(protocol, Random(1))
    way.feed(frame)
    if described:
        assert sent == [client.connection.malformed("qos-3")]
        return
    assert (client.connection.malformed, sent) == (None, [frame])
    [warned] = [event for _, event in scene.spine.history if isinstance(event, Warned)]
    title = PROTOCOLS[protocol].title
    assert f"{title} has no malformed packet qos-3: give the bytes (0x...)" in warned.text
