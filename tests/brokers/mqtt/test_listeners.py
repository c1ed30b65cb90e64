"""Settings of one listener: who may come by it, and what is taken from who did."""

import pytest
from mockforge_brokers.events import AccessDenied
from mockforge_brokers.listener import Listener
from mockforge_brokers.mqtt.codes import PacketType, Reason
from mockforge_brokers.mqtt.listeners import ListenerOptions
from mockforge_brokers.mqtt.wire.packets import (
    Ack,
    Auth,
    Connack,
    Connect,
    Disconnect,
    Packet,
    Publish,
    Request,
    Suback,
    Subscribe,
    Will,
)

from ..fake_peer import FakeClient
from .scene import Scene

TLS = Listener("mqtt", port=8883, tls=object())


def scene(*, version: int = 5, anonymous: bool | None = None, **own: object) -> Scene:
    made = ListenerOptions(anonymous, **own)  # type: ignore[arg-type]
    return Scene(version=version, listeners={"tls": made}, auth_methods=("M",))


def by_tls(scene: Scene, *packets: Packet) -> FakeClient:
    client = scene.network.connect(TLS)
    scene.send(client, *packets)
    return client


def code(scene: Scene, client: FakeClient) -> int:
    [connack] = scene.got(client)
    assert isinstance(connack, Connack)
    return connack.code


@pytest.mark.parametrize("elsewhere", [True, False])
def test_who_has_no_user_may_come_by_one_listener_and_not_by_the_others(elsewhere: bool) -> None:
    stage = scene(anonymous=not elsewhere)
    if not elsewhere:
        stage.access.anonymous.clear()
    stage.access.add_user("alice", "secret")
    unknown = (0, Reason.NOT_AUTHORIZED)
    assert code(stage, by_tls(stage, Connect("a", 5))) == unknown[elsewhere]
    assert code(stage, stage.come(Connect("b", 5))) == unknown[not elsewhere]
    for name, password, expected in (("alice", b"secret", 0), ("alice", b"?", 0x87)):
        client = by_tls(stage, Connect("c", 5, user_name=name, password=password))
        assert code(stage, client) == expected


def test_a_name_alone_is_not_believed_where_who_has_none_may_not_come() -> None:
    stage = scene(anonymous=False)
    assert code(stage, by_tls(stage, Connect("a", 5, user_name="bob"))) == Reason.NOT_AUTHORIZED
    assert code(stage, stage.come(Connect("b", 5, user_name="bob"))) == 0


def test_users_of_a_listener_are_all_that_may_come_by_it() -> None:
    stage = scene(users=("alice",))
    for name in ("alice", "bob"):
        stage.access.add_user(name, "secret")
    for name, expected in (("alice", 0), ("bob", Reason.NOT_AUTHORIZED)):
        who = Connect(name, 5, user_name=name, password=b"secret")
        assert code(stage, by_tls(stage, who)) == expected
        assert code(stage, stage.come(who)) == 0
    [denied] = stage.emitted(AccessDenied)
    assert denied.reason == "bob may not come by the listener tls, as alice may"


def test_who_proves_a_name_by_auth_is_asked_the_same() -> None:
    stage = scene(users=("alice",))
    who = Connect("b", 5, user_name="bob", properties={"authentication_method": "M"})
    assert code(stage, by_tls(stage, who)) == Reason.NOT_AUTHORIZED
    assert [event.user for event in stage.emitted(AccessDenied)] == ["bob"]
    alice = Connect("a", 5, user_name="alice", properties={"authentication_method": "M"})
    client = by_tls(stage, alice)
    assert code(stage, client) == 0
    again = stage.ask(client, Auth(Reason.RE_AUTHENTICATE, {"authentication_method": "M"}))
    assert [type(each) for each in again] == [Auth]


@pytest.mark.parametrize("qos", [1, 2])
def test_a_lower_qos_is_announced_granted_and_asked_of_each_publish(qos: int) -> None:
    stage = scene(maximum_qos=qos - 1)
    stage.connect("s", "t", qos=2)
    # Routes that the fast path learned of others do not serve who may do less.
    other = stage.connect("o")
    for packet_id in range(1, 4):
        stage.ask(other, Publish("t", b"x", qos, packet_id=packet_id))
    client = by_tls(stage, Connect("c", 5))
    [connack] = stage.got(client)
    assert isinstance(connack, Connack)
    assert connack.properties["maximum_qos"] == qos - 1
    assert stage.ask(client, Subscribe(1, [Request("a", 2)])) == [Suback(1, [qos - 1])]
    for packet_id in range(1, 4):
        stage.ask(client, Publish("t", b"x", qos - 1, packet_id=packet_id if qos > 1 else 0))
    [disconnect] = stage.ask(client, Publish("t", b"x", qos, packet_id=9))
    assert isinstance(disconnect, Disconnect)
    assert disconnect.code == Reason.QOS_NOT_SUPPORTED
    will = Will("w", b"x", qos)
    assert code(stage, by_tls(stage, Connect("w", 5, will=will))) == Reason.QOS_NOT_SUPPORTED


def test_a_higher_qos_than_elsewhere_is_served() -> None:
    stage = Scene(maximum_qos=0, listeners={"tls": ListenerOptions(maximum_qos=2)})
    client = by_tls(stage, Connect("c", 5))
    stage.got(client)
    assert stage.ask(client, Subscribe(1, [Request("t", 2)])) == [Suback(1, [2])]
    for packet_id in (1, 2):
        got = stage.ask(client, Publish("t", b"x", 1, packet_id=packet_id))
        kinds = [each.type for each in got if isinstance(each, Ack)]
        assert kinds == [PacketType.PUBACK]
        assert [each.qos for each in got if isinstance(each, Publish)] == [1]


def test_a_packet_larger_than_its_listener_takes_ends_the_connection() -> None:
    stage = scene(packet=100)
    client = by_tls(stage, Connect("c", 5))
    [connack] = stage.got(client)
    assert isinstance(connack, Connack)
    assert connack.properties["maximum_packet_size"] == 100
    large = Publish("t", b"x" * 100)
    [disconnect] = stage.ask(client, large)
    assert isinstance(disconnect, Disconnect)
    assert disconnect.code == Reason.PACKET_TOO_LARGE
    other = stage.connect("o")
    assert stage.ask(other, large) == []
    assert not other.peer.ended


def test_what_is_set_holds_for_who_comes_then_and_until_a_reset() -> None:
    stage = Scene()
    before = by_tls(stage, Connect("a", 5))
    stage.got(before)
    stage.broker.listeners["tls"] = ListenerOptions(maximum_qos=0)
    assert len(stage.ask(before, Publish("t", b"x", 1, packet_id=1))) == 1
    [connack] = stage.got(by_tls(stage, Connect("b", 5)))
    assert isinstance(connack, Connack)
    assert connack.properties["maximum_qos"] == 0
    stage.broker.reset()
    [connack] = stage.got(by_tls(stage, Connect("c", 5)))
    assert isinstance(connack, Connack)
    assert "maximum_qos" not in connack.properties
