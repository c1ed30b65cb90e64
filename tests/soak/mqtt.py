"""MQTT for minutes: sessions whose clients come and go. `python -m tests.soak.mqtt -h`.

Publishers of QoS 1 and 2 wait until they have what they sent confirmed; they and the subscribers
break off their connections and take their sessions up again. At the end each subscriber whose
session lasted must have each confirmed message: of QoS 1 once at least, of QoS 2 once. Beside them
wills, retained messages and a shared subscription are busy, whose clients leave nothing behind. The
broker's memory must be in the second half what it was in the first (`amqp` says how that is meant).
"""

import argparse
import json
import sys
import threading
import time
from collections import Counter, deque
from contextlib import suppress
from random import Random
from subprocess import PIPE, Popen
from typing import Any

import paho.mqtt.client as paho
from paho.mqtt.enums import CallbackAPIVersion
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties

from .amqp import BOUNDED, MAY_GROW, SETTLING_SECONDS, memory

LASTING_SECONDS = 600
AT_ONCE = 40
"""Messages of a publisher that are not confirmed yet."""


def drop(client: paho.Client) -> None:
    """Be gone without a word, and come back when `loop` finds out."""
    sock = client.socket()
    if sock is not None:
        with suppress(OSError):
            sock.shutdown(2)


class Lasting:
    """A client whose session outlives its connections: paho takes it up again by itself."""

    def __init__(self, port: int, name: str, version: int) -> None:
        five = version == paho.MQTTv5
        session = {} if five else {"clean_session": False}
        self.client = paho.Client(CallbackAPIVersion.VERSION2, name, protocol=version, **session)
        self.client.reconnect_delay_set(0.05, 0.5)
        properties = Properties(PacketTypes.CONNECT)
        properties.SessionExpiryInterval = LASTING_SECONDS
        start: dict[str, Any] = {"clean_start": False, "properties": properties} if five else {}
        self.connect = lambda: self.client.connect("127.0.0.1", port, 30, **start)


class Subscriber(Lasting):
    """Counts each number that it gets."""

    def __init__(self, port: int, name: str, version: int, qos: int) -> None:
        super().__init__(port, name, version)
        self.qos = qos
        self.got: Counter[bytes] = Counter()
        self.client.on_message = lambda client, data, message: self.got.update(
            (message.payload.rstrip(),)
        )
        self.ready = threading.Event()
        self.client.on_subscribe = lambda *_: self.ready.set()

    def begin(self) -> None:
        self.connect()
        self.client.subscribe(f"soak/{self.qos}/#", self.qos)
        self.client.loop_start()
        assert self.ready.wait(10)


class Publisher(Lasting):
    """Publishes numbers; `confirmed` are those whose PUBACK or PUBCOMP came."""

    def __init__(self, port: int, name: str, version: int, qos: int) -> None:
        super().__init__(port, name, version)
        self.name, self.qos = name, qos
        self.waiting: dict[int, bytes] = {}
        self.confirmed: list[bytes] = []
        self.came: deque[int] = deque()
        # Paho calls it with a lock that its `publish` waits for: no lock of ours around both.
        self.client.on_publish = lambda client, data, mid, *_: self.came.append(mid)

    def settle(self, most: int) -> None:
        """Wait until so many at most are not confirmed."""
        while len(self.waiting) > most:
            while self.came:
                self.confirmed.append(self.waiting.pop(self.came.popleft()))
            if len(self.waiting) > most:
                time.sleep(0.002)

    def run(self, over: threading.Event, seed: int) -> None:
        random = Random(seed)
        self.client.max_queued_messages_set(0)
        self.connect()
        self.client.loop_start()
        count = 0
        while not over.is_set():
            count += 1
            number = f"{self.name}/{count}".encode()
            payload = number.ljust(random.choice((16, 200, 4_000)))
            # Also while it is not connected: it is sent as soon as that is so.
            sent = self.client.publish(f"soak/{self.qos}/{count % 7}", payload, self.qos)
            self.waiting[sent.mid] = number
            self.settle(AT_ONCE)
            if random.random() < 0.0005:
                drop(self.client)
        self.settle(0)
        self.client.disconnect()
        self.client.loop_stop()


