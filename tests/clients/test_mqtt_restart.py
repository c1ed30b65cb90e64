"""`broker restart mqtt` among publishes of an unmodified client: what was confirmed arrives."""

from itertools import count
from threading import Condition

import paho.mqtt.client as paho
import pytest
from paho.mqtt.enums import CallbackAPIVersion

from clients.conftest import Servers

pytestmark = pytest.mark.client

TOTAL = 10_000
RESTARTS = 5
_numbers = count(1)


class Client:
    """Paho with a session that lasts; `seen` are payloads that came, `confirmed` ids."""

    def __init__(self, name: str, port: int) -> None:
        self.changed = Condition()
        self.seen: set[int] = set()
        self.confirmed = 0
        self.connections = 0
        self.subscribed = False
        self.paho = paho.Client(
            CallbackAPIVersion.VERSION2, client_id=name, protocol=paho.MQTTv311, clean_session=False
        )
        self.paho.reconnect_delay_set(min_delay=0.05, max_delay=0.05)  # type: ignore[arg-type]
        self.paho.max_inflight_messages_set(200)
        self.paho.on_message = lambda *args: self._note(int(args[2].payload))
        self.paho.on_publish = lambda *args: self._note(None)
        self.paho.on_connect = lambda *args: self._count("connections", self.connections + 1)
        self.paho.on_subscribe = lambda *args: self._count("subscribed", True)
        self.paho.connect("127.0.0.1", port)
        self.paho.loop_start()

    def _note(self, number: int | None) -> None:
        with self.changed:
            if number is None:
                self.confirmed += 1
            else:
                self.seen.add(number)
            self.changed.notify_all()

    def _count(self, name: str, value: object) -> None:
        with self.changed:
            setattr(self, name, value)
            self.changed.notify_all()

    def wait(self, fact: str, least: int) -> None:
        """Until that many were seen or confirmed, or connections made."""

        def value() -> int:
            found = getattr(self, fact)
            return len(found) if isinstance(found, set) else int(found)

        with self.changed:
            assert self.changed.wait_for(lambda: value() >= least, 60), f"{fact}: {value()}"

    def stop(self) -> None:
        self.paho.disconnect()
        self.paho.loop_stop()


@pytest.mark.parametrize("round_", range(4))
def test_restarts_among_10_000_confirmed_publishes_lose_none(servers: Servers, round_: int) -> None:
    topic, number = f"restart/{round_}", next(_numbers)
    port, broker = servers.ports["mqtt"], servers.brokers["mqtt"]
    taker, giver = Client(f"taker-{number}", port), Client(f"giver-{number}", port)
    try:
        taker.wait("connections", 1)
        taker.paho.subscribe(topic, 1)
        taker.wait("subscribed", 1)
        for value in range(TOTAL):
            giver.paho.publish(topic, str(value), 1)
        for restart in range(RESTARTS):
            giver.wait("confirmed", 200 + round_ * 400 + restart * 1_700)
            for client in (taker, giver):
                client.wait("connections", restart + 1)
            assert servers.call(broker.restart).connections == 2
        giver.wait("confirmed", TOTAL)
        taker.wait("seen", TOTAL)
    finally:
        for client in (taker, giver):
            client.stop()
        servers.call(broker.end_session, f"taker-{number}")
        servers.call(broker.end_session, f"giver-{number}")
