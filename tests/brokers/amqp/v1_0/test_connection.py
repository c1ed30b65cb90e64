"""From the protocol header to close, and what a client that breaks the rules hears."""

import pytest
from mockforge_brokers.access import rule_of
from mockforge_brokers.amqp.events import PublisherBlocked
from mockforge_brokers.amqp.options import AmqpOptions
from mockforge_brokers.amqp.profiles import PROFILES
from mockforge_brokers.amqp.v1_0.wire import message, values
from mockforge_brokers.amqp.v1_0.wire.frames import (
    HEADER,
    HEARTBEAT,
    SASL_HEADER,
    frame,
    performative,
    sasl,
)
from mockforge_brokers.amqp.v1_0.wire.values import Symbol
from mockforge_brokers.errors import InvalidInput
from mockforge_brokers.events import AccessDenied, ClientIdentified, ProtocolViolated
from mockforge_brokers.limits import Limits

from ..client import Scene
from .client import Client, names


def test_sasl_open_and_begin(scene: Scene) -> None:
    client = Client(scene)
    client.fake.send(SASL_HEADER)
    header, mechanisms = client.received()
    assert header["header"] == SASL_HEADER
    assert mechanisms["sasl_server_mechanisms"] == ("PLAIN", "AMQPLAIN", "ANONYMOUS")
    (outcome,) = client.login_again()
    assert outcome["code"] == 0
    client.fake.send(HEADER)
    properties = {Symbol("product"): "probe", Symbol("version"): "1"}
    _, opened = client.send("open", container_id="me", properties=properties)
    assert opened["max_frame_size"] == 131_072
    assert opened["channel_max"] == 63
    assert opened["idle_time_out"] == 30_000
    assert opened["offered_capabilities"] == ("LINK_PAIR_V1_0", "ANONYMOUS-RELAY")
    (begun,) = client.begin(channel=5)
    assert (begun.channel, begun["remote_channel"], begun["handle_max"]) == (5, 5, 255)
    (event,) = scene.emitted(ClientIdentified)
    assert (event.client, event.software) == ("me", "probe 1")


def test_who_names_nobody_is_the_first_user(scene: Scene) -> None:
    """RabbitMQ 4 has the setting anonymous_login_user, which is guest."""
    client = Client(scene)
    client.fake.send(SASL_HEADER)
    client.received()
    client.fake.send(sasl("sasl-init", mechanism="ANONYMOUS"))
    (outcome,) = client.received()
    assert outcome["code"] == 0
    client.fake.send(HEADER)
    assert names(client.send("open", container_id="me")) == ["protocol header", "open"]
    assert scene.broker.connections()[0].detail["user"] == "guest"


def test_it_is_one_of_the_brokers_connections(scene: Scene) -> None:
    client = Client(scene).connect()
    (view,) = scene.broker.connections()
    assert (view.client, view.state, view.detail["version"]) == ("c1", "open", "1.0")
    assert (view.detail["sessions"], view.detail["vhost"]) == (1, "/")
    assert scene.broker.disconnect(client.peer.id, "enough")
    scene.network.settle()
    (close,) = client.received()
    assert close.error == ("amqp:internal-error", 'Connection forced: "enough"')
    client.send("close")
    assert client.peer.ended == "closed"
    assert scene.broker.connections() == []


def test_without_sasl_it_is_shown_the_header_of_sasl(scene: Scene) -> None:
    client = Client(scene)
    client.fake.send(HEADER)
    assert [got["header"] for got in client.received()] == [SASL_HEADER]
    assert client.peer.ended == "closed"


def test_a_wrong_password_is_an_outcome_and_an_end(scene: Scene) -> None:
    client = Client(scene)
    (outcome,) = client.login(password="wrong")
    assert outcome["code"] == 1
    assert client.peer.ended == "closed"
    assert [each.reason for each in scene.emitted(AccessDenied)] == ["wrong password"]
    assert not scene.emitted(ProtocolViolated)


