"""Damaged MQTT-SN over UDP, against a broker that has to keep serving everybody else.

    python -m tests.fuzzing.mqtt_sn_sockets --seconds 600 [--seed N]

Beside the damage a healthy device publishes with QoS 1 in each round. It fails where that gets no
PUBACK, or where the broker met a bug of its own.
"""

import argparse
import socket
import sys
import time
from collections import Counter
from random import Random

from mockforge_brokers.events import BrokerFailed
from mockforge_brokers.mqtt.sn import messages as sn
from mockforge_brokers.mqtt.sn.codec import decode, encode, wrap
from mockforge_brokers.mqtt.sn.messages import SnMessage

from mockforge_tui import MockForge

from .mqtt_sockets import damaged

_DEVICES = 8
_PATIENCE = 20.0
_NAMES = ("a", "ab", "t/1", "t/#", "+/x", "$share/g/t/#", "é", "x" * 300, "")


def message(random: Random) -> SnMessage:
    """A legal message of a client, or one that could be."""
    name, number = random.choice(_NAMES), random.randrange(12)
    payload = random.randbytes(random.choice((0, 1, 50, 2_000)))
    qos, kind = random.randrange(4), random.randrange(3)
    client = random.choice(("", "f1", "f2", "f3"))
    return random.choice(
        (
            sn.SearchGateway(),
            sn.Connect(client, random.choice((0, 1, 60)), random.random() < 0.5, number < 4),
            sn.WillTopic(name, qos, retain=True),
            sn.WillMessage(payload),
            sn.Register(number, name),
            sn.Regack(number, number, random.randrange(5)),
            sn.Publish(number, payload, qos, number < 3, number, kind),
            sn.Publish(number, payload, qos, number < 3, number, kind),
            sn.Puback(number, number, random.randrange(5)),
            sn.Pubrec(number),
            sn.Pubrel(number),
            sn.Pubcomp(number),
            sn.Subscribe(number, name, number, qos, kind),
            sn.Unsubscribe(number, name, number, kind),
            sn.Pingreq(client),
            sn.Disconnect(random.choice((None, 0, 1, 60))),
            sn.WillTopicUpdate(name, qos),
            sn.WillMessageUpdate(payload),
            sn.Connack(3),
        )
    )


def datagram(random: Random) -> bytes:
    data = encode(message(random))
    if random.random() < 0.2:
        data = wrap(random.randbytes(random.randrange(1, 4)), data)
    return damaged(random, data) if random.random() < 0.3 else data


class Healthy:
    """A device that nothing of this is to reach."""

    def __init__(self, port: int) -> None:
        self._port = port
        self._count = 0
        self._socket = _socket(port)
        self._ask(sn.Connect("healthy", 0), sn.Connack)
        self._ask(sn.Register(1, "healthy/1"), sn.Regack)

    def _ask(self, request: SnMessage, wanted: type) -> SnMessage:
        self._socket.send(encode(request))
        self._socket.settimeout(_PATIENCE)
        answer = decode(self._socket.recv(65_536))
        assert isinstance(answer, wanted), answer
        return answer

    def works(self) -> None:
        """Raises AssertionError or TimeoutError."""
        self._count = self._count % 60_000 + 1
        answer = self._ask(sn.Publish(1, b"x", 1, message_id=self._count), sn.Puback)
        assert answer == sn.Puback(1, self._count), answer


def _socket(port: int) -> socket.socket:
    sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    sock.connect(("127.0.0.1", port))
    return sock


def one_round(random: Random, port: int, seen: Counter[str], healthy: Healthy) -> None:
    """Some devices that each send some datagrams and take what comes; raises as `works`."""
    sockets = [_socket(port) for _ in range(_DEVICES)]
    for _ in range(random.randrange(1, 20)):
        for sock in sockets:
            sock.send(datagram(random))
            seen["sent"] += 1
    # Once it has its PUBACK, what was sent before is handled.
    healthy.works()
    for sock in sockets:
        sock.setblocking(False)
        try:
            while sock.recv(65_536):
                seen["answers"] += 1
        except OSError:
            pass
        sock.close()


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n\n")[0])
    parser.add_argument("--seconds", type=float, default=60)
    parser.add_argument("--seed", type=int, default=1)
    given = parser.parse_args()
    random, seen, failures = Random(given.seed), Counter[str](), []
    with MockForge(kafka=False, amqp=False, mqtt_ws=False, mqtt_sn=True) as forge:
        bugs: list[object] = []

        def heard(event: object) -> None:
            if isinstance(event, BrokerFailed):
                bugs.append(event)

        forge.call(forge.runtime.spine.watch, heard)
        port = int(forge.facts["mqtt"]["sn"].rpartition(":")[2])
        healthy = Healthy(port)
        until, rounds = time.monotonic() + given.seconds, 0
        while time.monotonic() < until and not failures:
            rounds += 1
            try:
                one_round(random, port, seen, healthy)
            except (AssertionError, OSError) as error:
                failures.append(f"round {rounds}: {error!r}")
            failures += map(repr, bugs)
            if not rounds % 50:
                # Time passes, or the addresses of all rounds would fill the table.
                forge.run("clock advance 40s")
    print(f"seed {given.seed}: {rounds:,} rounds, {dict(seen)}, {len(failures)} failures")
    print("\n".join(failures[:10]))
    return bool(failures)


if __name__ == "__main__":
    sys.exit(main())
