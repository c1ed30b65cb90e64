"""Rounds in which a program is killed, or its broker ends, in the midst of confirmed publishes.

Each starts the program on an empty data folder, lets a real client publish, kills it when some of
the publishes are confirmed, starts it again and looks: what was confirmed is there, and there once
where the protocol promises that (an idempotent Kafka producer and MQTT's QoS 2 go on with the same
client; AMQP's publisher does not repeat what was lost).
"""

import asyncio
import json
import logging
import random
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from contextlib import ExitStack, suppress
from pathlib import Path
from threading import Event
from typing import Any, NamedTuple
from urllib.request import Request, urlopen

from tests.benchmarks.common import free_port

PADDING = b"." * 1000
PATIENCE = 120.0
SMALL_DISK = 128 * 1024 * 1024
"""Bytes of a disk that is to be filled: 10,000 messages have room."""


class Outcome(NamedTuple):
    """Of a round: how many messages were confirmed `before` the kill, and in all, and are there."""

    before: int
    confirmed: int
    found: int

    def __str__(self) -> str:
        when = f"{self.before:,} confirmed before the kill"
        return f"{when}, {self.confirmed:,} in all, {self.found:,} there, none twice"


class Program:
    """The program on a data folder, at the same port after each kill."""

    def __init__(self, protocol: str, folder: str) -> None:
        self.port = free_port()
        others = {"kafka", "mqtt", "amqp"} - {protocol}
        self.command = [
            sys.executable, "-m", "mockforge_tui", "--headless", "--no-mqtt-ws",
            f"--{protocol}-port", str(self.port), *(f"--no-{each}" for each in others),
            *self.options(folder),
        ]  # fmt: skip
        self.begin()

    def options(self, folder: str) -> list[str]:
        return ["--no-admin", "--data-dir", folder]

    def begin(self) -> None:
        self.process = subprocess.Popen(self.command, stdout=subprocess.PIPE)
        assert self.process.stdout is not None
        self.facts = json.loads(self.process.stdout.readline())
        assert self.facts["event"] == "ready"

    def start(self) -> None:
        """Again, after a kill."""
        self.begin()

    def kill(self) -> None:
        self.process.send_signal(signal.SIGKILL)
        self.process.communicate()

    def end(self) -> None:
        self.process.terminate()
        self.process.communicate()


class Stopped(Program):
    """A program that goes on: its broker is stopped by the console, and started."""

    def __init__(self, protocol: str, how: str, folder: str = "") -> None:
        self.protocol = protocol
        self.how = how
        super().__init__(protocol, folder)

    def options(self, folder: str) -> list[str]:
        # Where a confirm waits for the disk there is nearly always something that is not there yet.
        return ["--admin-port", "0", *(folder and ("--data-dir", folder, "--data-sync", "commit"))]

    def begin(self) -> None:
        super().begin()
        # What answers HTTP is loaded with the first request, and so not in the midst of it all.
        self.ask("limits")

    def kill(self) -> None:
        self.ask(f"broker stop {self.protocol} {self.how} -y")

    def start(self) -> None:
        self.ask(f"broker start {self.protocol}")

    def ask(self, line: str) -> str:
        request = Request(
            f"{self.facts['admin']['url']}/commands",
            json.dumps({"line": line}).encode(),
            {"content-type": "application/json"},
        )
        with urlopen(request, timeout=PATIENCE) as answer:
            assert answer.status == 200, line
            said: bytes = answer.read()
        return said.decode()


class Full(Stopped):
    """A program on a disk that fills up: it says so, is killed, and there is room again."""

    def options(self, folder: str) -> list[str]:
        self.folder = Path(folder)
        return ["--admin-port", "0", "--data-dir", folder]

    @property
    def filling(self) -> Path:
        return self.folder.with_name("filling")

    def kill(self) -> None:
        with suppress(OSError), self.filling.open("wb", buffering=0) as file:
            while file.write(PADDING):
                pass
        until(self.says_so, "that the disk is full")
        Program.kill(self)

    def says_so(self) -> bool:
        # Something more to be kept each time: there is some room that was made ahead.
        self.ask(f"user add {time.time_ns()}{'x' * len(PADDING)} secret")
        return "the disk is full" in self.ask("data")

    def start(self) -> None:
        self.filling.unlink()
        Program.start(self)


class Restarted(Stopped):
    """A program that goes on: its broker is restarted, which leaves nobody time to see it gone."""

    def kill(self) -> None:
        self.ask(f"broker restart {self.protocol} -y")

    def start(self) -> None:
        pass


