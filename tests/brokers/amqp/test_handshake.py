"""Handshake, tuning, heartbeats, framing errors and ends, as they were recorded of RabbitMQ."""

# ruff: noqa: E501 (a recorded answer is a line)

import pytest
from mockforge_brokers.amqp.codes import ReplyCode
from mockforge_brokers.amqp.options import AmqpOptions
from mockforge_brokers.amqp.records import table
from mockforge_brokers.amqp.state.memory import COST
from mockforge_brokers.amqp.wire import content, frames
from mockforge_brokers.events import (
    ClientIdentified,
    ProtocolViolated,
    RequestDenied,
)
from mockforge_brokers.limits import Limits

from .client import CAPABILITIES, Client, Scene, bodies, names, publish


def test_start_offers_what_is_served(scene: Scene) -> None:
    client = scene.stranger()
    client.fake.send(frames.PROTOCOL_HEADER)
    (start,) = client.received()
    assert start["mechanisms"] == "PLAIN AMQPLAIN"
    properties = start["server_properties"]
    assert (properties["product"], properties["version"][:5]) == ("RabbitMQ", "3.13.")
    offered = (
        "authentication_failure_close", "basic.nack", "connection.blocked", "consumer_cancel_notify",
        "consumer_priorities", "direct_reply_to", "exchange_exchange_bindings", "per_consumer_qos",
        "publisher_confirms",
    )  # fmt: skip
    assert properties["capabilities"] == dict.fromkeys(offered, True)


@pytest.mark.parametrize(
    ("header", "why"),
    [
        (b"AMQP\x00\x02\x00\x00", "no header of it"),
        (b"GET / HTTP/1.1\r\n\r\n", "it speaks HTTP to the plain AMQP port"),
        (b"\x10\x0c\x00\x04MQTT\x04\x02", "it speaks MQTT to the plain AMQP port"),
    ],
)
def test_other_header_is_answered_with_ours_and_a_close(
    scene: Scene, header: bytes, why: str
) -> None:
    client = scene.stranger()
    client.fake.send(header)
    assert client.fake.take() == frames.PROTOCOL_HEADER
    assert client.peer.ended == "closed"
    assert why in scene.emitted(ProtocolViolated)[0].reason


def test_tune_proposes_rabbitmqs_values(scene: Scene) -> None:
    client = scene.stranger()
    client.fake.send(frames.PROTOCOL_HEADER)
    client.received()
    (tune,) = _login(client, "PLAIN", "\0guest\0guest")
    assert tune.values == {"channel_max": 2047, "frame_max": 131_072, "heartbeat": 60}


def test_amqplain_is_a_table_without_its_length(scene: Scene) -> None:
    client = scene.stranger()
    client.fake.send(frames.PROTOCOL_HEADER)
    client.received()
    response = b"\x05LOGINS\x00\x00\x00\x05guest\x08PASSWORDS\x00\x00\x00\x05guest"
    assert names(_login(client, "AMQPLAIN", response)) == ["connection.tune"]


DEMO = AmqpOptions(mechanisms=("PLAIN", "RABBIT-CR-DEMO"))


@pytest.mark.parametrize(
    ("user", "answer", "came"),
    [
        ("guest", "My password is guest", "connection.tune"),
        ("guest", "My password is wrong", "connection.close"),
        ("nobody", "My password is guest", "connection.close"),
        ("guest", "guest", ""),
    ],
)
def test_a_challenge_asks_for_the_password(user: str, answer: str, came: str) -> None:
    """As rabbit_auth_mechanism_cr_demo has it: what is no answer ends as any broken handshake."""
    scene = Scene(DEMO)
    client = scene.stranger()
    client.fake.send(frames.PROTOCOL_HEADER)
    assert client.received()[0]["mechanisms"] == "PLAIN RABBIT-CR-DEMO"
    (secure,) = _login(client, "RABBIT-CR-DEMO", user)
    assert (secure.name, secure["challenge"]) == (
        "connection.secure",
        "Please tell me your password",
    )
    got = client.send("connection.secure-ok", channel=0, response=answer)
    assert names(got) == ([came] if came else [])
    if came == "connection.close":
        assert got[0]["reply_text"] == (
            "ACCESS_REFUSED - Login was refused using authentication mechanism RABBIT-CR-DEMO. "
            "For details see the broker logfile."
        )
    if not came:
        scene.advance(3)
        assert client.peer.ended == "reset"
        assert scene.emitted(ProtocolViolated)[0].reason == "Invalid response 'guest'"


