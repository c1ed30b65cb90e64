"""UDP sockets: an endpoint for each address, and what a sender may not do to the others."""

import asyncio
import socket
from collections.abc import Callable

from mockforge_brokers.clock import LoopClock
from mockforge_brokers.environment import Environment
from mockforge_brokers.events import ConnectionOpened, Event, ProtocolViolated
from mockforge_brokers.limits import Limits
from mockforge_brokers.listener import Listener
from mockforge_brokers.misbehaviour.actions import Delay, Duplicate, Refuse
from mockforge_brokers.mqtt.broker import MqttBroker
from mockforge_brokers.mqtt.options import MqttOptions
from mockforge_brokers.mqtt.sn import messages as sn
from mockforge_brokers.mqtt.sn.codec import decode, encode, unwrap, wrap
from mockforge_brokers.transport import Server

from .misbehaving import fault

PING = encode(sn.Pingreq())


class Place:
    """A server of MQTT-SN alone, and sockets that talk to it."""

    def __init__(self, options: MqttOptions | None = None, limits: Limits | None = None) -> None:
        loop = asyncio.get_running_loop()
        clock = LoopClock(loop)
        self.environment = Environment.create(clock, seed=1, limits=limits or Limits())
        self.broker = MqttBroker(self.environment, options)
        self.server = Server(self.broker, self.environment)
        self.events: list[Event] = []
        self.environment.spine.watch(self.events.append)
        self.sockets: list[socket.socket] = []
        self.port = 0

    async def open(self) -> None:
        self.port = (await self.server.listen(Listener("mqtt", datagram=True))).port

    def socket(self) -> socket.socket:
        sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        sock.setblocking(False)
        sock.connect(("127.0.0.1", self.port))
        self.sockets.append(sock)
        return sock

    async def close(self) -> None:
        await self.server.close()
        for sock in self.sockets:
            sock.close()


async def ask(sock: socket.socket, data: bytes) -> bytes:
    sock.send(data)
    return await asyncio.wait_for(asyncio.get_running_loop().sock_recv(sock, 65_536), 20)


def run(script: Callable[[Place], object], **options: object) -> None:
    async def main() -> None:
        place = Place(**options)  # type: ignore[arg-type]
        await place.open()
        try:
            await script(place)  # type: ignore[misc]
        finally:
            await place.close()

    asyncio.run(main())


CONNECT = encode(sn.Connect("d", 60))


def test_each_address_is_a_client_of_its_own_and_each_message_a_datagram() -> None:
    async def script(place: Place) -> None:
        one, two = place.socket(), place.socket()
        assert await ask(one, CONNECT) == encode(sn.Connack(0))
        assert await ask(two, PING) == encode(sn.Disconnect())
        assert await ask(one, encode(sn.Subscribe(1, "#"))) == encode(sn.Suback(0, 1))
        register = sn.Register(1, "t/1", 1)
        place.broker.publish("t/1", b"a")
        place.broker.publish("t/1", b"b")
        loop = asyncio.get_running_loop()
        assert decode(await asyncio.wait_for(loop.sock_recv(one, 100), 20)) == register
        assert decode(await ask(one, encode(sn.Regack(1, 1)))) == sn.Publish(1, b"a")
        assert decode(await asyncio.wait_for(loop.sock_recv(one, 100), 20)) == sn.Publish(1, b"b")
        opened = [event for event in place.events if isinstance(event, ConnectionOpened)]
        assert [event.address for event in opened] == [
            "{}:{}".format(*sock.getsockname()) for sock in (one, two)
        ]

    run(script)


def test_a_datagram_that_is_no_message_ends_nobody() -> None:
    async def script(place: Place) -> None:
        one = place.socket()
        await ask(one, CONNECT)
        for bad in (b"", b"\0", b"\x05\x16", PING + PING, b"\x01", b"\x03\xfe\x00"):
            one.send(bad)
        assert await ask(one, PING) == encode(sn.Pingresp())
        wrong = [event for event in place.events if isinstance(event, ProtocolViolated)]
        assert len(wrong) == 6
        assert "no message: a length of 5, and there are 2 octets" in wrong[2].reason
        assert len(place.server.endpoints) == 1

    run(script)


def test_nodes_behind_one_forwarder_are_clients_each() -> None:
    async def script(place: Place) -> None:
        forwarder = place.socket()
        for node in (b"\x0a", b"\x0b\x0c"):
            got = await ask(forwarder, wrap(node, encode(sn.Connect(node.hex()))))
            assert unwrap(got) == (node, encode(sn.Connack(0)))
        assert await ask(forwarder, PING) == encode(sn.Disconnect())
        views = {view.client: view for view in place.broker.connections()}
        assert views["0a"].detail["node"] == "0a"
        assert "node" not in views[""].detail
        assert (views["0b0c"].address, views["0a"].address) == (views[""].address,) * 2

    run(script)


def test_a_client_that_left_is_somebody_new_at_its_next_datagram() -> None:
    async def script(place: Place) -> None:
        one = place.socket()
        await ask(one, CONNECT)
        assert await ask(one, encode(sn.Disconnect())) == encode(sn.Disconnect())
        assert await ask(one, CONNECT) == encode(sn.Connack(0))
        assert len([each for each in place.events if isinstance(each, ConnectionOpened)]) == 2

    run(script)


def test_more_addresses_than_there_may_be_connections_are_not_served() -> None:
    async def script(place: Place) -> None:
        one, two = place.socket(), place.socket()
        await ask(one, CONNECT)
        two.send(CONNECT)
        assert await ask(one, PING) == encode(sn.Pingresp())
        assert len(place.server.endpoints) == 1
        await ask(one, encode(sn.Disconnect()))
        assert await ask(two, CONNECT) == encode(sn.Connack(0))

    run(script, limits=Limits(connections=1))


def test_faults_delay_duplicate_and_refuse_datagrams() -> None:
    async def script(place: Place) -> None:
        one, faults = place.socket(), place.environment.faults
        rule = fault(
            Refuse("QUOTA_EXCEEDED", {"mqtt": 0x97}), lambda row: row.operation == "CONNECT"
        )
        faults.add(rule)
        assert await ask(one, CONNECT) == encode(sn.Connack(1))
        faults.remove(rule.id)
        await ask(one, CONNECT)
        rule = fault(Duplicate(1), lambda row: row.operation == "PINGRESP")
        faults.add(rule)
        loop = asyncio.get_running_loop()
        assert await ask(one, PING) == encode(sn.Pingresp())
        assert await asyncio.wait_for(loop.sock_recv(one, 100), 20) == encode(sn.Pingresp())
        faults.remove(rule.id)
        faults.add(fault(Delay(0.01), lambda row: row.operation == "SUBSCRIBE"))
        assert await ask(one, encode(sn.Subscribe(1, "ab"))) == encode(sn.Suback(1, 1))

    run(script)


def test_the_socket_stays_until_its_clients_have_their_disconnect() -> None:
    async def script(place: Place) -> None:
        one = place.socket()
        await ask(one, CONNECT)
        await place.server.close()
        loop = asyncio.get_running_loop()
        assert await asyncio.wait_for(loop.sock_recv(one, 100), 20) == encode(sn.Disconnect())
        place.server.listen_again()
        await asyncio.sleep(0)
        while await ask(one, CONNECT) != encode(sn.Connack(0)):
            pass

    run(script)
