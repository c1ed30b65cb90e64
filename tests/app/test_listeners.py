"""Where clients are accepted, with servers that only say which ports they take."""

import asyncio
import errno

import pytest
from mockforge_brokers.errors import InvalidInput
from mockforge_brokers.listener import Listener

from mockforge_tui.config import Config
from mockforge_tui.listeners import CannotListen, Listeners

from .console.scene import Scene


class Server:
    """Takes any port but those of `taken`; 0 is the next of its own."""

    def __init__(self, taken: set[int]) -> None:
        self.taken = taken
        self.closed = 0

    async def listen(self, asked: Listener) -> Listener:
        if asked.port in self.taken:
            raise OSError(errno.EADDRINUSE, "Address already in use")
        if asked.path:
            raise OSError(errno.ENOENT, "No such file or directory")
        return asked if asked.port else asked.at(40_000 + len(self.taken))

    async def close(self) -> None:
        self.closed += 1


def made(taken: set[int], *, next_free: bool = False, **settings: object) -> Listeners:
    scene, notices = Scene(furnished=False), []
    servers = dict.fromkeys(scene.brokers, Server(taken))
    config = Config(**{"mqtt_ws": False, **settings})  # type: ignore[arg-type]
    found = Listeners(config, scene.brokers, servers, notices, next_free=next_free)  # type: ignore[arg-type]
    found.said = notices  # type: ignore[attr-defined]
    return found


def test_every_protocol_is_served_at_its_port_and_named_in_the_ready_line() -> None:
    listeners = made(set())
    assert (list(listeners), listeners.accepting, listeners.facts()) == ([], False, {})
    asyncio.run(listeners.open())
    assert listeners.accepting
    assert listeners.ports == {"kafka": 9092, "mqtt": 1883, "amqp": 5672}
    assert listeners.facts() == {
        "kafka": {"bootstrap": "127.0.0.1:9092"},
        "mqtt": {"url": "mqtt://127.0.0.1:1883"},
        "amqp": {"url": "amqp://guest:guest@127.0.0.1:5672/%2F"},
    }
    assert [each.protocol for each in listeners[1:]] == ["mqtt", "amqp"]


def test_a_taken_port_stops_the_start_and_names_the_option() -> None:
    listeners = made({1883})
    with pytest.raises(CannotListen, match=r"mqtt cannot listen at 127.0.0.1:1883: .*--mqtt-port"):
        asyncio.run(listeners.open())
    assert not listeners.accepting


def test_the_next_free_port_is_taken_and_said() -> None:
    listeners = made({1883, 1884}, next_free=True)
    asyncio.run(listeners.open())
    assert listeners.ports["mqtt"] == 1885
    assert listeners.said == ["port 1883 is taken: mqtt is at 1885"]  # type: ignore[attr-defined]


def test_a_port_for_websockets_that_nobody_asked_for_may_be_missing() -> None:
    listeners = made({8083}, mqtt_ws=True)
    asyncio.run(listeners.open())
    assert listeners.accepting
    assert "There is no MQTT over WebSocket" in listeners.said[0]  # type: ignore[attr-defined]
    with pytest.raises(CannotListen, match="--mqtt-ws-port"):
        asyncio.run(made({8083}, mqtt_ws=True, mqtt_ws_port=8083).open())


def test_a_path_that_cannot_be_bound_names_the_option() -> None:
    with pytest.raises(CannotListen, match="choose another path with --mqtt-unix"):
        asyncio.run(made(set(), mqtt_unix="/nowhere/mqtt.sock").open())


def test_without_tls_no_certificate_can_be_shown() -> None:
    listeners = made(set())
    with pytest.raises(InvalidInput, match="there is no TLS here: start with --tls auto"):
        listeners.show_certificate(expired=True)
    asyncio.run(listeners.close())
    listeners.forget_certificates()