@pytest.mark.parametrize("mechanism", ["RABBIT-CR-DEMO", "AMQPLAIN"])
def test_what_is_not_offered_is_not_taken(mechanism: str) -> None:
    scene = Scene(AmqpOptions(mechanisms=("PLAIN",)))
    client = scene.stranger()
    client.fake.send(frames.PROTOCOL_HEADER)
    client.received()
    assert _login(client, mechanism, "guest") == []
    scene.advance(3)
    assert client.peer.ended == "reset"


def test_a_password_without_a_challenge_is_out_of_turn(scene: Scene) -> None:
    client = scene.stranger()
    client.fake.send(frames.PROTOCOL_HEADER)
    client.received()
    assert client.send("connection.secure-ok", channel=0, response="My password is guest") == []
    scene.advance(3)
    assert client.peer.ended == "reset"


def _login(client: Client, mechanism: str, response: str | bytes) -> list:  # type: ignore[type-arg]
    return client.send(
        "connection.start-ok",
        channel=0,
        client_properties=table({"capabilities": CAPABILITIES}),
        mechanism=mechanism,
        response=response,
        locale="en_US",
    )


def test_wrong_password_is_403_for_a_client_that_understands_it(scene: Scene) -> None:
    client = scene.stranger()
    (close,) = client.connect(password="wrong")
    assert close["reply_code"] == ReplyCode.ACCESS_REFUSED
    assert close["reply_text"] == (
        "ACCESS_REFUSED - Login was refused using authentication mechanism PLAIN. "
        "For details see the broker logfile."
    )
    assert (close["class_id"], close["method_id"]) == (0, 0)
    client.send("connection.close-ok", channel=0)
    assert client.peer.ended == "closed"


def test_wrong_password_is_silence_and_a_reset_for_others(scene: Scene) -> None:
    client = scene.stranger()
    assert client.connect(password="wrong", capabilities={}) == []
    assert client.peer.ended == ""
    scene.advance(3)
    assert client.peer.ended == "reset"


@pytest.mark.parametrize(
    "response", [b"", b"guest", b"\x05LOGIN", b"guest\0guest\0guest", b"other\0guest\0guest"]
)
@pytest.mark.parametrize("mechanism", ["PLAIN", "AMQPLAIN"])
def test_unreadable_response_is_a_refused_login(
    scene: Scene, mechanism: str, response: bytes
) -> None:
    client = scene.stranger()
    client.fake.send(frames.PROTOCOL_HEADER)
    client.received()
    assert _login(client, mechanism, response)[0]["reply_code"] == 403


def test_unknown_mechanism_is_a_reset_that_says_why(scene: Scene) -> None:
    client = scene.stranger()
    client.fake.send(frames.PROTOCOL_HEADER)
    client.received()
    assert _login(client, "GSSAPI", "") == []
    scene.advance(3)
    assert client.peer.ended == "reset"
    assert "GSSAPI" in scene.emitted(ProtocolViolated)[0].reason


def test_unknown_vhost_is_530(scene: Scene) -> None:
    (close,) = scene.stranger().connect(vhost="nope")
    assert (close["reply_code"], close["reply_text"]) == (530, "NOT_ALLOWED - vhost nope not found")
    assert (close["class_id"], close["method_id"]) == (10, 40)


@pytest.mark.parametrize(
    "tune", [(0, 0, 0), (2047, 4000, 60), (65535, 131_072, 60), (2047, 200_000, 60)]
)
def test_tune_ok_out_of_range_is_a_reset_that_says_why(
    scene: Scene, tune: tuple[int, int, int]
) -> None:
    client = scene.stranger()
    assert client.connect(tune=tune) == []
    scene.advance(3)
    assert client.peer.ended == "reset"
    assert "tune-ok" in scene.emitted(ProtocolViolated)[0].reason


def test_client_is_named_by_its_properties(scene: Scene) -> None:
    scene.client()
    (event,) = scene.emitted(ClientIdentified)
    assert (event.client, event.software) == ("guest@127.0.0.1:50001", "test 1")


def test_handshake_has_a_time_limit(scene: Scene) -> None:
    client = scene.stranger()
    client.fake.send(frames.PROTOCOL_HEADER)
    scene.advance(10)
    assert client.peer.ended == "reset"
    assert "connection.start-ok within 10 s" in scene.emitted(ProtocolViolated)[0].reason