class Passing:
    """Clients that leave nothing behind: a will, a retained message, a share of what comes."""

    def __init__(self, port: int) -> None:
        self.port = port
        self.visits = self.shared = 0

    def _count(self, *_: object) -> None:
        self.shared += 1

    def run(self, over: threading.Event, seed: int) -> None:
        random = Random(seed)
        while not over.is_set():
            self.visits += 1
            name = f"passing-{seed}-{self.visits}"
            client = paho.Client(CallbackAPIVersion.VERSION2, name)
            client.will_set(f"left/{seed}", name, 1, retain=True)
            client.on_message = self._count
            client.connect("127.0.0.1", self.port)
            client.subscribe([("$share/some/soak/#", random.choice((0, 1, 2))), ("left/+", 1)])
            client.publish(f"here/{self.visits % 50}", name, random.choice((0, 1)), retain=True)
            until = time.monotonic() + random.uniform(0.05, 1.0)
            while time.monotonic() < until and client.loop(0.05) == paho.MQTT_ERR_SUCCESS:
                """It reads until it leaves, or is left."""
            if random.random() < 0.5:
                drop(client)
            else:
                client.disconnect()
                client.loop(0.05)


class Soak:
    """All clients of one broker."""

    def __init__(self, port: int, seed: int) -> None:
        versions = paho.MQTTv311, paho.MQTTv5
        pairs = [(version, qos) for version in versions for qos in (1, 2)]
        self.subscribers = [Subscriber(port, f"s{v}-{qos}", v, qos) for v, qos in pairs]
        self.publishers = [Publisher(port, f"p{v}-{qos}", v, qos) for v, qos in pairs]
        self.passing = Passing(port)
        self.over, self.random, self.breaks = threading.Event(), Random(seed), 0
        self.threads = [
            threading.Thread(target=each.run, args=(self.over, seed + at))
            for at, each in enumerate((*self.publishers, self.passing, self.passing))
        ]

    def begin(self) -> None:
        for each in self.subscribers:
            each.begin()
        for thread in self.threads:
            thread.start()

    @property
    def delivered(self) -> int:
        return sum(each.got.total() for each in self.subscribers)

    def break_one(self) -> None:
        """One of the subscribers is gone for a moment."""
        drop(self.random.choice(self.subscribers).client)
        self.breaks += 1

    def faults(self) -> list[str]:
        """What was confirmed and did not come, or came twice where it must not."""
        found = []
        for publisher in self.publishers:
            for one in self.subscribers:
                if one.qos == publisher.qos:
                    counts = [one.got[number] for number in publisher.confirmed]
                    lost, more = counts.count(0), sum(count > 1 for count in counts)
                    if lost or (one.qos == 2 and more):
                        name = one.client._client_id.decode()
                        found.append(f"{publisher.name} to {name}: {lost} lost, {more} twice")
        return found

    def end(self) -> None:
        self.over.set()
        for thread in self.threads:
            thread.join()
        # Who was broken off again and again catches up, on a busy machine for minutes.
        delivered, deadline = -1, 0.0
        while any("0 lost" not in fault for fault in self.faults()):
            if self.delivered > delivered:
                delivered, deadline = self.delivered, time.monotonic() + SETTLING_SECONDS
            elif time.monotonic() > deadline:
                break
            time.sleep(0.2)
        for each in self.subscribers:
            each.client.disconnect()
            each.client.loop_stop()

    def __str__(self) -> str:
        return (
            f"{sum(len(each.confirmed) for each in self.publishers):,} confirmed, "
            f"{self.delivered:,} delivered, "
            f"{self.passing.shared:,} by shares, {self.passing.visits:,} passing clients, "
            f"{self.breaks:,} subscribers broken off"
        )


def run(soak: Soak, pid: int, minutes: float) -> int:
    soak.begin()
    begun, first, told = time.monotonic(), 0.0, 0.0
    while (passed := time.monotonic() - begun) < minutes * 60:
        time.sleep(soak.random.uniform(0.1, 1.0))
        soak.break_one()
        if not first and passed >= minutes * 30:
            first = memory(pid)
        if passed - told >= SETTLING_SECONDS:
            told = passed
            print(f"{passed / 60:5.1f} min  {memory(pid):6.1f} MB  {soak}", flush=True)
    soak.end()
    last, faults = memory(pid), soak.faults()
    print(soak, *faults, sep="\n")
    print(f"memory {first:.1f} MB at half-time, {last:.1f} MB at the end")
    return int(bool(faults) or last > first * MAY_GROW)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--minutes", type=float, default=30.0)
    parser.add_argument("--seed", type=int, default=1)
    asked = parser.parse_args()
    limits = (*BOUNDED, "mqtt_session_queue=100000")
    command = [sys.executable, "-m", "mockforge_tui", "--headless", "--no-kafka", "--no-amqp",
               "--no-admin", "--no-mqtt-ws", "--mqtt-port", "0"]  # fmt: skip
    command += [word for limit in limits for word in ("--limit", limit)]
    with Popen(command, stdout=PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            port = int(json.loads(process.stdout.readline())["mqtt"]["url"].rsplit(":", 1)[1])
            return run(Soak(port, asked.seed), process.pid, asked.minutes)
        finally:
            process.terminate()


if __name__ == "__main__":
    sys.exit(main())