def test_a_virtual_host_is_named_by_hostname(scene: Scene) -> None:
    scene.broker.add_vhost("mine")
    Client(scene).connect(hostname="vhost:mine")
    assert scene.broker.connections()[0].detail["vhost"] == "mine"
    client = Client(scene)
    client.login()
    client.fake.send(HEADER)
    _, close = client.send("open", container_id="c", hostname="vhost:none")
    assert close.error == (
        "amqp:unauthorized-access",
        "AMQP 1.0 connection failed: virtual host 'none' does not exist",
    )


@pytest.mark.parametrize(
    ("fields", "condition"),
    [
        ({"max_frame_size": 100}, "amqp:frame-size-too-small"),
        ({"idle_time_out": 500}, "amqp:not-allowed"),
    ],
)
def test_an_open_that_cannot_be_is_answered_with_close(
    scene: Scene, fields: dict[str, int], condition: str
) -> None:
    client = Client(scene)
    client.login()
    client.fake.send(HEADER)
    came = client.send("open", container_id="c", **fields)
    assert came[-1].error[0] == condition


@pytest.mark.parametrize(
    ("raw", "condition", "why"),
    [
        (b"\x00\x00\x00\x07\x02\x00\x00\x00", "amqp:connection:framing-error", "frame size (7"),
        (b"\x00\x00\x00\x08\x01\x00\x00\x00", "amqp:connection:framing-error", "data offset (1)"),
        (b"\x00\x00\x00\x08\x03\x00\x00\x00", "amqp:connection:framing-error", "(12 bytes)"),
        (b"\x00\x00\x00\x09\x02\x01\x00\x00x", "amqp:connection:framing-error", "frame type 1"),
        (b"\x7f\x00\x00\x00\x02\x00\x00\x00", "amqp:connection:framing-error", "maximum frame"),
        (frame(99, b"\x45"), "amqp:decode-error", "begins with no performative"),
        (frame(0, b"\xff"), "amqp:decode-error", "begins no value"),
        (performative(99, "end"), "amqp:connection:framing-error", "channel number (99)"),
    ],
)
def test_malformed_frames_close_their_connection_and_no_other(
    scene: Scene, raw: bytes, condition: str, why: str
) -> None:
    other = Client(scene).connect()
    client = Client(scene).connect()
    client.fake.send(raw)
    (close,) = client.received()
    assert close.name == "close"
    assert close.error[0] == condition
    assert why in close.error[1]
    assert why in scene.emitted(ProtocolViolated)[-1].reason
    assert names(other.begin(channel=1)) == ["begin"]
    scene.advance(31)
    assert client.peer.ended == "closed"


def test_every_way_to_cut_the_bytes_is_the_same(scene: Scene) -> None:
    scene.broker.declare_queue("q")
    whole, cut = Client(scene).connect(), Client(scene)
    cut.login()
    data = (
        HEADER
        + performative(0, "open", container_id="c1")
        + performative(0, "begin", next_outgoing_id=0, incoming_window=9, outgoing_window=9)
    )
    for at in range(len(data)):
        cut.fake.send(data[at : at + 1])
    assert names(cut.received()) == ["protocol header", "open", "begin"]
    assert names(whole.begin(channel=1)) == ["begin"]


def test_a_performative_out_of_place_ends_what_it_belongs_to(scene: Scene) -> None:
    client = Client(scene).connect()
    (end,) = client.send("begin", next_outgoing_id=0, incoming_window=1, outgoing_window=1)
    assert end.error == ("amqp:invalid-field", "a begin came where none is due")
    assert client.send("flow", incoming_window=1, next_outgoing_id=0, outgoing_window=1) == []
    (close,) = client.send(
        "begin",
        channel=2,
        remote_channel=1,
        next_outgoing_id=0,
        incoming_window=1,
        outgoing_window=1,
    )
    assert close.name == "close"


