"""What a content header may be: recorded of RabbitMQ 3.10.8, which reads every publish's."""

from typing import Any

import pytest
from mockforge_brokers.amqp.channel.contents import Contents
from mockforge_brokers.amqp.records import table
from mockforge_brokers.amqp.wire import content, frames
from mockforge_brokers.events import ProtocolViolated

from .client import Client, Got, Scene, names

HEADERS, MODE, EXPIRATION, USER = 1 << 13, 1 << 12, 1 << 8, 1 << 4
TYPE, MESSAGE_ID, PRIORITY = 1 << 15, 1 << 7, 1 << 11


def header(flags: int, properties: bytes, *, class_id: int = 60, weight: int = 0) -> bytes:
    start = class_id.to_bytes(2, "big") + weight.to_bytes(2, "big") + (1).to_bytes(8, "big")
    return frames.frame(2, 1, start + flags.to_bytes(2, "big") + properties)


def publish(raw: bytes, exchange: str = "", key: str = "q") -> bytes:
    method = frames.method(1, "basic.publish", exchange=exchange, routing_key=key)
    return method + raw + frames.frame(3, 1, b"x")


TAKEN = {
    "delivery-mode 1": (MODE, b"\x01"),
    "delivery-mode 2": (MODE, b"\x02"),
    "delivery-mode 0": (MODE, b"\x00"),
    "delivery-mode 255": (MODE, b"\xff"),
    "priority 255": (PRIORITY, b"\xff"),
    "flag that announces more flags": (1, b""),
    "flag of no property": (2, b""),
    "content-type that is not UTF-8": (TYPE, b"\x02\xff\xfe"),
    "message-id that is not UTF-8": (MESSAGE_ID, b"\x02\xff\xfe"),
    "header value that is not UTF-8": (HEADERS, b"\x00\x00\x00\x08\x01aS\x00\x00\x00\x01\xff"),
    "header without a name": (HEADERS, b"\x00\x00\x00\x02\x00V"),
    "bool of 2": (HEADERS, b"\x00\x00\x00\x04\x01at\x02"),
    "same header twice": (
        HEADERS, b"\x00\x00\x00\x0e\x01aI\x00\x00\x00\x01\x01aI\x00\x00\x00\x02",
    ),
}  # fmt: skip

UNREADABLE = {
    "second word of flags": (1, b"\x00\x00"),
    "bytes behind the properties": (0, b"zzz"),
    "missing property": (TYPE, b""),
    "cut text": (TYPE, b"\x05ab"),
    "table longer than its frame": (HEADERS, b"\x00\x00\x00\x09\x01a"),
    "unknown field type": (HEADERS, b"\x00\x00\x00\x03\x01aZ"),
    "cut field": (HEADERS, b"\x00\x00\x00\x05\x01aI\x00\x00"),
    "array longer than its table": (HEADERS, b"\x00\x00\x00\x08\x02CCA\x00\x00\x00\x09"),
    "nested table longer than its table": (HEADERS, b"\x00\x00\x00\x07\x01aF\x00\x00\x00\x09"),
}

REFUSED = {
    "expiration that is not UTF-8": (
        EXPIRATION, b"\x02\xff\xfe", "invalid expiration '\ufffd\ufffd': no_integer",
    ),
    "user-id that is not UTF-8": (
        USER, b"\x02\xff\xfe",
        "user_id property set to '\ufffd\ufffd' but authenticated user was 'guest'",
    ),
}  # fmt: skip

PLACES = {"a queue": ("", "q"), "nowhere": ("amq.direct", "none"), "headers": ("amq.headers", "")}


@pytest.fixture
def ready(scene: Scene) -> Client:
    client = scene.client()
    client.send("queue.declare", queue="q")
    client.send("queue.bind", queue="q", exchange="amq.headers", arguments={"n": 1})
    return client


def feed(client: Client, data: bytes, step: int) -> list[Got]:
    """The bytes in pieces: whole they take the fast path, one by one the general one."""
    for at in range(0, len(data), step):
        if not client.peer.ended:
            client.fake.send(data[at : at + step])
    return client.received()