def test_heartbeats_come_at_half_the_time_and_silence_ends_it(scene: Scene) -> None:
    client = scene.client(tune=(2047, 131_072, 10))
    scene.advance(5)
    assert client.fake.take() == frames.HEARTBEAT_FRAME
    for _ in range(8):
        client.fake.send(frames.HEARTBEAT_FRAME)
        scene.advance(15)
        assert client.peer.ended == ""
    scene.advance(15)
    assert client.peer.ended == "reset"
    assert "missed heartbeats" in scene.emitted(ProtocolViolated)[0].reason


def test_heartbeat_zero_means_none(scene: Scene) -> None:
    client = scene.client(tune=(2047, 131_072, 0))
    scene.advance(1000)
    assert client.fake.take() == b""
    assert client.peer.ended == ""


BAD = frames.frame(1, 1, b"\x00\x14\x00\x0b")[:-1]
ERRORS = [
    ("bad end", BAD + b"\0", 501, "type 1, all octets = <<0,20,0,11>>: {invalid_frame_end_marker,0}", (0, 0)),
    ("frame type 9", frames.frame(9, 1, b"\x00\x14\x00\x0b"), 501, "type 9, all octets = <<0,20,0,11>>: unknown_frame", (0, 0)),
    ("too large", b"\x03\x00\x01" + (131_073).to_bytes(4, "big"), 501, "type 3, all octets = <<>>: {frame_too_large,131073,131064}", (0, 0)),
    ("header without publish", content.make_content(1, b"", {}, 0), 505, "expected method frame, got non method frame instead", (0, 0)),
    ("method in content", frames.method(1, "basic.publish") + frames.method(1, "basic.publish"), 505, "expected content header for class 60, got non content header frame instead", (60, 40)),
    ("method in body", publish("", "q", b"12345")[:-13] + frames.method(1, "tx.select"), 505, "expected content body, got non content body frame instead", (60, 40)),
    ("truncated", frames.frame(1, 1, b"\x00\x32\x00\x0a\x00\x00"), 501, "cannot decode <<0,0>>", (50, 10)),
    ("second open", frames.method(1, "channel.open"), 504, "second 'channel.open' seen", (20, 10)),
    ("closed channel", frames.method(5, "queue.declare"), 504, "expected 'channel.open'", (50, 10)),
    ("publish on a closed channel", publish("", "q", channel=5), 504, "expected 'channel.open'", (60, 40)),
    ("channel 0", frames.method(0, "basic.qos"), 504, "unexpected method in connection state running", (60, 10)),
    ("heartbeat of a channel", frames.frame(8, 1, b""), 505, "type 8, all octets = <<>>", (0, 0)),
    ("heartbeat of no channel", frames.frame(8, 9, b""), 505, "type 8, all octets = <<>>", (0, 0)),
    ("heartbeat in content", frames.method(1, "basic.publish") + frames.frame(8, 1, b""), 505, "type 8, all octets = <<>>", (0, 0)),
    ("heartbeat with a payload", frames.frame(8, 0, b'a"c'), 501, 'type 8, all octets = <<"a\\"c">>: unknown_frame', (0, 0)),
    ("access.request on channel 0", frames.method(0, "access.request"), 504, "unexpected method in connection state running", (30, 10)),
    ("server's method", frames.method(1, "queue.declare-ok"), 503, "unimplemented method", (50, 11)),
]  # fmt: skip


@pytest.mark.parametrize(
    ("case", "data", "code", "text", "ids"), ERRORS, ids=[e[0] for e in ERRORS]
)
def test_broken_rule_closes_the_connection(
    scene: Scene, case: str, data: bytes, code: int, text: str, ids: tuple[int, int]
) -> None:
    client, other = scene.client(), scene.client()
    client.fake.send(data)
    (close,) = client.received()
    assert close.name == "connection.close"
    assert close["reply_code"] == code
    assert close["reply_text"].endswith(text)
    assert (close["class_id"], close["method_id"]) == ids
    assert scene.emitted(ProtocolViolated)[0].connection == client.peer.id
    client.send("connection.close-ok", channel=0)
    if "{" in text:
        # What follows a frame without an end cannot be read, so its answer is not waited for.
        assert client.peer.ended == ""
        scene.advance(3)
    assert client.peer.ended == "closed"
    assert names(other.send("queue.declare", queue="still here")) == ["queue.declare-ok"]