def test_heartbeats_go_out_as_often_as_the_client_asks(scene: Scene) -> None:
    client = Client(scene).connect(idle_time_out=4000)
    scene.advance(2.1)
    assert client.fake.take() == HEARTBEAT


def test_a_silent_client_is_closed_after_the_time_that_it_was_told(scene: Scene) -> None:
    client = Client(scene).connect(idle_time_out=1000)
    for _ in range(5):
        scene.advance(20)
        client.fake.send(HEARTBEAT)
    client.received()
    scene.advance(151)
    close = client.received()[-1]
    assert close.error == (
        "amqp:resource-limit-exceeded",
        "no frame received from client within idle timeout threshold",
    )


def test_who_does_not_open_in_time_is_reset(scene: Scene) -> None:
    client = Client(scene)
    client.fake.send(SASL_HEADER)
    scene.advance(11)
    assert client.peer.ended == "reset"


def test_a_shutdown_is_said(scene: Scene) -> None:
    client = Client(scene).connect()
    client.fake.connection.shutdown()
    client.fake.flush()
    close = client.received()[-1]
    assert close.error == ("amqp:internal-error", 'Connection forced: "shutdown"')


def test_rights_are_asked_as_for_0_9_1(scene: Scene) -> None:
    scene.environment.access.add_rule(rule_of("allow guest write amqp:/:q"))
    scene.broker.declare_queue("q")
    client = Client(scene).connect()
    (end,) = client.receiver("/queues/q")
    assert end.error[0] == "amqp:unauthorized-access"
    assert "read access to queue 'q' in vhost '/' refused for user 'guest'" in end.error[1]


def test_publishers_wait_while_memory_is_low() -> None:
    scene = Scene(limits=Limits(amqp_memory=2000))
    scene.broker.declare_queue("q")
    client = Client(scene).connect()
    client.sender("/queues/q")
    client.transfer(b"x" * 3000)
    assert client.peer.paused == 1
    assert scene.emitted(PublisherBlocked)
    scene.broker.purge_queue("q")
    scene.network.settle()
    assert client.peer.paused == 0


def test_limits_of_users_count_both_versions(scene: Scene) -> None:
    scene.broker.limit_user("guest", {"max-connections": 1})
    scene.client()
    client = Client(scene)
    client.login()
    client.fake.send(HEADER)
    came = client.send("open", container_id="c")
    assert came[-1].error[0] == "amqp:resource-limit-exceeded"


def test_a_virtual_host_that_goes_takes_its_connections_along(scene: Scene) -> None:
    scene.broker.add_vhost("mine")
    client = Client(scene).connect(hostname="vhost:mine")
    assert scene.broker.remove_vhost("mine") == 1
    scene.network.settle()
    assert names(client.received()) == ["close"]
    with pytest.raises(InvalidInput):
        scene.broker.vhost("mine")


def test_clients_are_told_a_version_that_speaks_it() -> None:
    for told, expected in (("3.13", "4.2.0"), ("4.1", PROFILES["4.1"].version)):
        scene = Scene(AmqpOptions(as_version=told))
        client = Client(scene)
        client.login()
        client.fake.send(HEADER)
        _, opened = client.send("open", container_id="c")
        assert opened["properties"][Symbol("version")] == expected


def test_the_frames_of_a_restart_are_kept_apart(scene: Scene) -> None:
    """A message of 1.0 is the same after a restart: its own sections, not those of 0-9-1."""
    scene.broker.declare_queue("q", durable=True)
    client = Client(scene).connect()
    client.sender("/queues/q")
    bare = message.bare_message(
        {"message_id": values.ULong(7)}, {"n": values.UByte(3)}, message.value_section(["x"])
    )
    client.transfer(payload=message.header(durable=True) + bare)
    scene.broker.restart()
    again = Client(scene).connect()
    transfer = again.receiver("/queues/q", credit=1)[-1]
    assert transfer.sections is not None
    assert transfer.sections.bare == bare