@pytest.mark.parametrize("step", [1, 1000])
@pytest.mark.parametrize("case", TAKEN)
def test_content_that_rabbitmq_takes_comes_back_byte_by_byte(
    ready: Client, case: str, step: int
) -> None:
    raw = header(*TAKEN[case])
    assert feed(ready, publish(raw), step) == []
    ready.fake.send(frames.method(1, "basic.get", queue="q", no_ack=True))
    assert raw in ready.fake.take()


@pytest.mark.parametrize("step", [1, 1000])
@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize("case", UNREADABLE)
def test_content_that_cannot_be_read_is_an_internal_error(
    scene: Scene, ready: Client, case: str, place: str, step: int
) -> None:
    (close,) = feed(ready, publish(header(*UNREADABLE[case]), *PLACES[place]), step)
    assert (close.name, close["reply_code"]) == ("connection.close", 541)
    assert close["reply_text"] == "INTERNAL_ERROR"
    assert (close["class_id"], close["method_id"]) == (0, 0)
    assert scene.emitted(ProtocolViolated)[0].reason.startswith("content header: ")


@pytest.mark.parametrize("step", [1, 1000])
@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize("case", REFUSED)
def test_property_that_cannot_be_is_406(ready: Client, case: str, place: str, step: int) -> None:
    flags, properties, text = REFUSED[case]
    (close,) = feed(ready, publish(header(flags, properties), *PLACES[place]), step)
    assert (close.name, close["reply_code"]) == ("channel.close", 406)
    assert close["reply_text"] == f"PRECONDITION_FAILED - {text}"
    assert (close["class_id"], close["method_id"]) == (60, 40)


def test_missing_exchange_is_told_before_the_properties(ready: Client) -> None:
    (close,) = feed(ready, publish(header(MODE, b"\x03"), "nope"), 1000)
    assert close["reply_code"] == 404


@pytest.mark.parametrize("step", [1, 1000])
@pytest.mark.parametrize(
    ("raw", "instead"),
    [
        (header(0, b"", weight=5), "non content header frame"),
        (header(0, b"", class_id=50), "one for class 50"),
    ],
    ids=["weight", "class"],
)
def test_header_of_no_message_is_505(ready: Client, raw: bytes, instead: str, step: int) -> None:
    (close,) = feed(ready, publish(raw), step)
    assert (close["reply_code"], close["class_id"], close["method_id"]) == (505, 60, 40)
    assert close["reply_text"].endswith(f"class 60, got {instead} instead")


@pytest.mark.parametrize("step", [1, 1000])
def test_heartbeats_may_stand_between_the_frames_of_a_message(ready: Client, step: int) -> None:
    beat = frames.HEARTBEAT_FRAME
    data = frames.method(1, "basic.publish", routing_key="q") + beat + header(0, b"") + beat
    assert feed(ready, data + frames.frame(3, 1, b"x"), step) == []
    assert names(ready.send("basic.get", queue="q")) == ["basic.get-ok"]


def test_frames_up_to_the_agreed_frame_max_and_eight_bytes_are_taken(scene: Scene) -> None:
    client = scene.client(tune=(2047, 4096, 0))
    client.send("queue.declare", queue="q")
    start = frames.method(1, "basic.publish", routing_key="q")
    head = frames.frame(2, 1, b"\x00\x3c\x00\x00" + (4096).to_bytes(8, "big") + b"\x00\x00")
    client.fake.send(start + head + frames.frame(3, 1, bytes(4096)))
    assert names(client.send("basic.get", queue="q")) == ["basic.get-ok"]
    client.fake.send(start + head + b"\x03\x00\x01" + (4097).to_bytes(4, "big"))
    (close,) = client.received()
    assert close["reply_text"].endswith("{frame_too_large,4097,4088}")


@pytest.mark.parametrize("others", [{}, {"headers": {"a": "x" * 300}, "content_type": "t"}])
def test_priority_and_expiration_are_read_where_they_stand(others: dict[str, Any]) -> None:
    given = {"reply_to": "r", "delivery_mode": 2, "message_id": "m", "timestamp": 1}
    given |= {name: table(value) if name == "headers" else value for name, value in others.items()}
    plain = content.make_content(1, b"body", given, 4000)
    assert (Contents().priority(plain), Contents().expiration(plain)) == (0, -1)
    marked = content.make_content(1, b"", {**given, "priority": 7, "expiration": "50"}, 4000)
    assert (Contents().priority(marked), Contents().expiration(marked)) == (7, 50)