def test_method_that_nobody_knows_is_a_reset(scene: Scene) -> None:
    client = scene.client()
    client.fake.send(frames.frame(1, 1, b"\x00\x63\x00\x63"))
    assert client.peer.ended == "reset"
    assert "no such method" in scene.emitted(ProtocolViolated)[0].reason


def test_body_longer_than_its_header_says(scene: Scene) -> None:
    client = scene.client()
    header = frames.frame(2, 1, content.encode_header(3, {}))
    client.fake.send(frames.method(1, "basic.publish") + header + frames.frame(3, 1, b"1234"))
    (close,) = client.received()
    assert (close["reply_code"], "1 bytes longer" in close["reply_text"]) == (501, True)


def test_body_over_the_limit_closes_the_channel() -> None:
    scene = Scene(limits=Limits(amqp_message=1000))
    client = scene.client(tune=(2047, 4096, 0))
    data = frames.method(1, "basic.publish") + content.make_content(1, bytes(5000), {}, 4088)
    client.fake.send(data)
    (close,) = client.received()
    assert close["reply_text"].endswith("message size 5000 is larger than configured max size 1000")


def test_close_that_is_not_answered_ends_all_the_same(scene: Scene) -> None:
    client = scene.client()
    assert scene.broker.disconnect(client.peer.id, "by hand")
    scene.advance(0)
    (close,) = client.received()
    assert close["reply_text"] == "CONNECTION_FORCED - by hand"
    scene.advance(30)
    assert client.peer.ended == "closed"
    assert not scene.broker.disconnect(client.peer.id, "again")


def test_close_asked_for_twice_does_not_wait(scene: Scene) -> None:
    client = scene.client()
    assert scene.broker.disconnect(client.peer.id, "once")
    assert scene.broker.disconnect(client.peer.id, "twice")
    assert client.peer.ended == "closed"


@pytest.mark.parametrize(("heartbeat", "seconds"), [(60, 30), (10, 10), (0, 30)])
def test_client_that_closed_hangs_up_itself(scene: Scene, heartbeat: int, seconds: int) -> None:
    client = scene.client(tune=(2047, 131_072, heartbeat))
    assert names(client.send("connection.close", channel=0)) == ["connection.close-ok"]
    assert names(client.send("queue.declare", queue="late")) == []
    assert names(client.send("connection.close", channel=0)) == ["connection.close-ok"]
    client.fake.send(b"garbage")
    scene.advance(seconds - 0.1)
    assert (client.peer.ended, client.fake.take()) == ("", b"")
    assert scene.broker.destinations() == []
    scene.advance(0.1)
    assert client.peer.ended == "closed"


def test_exclusive_queues_are_gone_with_close_ok(scene: Scene) -> None:
    client = scene.client()
    client.send("queue.declare", queue="mine", exclusive=True)
    client.send("connection.close", channel=0)
    assert scene.broker.destinations() == []


def test_reason_of_a_clients_close_is_the_connections_end(scene: Scene) -> None:
    client = scene.client()
    client.send("connection.close", channel=0, reply_code=200, reply_text="bye")
    client.fake.vanish()
    assert client.peer.reason == "closed by the client: 200 bye"


def test_broker_that_ends_closes_every_connection(scene: Scene) -> None:
    client = scene.client()
    client.fake.connection.shutdown()
    assert client.peer.ended == "closed"
    client.fake.flush()
    (close,) = client.received()
    assert close["reply_code"] == ReplyCode.CONNECTION_FORCED


def test_reset_leaves_an_empty_broker(scene: Scene) -> None:
    client = scene.client()
    client.send("queue.declare", queue="q")
    client.send("exchange.declare", exchange="x", exchange_type="topic")
    scene.broker.reset()
    scene.advance(0)
    assert client.received()[0].name == "connection.close"
    assert scene.broker.destinations() == []


def test_memory_mark_blocks_publishers_and_lets_them_go_on() -> None:
    scene = Scene(limits=Limits(amqp_memory=1000))
    publisher, consumer = scene.client(), scene.client()
    publisher.send("queue.declare", queue="q")
    (blocked,) = publisher.publish("", "q", bytes(2000))
    assert (blocked.name, blocked["reason"]) == ("connection.blocked", "low on memory")
    assert publisher.peer.paused == 1
    assert [view.state for view in scene.broker.connections()] == ["blocked", "open"]
    assert len(bodies(consumer.send("basic.consume", queue="q", no_ack=True))) == 1
    assert names(publisher.received()) == ["connection.unblocked"]
    assert publisher.peer.paused == 0