def until(fact: Callable[[], object], what: str) -> None:
    end = time.monotonic() + PATIENCE
    while not fact():
        assert time.monotonic() < end, f"never: {what}"
        time.sleep(0.001)


def check(
    protocol: str, confirmed: set[bytes], found: list[bytes], *, all_of: int = 0, before: int = 0
) -> Outcome:
    """Raises AssertionError where one is lost or doubled."""
    counts = Counter(found)
    lost = confirmed - counts.keys()
    doubled = [each for each, count in counts.items() if count > 1]
    assert not lost, f"{protocol}: {len(lost)} confirmed and lost, such as {min(lost)!r}"
    assert not doubled, f"{protocol}: {len(doubled)} doubled, such as {doubled[0]!r}"
    assert not all_of or len(counts) == all_of, f"{protocol}: {len(counts)} of {all_of} in the end"
    return Outcome(before or len(confirmed), len(confirmed), len(found))


def kafka(program: Program, messages: int, kill_at: int) -> Outcome:
    """An idempotent producer goes on after the kill: all of it is there once."""
    from confluent_kafka import Producer

    address = {"bootstrap.servers": f"127.0.0.1:{program.port}", "log_level": 0}
    confirmed: set[bytes] = set()
    failed: list[str] = []

    def delivered(error: object, message: Any) -> None:
        if error is not None:
            failed.append(str(error))
        else:
            confirmed.add((message.value() or b"")[:8])

    producer = Producer(
        {**address, "enable.idempotence": True, "linger.ms": 1, "batch.num.messages": 50,
         "reconnect.backoff.max.ms": 200}
    )  # fmt: skip

    def some(number: int) -> None:
        producer.produce("t", b"%08d" % number + PADDING, on_delivery=delivered)
        producer.poll(0)

    sent = 0
    while sent < messages and len(confirmed) < kill_at:
        some(sent)
        sent += 1
        if sent - len(confirmed) > 2000:
            producer.poll(0.01)
    until(lambda: producer.poll(0.001) + 1 and len(confirmed) >= kill_at, "half of it confirmed")
    program.kill()
    before = set(confirmed)
    for number in range(sent, messages):
        some(number)
    program.start()
    assert producer.flush(PATIENCE) == 0
    assert not failed, failed[0]
    return check("kafka", confirmed, read(address, len(confirmed)), before=len(before))


def read(address: dict[str, Any], count: int) -> list[bytes]:
    """All that is in the topic: so many, and what comes unasked."""
    from confluent_kafka import Consumer

    consumer = Consumer({**address, "group.id": "g", "auto.offset.reset": "earliest"})
    consumer.subscribe(["t"])
    found: list[bytes] = []
    end = time.monotonic() + PATIENCE
    while len(found) < count and time.monotonic() < end:
        found += [(one.value() or b"")[:8] for one in consumer.consume(1000, 0.5)]
    found += [(one.value() or b"")[:8] for one in consumer.consume(1000, 0.5)]
    consumer.close()
    return found


def mqtt(program: Program, messages: int, kill_at: int) -> Outcome:
    """QoS 2 from end to end, both clients with a session that lasts: all of it arrives once."""
    import paho.mqtt.client as paho

    confirmed: set[bytes] = set()
    found: list[bytes] = []
    subscribed = Event()

    def client(name: str) -> "paho.Client":
        made = paho.Client(
            paho.CallbackAPIVersion.VERSION2,
            client_id=name,
            clean_session=False,
            # With each attempt that fails it forgets a little more of what it had: after two of
            # them it publishes anew what was released already. So there is one, at a good time.
            reconnect_on_failure=False,
        )
        made.max_inflight_messages_set(200)
        made.max_queued_messages_set(0)
        return made

    taker, maker = client("taker"), client("maker")
    taker.on_message = lambda *args: found.append(args[2].payload[:8])
    taker.on_subscribe = lambda *args: subscribed.set()

    def published(*args: Any) -> None:
        # Identifiers come in their order, and again only after 65,535 of them.
        confirmed.add(b"%08d" % (args[2] - 1))

    maker.on_publish = published
    for each in (taker, maker):
        each.connect("127.0.0.1", program.port)
        each.loop_start()
    taker.subscribe("t", 2)
    assert subscribed.wait(PATIENCE)
    for number in range(messages):
        maker.publish("t", b"%08d" % number + PADDING, 2)
    until(lambda: len(confirmed) >= kill_at, "enough of it confirmed")
    program.kill()
    before = len(confirmed)
    program.start()
    for each in (taker, maker):
        each.loop_stop()
        # paho forgets the pair that wakes its loop when the loop starts again, and never closes it.
        each._reset_sockets(sockpair_only=True)
        each.reconnect()
        each.loop_start()
    until(lambda: len(confirmed) == messages, "all of it confirmed")
    until(lambda: len(found) >= messages, f"all of it received: {len(found)}")
    for each in (maker, taker):
        each.disconnect()
        each.loop_stop()
    return check("mqtt", confirmed, found, all_of=messages, before=before)