def test_memory_is_counted_to_the_byte(scene: Scene) -> None:
    client = scene.client()
    memory = scene.broker.memory
    client.send("queue.declare", queue="q")
    client.fake.send(publish("", "q", bytes(100)) * 6)
    assert memory.used == 600 + 6 * COST
    for _ in range(3):
        client.send("basic.get", queue="q")
    client.send("basic.ack", delivery_tag=1)
    client.send("basic.reject", delivery_tag=2)
    client.send("basic.get", queue="q", no_ack=True)
    assert memory.used == 300 + 3 * COST
    client.send("queue.purge", queue="q")
    assert memory.used == 100 + COST
    client.send("queue.delete", queue="q")
    client.send("channel.close")
    assert memory.used == 0


def test_refusal_is_told_with_its_operation(scene: Scene) -> None:
    scene.client().send("queue.declare", queue="nope", passive=True)
    (event,) = scene.emitted(RequestDenied)
    assert (event.operation, event.code) == ("queue.declare", 404)


def test_options_name_users_and_vhosts() -> None:
    scene = Scene(AmqpOptions(users={"me": "secret"}, vhosts=("/", "shop")))
    assert scene.stranger().connect()[0]["reply_code"] == 403
    assert set(scene.broker.vhosts) == {"/", "shop"}


def test_channels_are_counted(scene: Scene) -> None:
    client = scene.client(tune=(2, 131_072, 0)).open(100)
    (close,) = client.send("channel.open", channel=3)
    assert close["reply_text"] == (
        "NOT_ALLOWED - number of channels opened (2) has reached the negotiated channel_max (2)"
    )


def test_line_ends_are_dropped_from_declared_names(scene: Scene) -> None:
    client = scene.client()
    assert client.send("queue.declare", queue="a\nb")[0]["queue"] == "ab"


def test_publisher_goes_on_when_a_slow_consumer_reads_again() -> None:
    scene = Scene(limits=Limits(amqp_memory=1_000_000))
    publisher, consumer = scene.client(), scene.client()
    publisher.send("queue.declare", queue="q")
    consumer.send("basic.consume", queue="q", no_ack=True)
    consumer.fake.set_writable(False)
    for _ in range(20):
        publisher.publish("", "q", bytes(60_000))
    assert publisher.peer.paused == 1
    consumer.fake.set_writable(True)
    for _ in range(5):
        scene.advance(0)
    assert publisher.peer.paused == 0
    assert scene.broker.memory.used == 0


def test_violation_says_what_could_not_be_decoded(scene: Scene) -> None:
    scene.client().fake.send(frames.frame(1, 1, b"\x00\x32\x00\x0a\x00\x00"))
    (event,) = scene.emitted(ProtocolViolated)
    assert (
        event.reason == "cannot decode <<0,0>> (queue.declare: 1 bytes wanted at offset 6, 0 left)"
    )


def test_names_that_are_no_utf8_are_refused_as_any_other(scene: Scene) -> None:
    client = scene.client()
    (close,) = client.send("queue.declare", queue=b"no \xff", passive=True)
    assert close["reply_text"] == "NOT_FOUND - no queue 'no \ufffd' in vhost '/'"
    (refused,) = scene.stranger().connect(vhost="\udcff")
    assert refused["reply_text"] == "NOT_ALLOWED - vhost \ufffd not found"


def test_messages_of_several_body_frames_count_as_publishes() -> None:
    scene = Scene(limits=Limits(amqp_memory=1000))
    client = scene.client()
    client.send("queue.declare", queue="q")
    (blocked,) = client.publish("", "q", bytes(200_000))
    assert blocked.name == "connection.blocked"
    assert client.peer.paused == 1
    assert scene.broker.connections()[0].messages_in == 1


def test_a_client_that_is_not_read_misses_no_heartbeat() -> None:
    scene = Scene(limits=Limits(amqp_memory=1000))
    blocked, slow = scene.client(), scene.client()
    blocked.send("queue.declare", queue="q")
    blocked.publish("", "q", bytes(2000))
    slow.fake.set_writable(False)
    scene.advance(600)
    assert blocked.peer.ended == slow.peer.ended == ""
    scene.client().send("queue.purge", queue="q")
    slow.fake.set_writable(True)
    assert blocked.peer.paused == 0
    scene.advance(180)
    assert blocked.peer.ended == slow.peer.ended == "reset"