def amqp(program: Program, messages: int, kill_at: int) -> Outcome:
    """Persistent messages with confirms; those of them that were sent in vain may be lost."""
    return asyncio.run(_amqp(program, messages, kill_at))


async def _amqp(program: Program, messages: int, kill_at: int) -> Outcome:
    import aio_pika

    url = f"amqp://guest:guest@127.0.0.1:{program.port}/"
    confirmed: set[bytes] = set()
    connection = await aio_pika.connect(url)
    channel = await connection.channel(publisher_confirms=True)
    await channel.declare_queue("q", durable=True)
    room = asyncio.Semaphore(200)
    killed = asyncio.Event()
    # What the client's own tasks say of the lost connection is no news.
    asyncio.get_running_loop().set_exception_handler(lambda loop, context: None)
    logging.getLogger("aiormq").setLevel(logging.CRITICAL)

    async def publish(number: int) -> None:
        payload = b"%08d" % number
        mode = aio_pika.DeliveryMode.PERSISTENT
        async with room:
            if killed.is_set():
                return
            try:
                message = aio_pika.Message(payload + PADDING, delivery_mode=mode)
                await channel.default_exchange.publish(message, "q")
            except (aio_pika.exceptions.AMQPError, ConnectionError, RuntimeError):
                return
            if not killed.is_set():
                confirmed.add(payload)
                if len(confirmed) >= kill_at:
                    killed.set()
                    program.kill()

    publishes = asyncio.gather(*map(publish, range(messages)), return_exceptions=True)
    before = -1
    while not publishes.done():
        assert len(confirmed) > before, f"amqp: no confirm for {PATIENCE:.0f} s after {before}"
        before = len(confirmed)
        await asyncio.wait((publishes,), timeout=PATIENCE)
    assert killed.is_set(), "amqp: it ended before enough of it was confirmed"
    program.start()
    connection = await aio_pika.connect(url)
    channel = await connection.channel()
    queue = await channel.declare_queue("q", durable=True)
    found = []
    while (message := await queue.get(no_ack=True, fail=False)) is not None:
        found.append(message.body[:8])
    await connection.close()
    return check("amqp", confirmed, found)


PROTOCOLS = {"kafka": kafka, "mqtt": mqtt, "amqp": amqp}


WAYS = {
    "kill": "kill -9, with --data-dir",
    "restart": "broker restart, with --data-dir",
    "full": "the disk is full, then kill -9",
    "restart-memory": "broker restart, in memory",
    "stop": "broker stop and start, in memory",
    "hard": "broker stop --hard and start, in memory",
    "hard-kept": "broker stop --hard and start, with --data-dir",
}
"""What ends it: a signal, or what is asked of the console."""
_IN_MEMORY = {"restart-memory", "stop", "hard"}


def round_of(protocol: str, messages: int, seed: int, way: str = "kill") -> Outcome:
    """Raises AssertionError where something was lost or doubled, or does not go on."""
    kill_at = random.Random(seed).randint(messages // 20, messages * 9 // 10)
    with tempfile.TemporaryDirectory() as folder, ExitStack() as mounted:
        data = str(Path(folder) / "data")
        program: Program
        if way == "kill":
            program = Program(protocol, data)
        elif way == "full":
            mount = ["mount", "-t", "tmpfs", "-o", f"size={SMALL_DISK}", "none", folder]
            subprocess.run(mount, check=True)
            mounted.callback(subprocess.run, ["umount", "-l", folder], check=True)
            program = Full(protocol, "", data)
        else:
            kind = Restarted if way.startswith("restart") else Stopped
            how = "--hard" if way.startswith("hard") else ""
            program = kind(protocol, how, "" if way in _IN_MEMORY else data)
        try:
            return PROTOCOLS[protocol](program, messages, kill_at)
        finally:
            program.end()
