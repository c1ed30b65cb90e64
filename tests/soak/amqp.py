"""AMQP for minutes: TTL, dead letters and clients that come and go. `python -m tests.soak.amqp -h`.

Publishers wait for confirms; consumers take some, reject some, let some expire, and break off their
connections. At the end each confirmed message must have been acknowledged by somebody, and the
broker's memory must be in the second half what it was in the first. What fills up to a limit by
design (the journal, the connections that are over) has low limits here, so that it is full by then.
How much waits when all consumers happen to be away is a matter of chance, and a process keeps the
memory that it once had: one step is no growth, but one in each half would be.
"""

import argparse
import json
import socket
import subprocess
import sys
import threading
import time
from contextlib import suppress
from pathlib import Path
from random import Random
from typing import Any

import pika
from pika.exceptions import AMQPError

WORK, DEAD = "soak.work", "soak.dead"
EXPIRE_MS = 1500
AWAY_SECONDS = 2.0
MAY_GROW = 1.1
SETTLING_SECONDS = 60.0
BOUNDED = ("journal_total=4MiB", "journal_connection=256KiB", "journal_ended=50",
           "ended_connections=50")  # fmt: skip


class Soak:
    """What all threads share."""

    def __init__(self, url: str) -> None:
        self.parameters = pika.URLParameters(url)
        self.publishing = threading.Event()
        self.consuming = threading.Event()
        self.publishing.set()
        self.consuming.set()
        self.lock = threading.Lock()
        self.confirmed: set[int] = set()
        self.acknowledged: set[int] = set()
        self.numbers = iter(range(1, sys.maxsize))
        self.published = self.dead = self.breaks = 0

    def declare(self) -> None:
        with pika.BlockingConnection(self.parameters) as connection:
            channel = connection.channel()
            channel.queue_declare(DEAD, durable=True)
            arguments = {
                "x-message-ttl": EXPIRE_MS,
                "x-dead-letter-exchange": "",
                "x-dead-letter-routing-key": DEAD,
            }
            channel.queue_declare(WORK, durable=True, arguments=arguments)

    def publish(self, seed: int) -> None:
        random = Random(seed)
        while self.publishing.is_set():
            with suppress(AMQPError), pika.BlockingConnection(self.parameters) as connection:
                channel = connection.channel()
                channel.confirm_delivery()
                for _ in range(random.randint(200, 3000)):
                    if not self.publishing.is_set():
                        break
                    with self.lock:
                        number = next(self.numbers)
                    body = str(number).encode().ljust(random.choice((16, 200, 4000)))
                    channel.basic_publish("", WORK, body, pika.BasicProperties(delivery_mode=2))
                    with self.lock:
                        self.published += 1
                        # Whoever was quick has acknowledged it before its confirm was read.
                        if number in self.acknowledged:
                            self.acknowledged.discard(number)
                        else:
                            self.confirmed.add(number)

    def consume(self, queue: str, seed: int) -> None:
        random = Random(seed)
        while self.consuming.is_set():
            with suppress(AMQPError, OSError):
                self._consume_once(queue, random)

    def _consume_once(self, queue: str, random: Random) -> None:
        connection = pika.BlockingConnection(self.parameters)
        channel = connection.channel()
        channel.basic_qos(prefetch_count=random.choice((1, 10, 100)))
        until = time.monotonic() + random.uniform(0.2, 3.0)
        for method, _, body in channel.consume(queue, inactivity_timeout=0.1):
            if method is not None:
                self._settle(queue, channel, method.delivery_tag, int(body), random)
            if time.monotonic() > until or not self.consuming.is_set():
                break
        if random.random() < 0.5:
            # Gone without a word, with what is unacknowledged.
            connection._impl._transport._sock.shutdown(socket.SHUT_RDWR)
            self.breaks += 1
        else:
            connection.close()
        if queue == WORK and random.random() < 0.3:
            time.sleep(AWAY_SECONDS * random.random())

    def _settle(self, queue: str, channel: Any, tag: int, number: int, random: Random) -> None:
        if queue == WORK and random.random() < 0.1:
            channel.basic_reject(tag, requeue=random.random() < 0.3)
            return
        channel.basic_ack(tag)
        with self.lock:
            self.dead += queue == DEAD
            if number in self.confirmed:
                self.confirmed.discard(number)
            else:
                self.acknowledged.add(number)

    def left(self) -> int:
        """Ready and unacknowledged messages."""
        with pika.BlockingConnection(self.parameters) as connection:
            channel = connection.channel()
            counts = [channel.queue_declare(name, passive=True) for name in (WORK, DEAD)]
            return sum(each.method.message_count for each in counts)


def memory(pid: int) -> float:
    """MB that a process has in memory."""
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmRSS"):
            return int(line.split()[1]) / 1024
    return 0.0


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--minutes", type=float, default=30.0)
    parser.add_argument("--seed", type=int, default=1)
    asked = parser.parse_args()
    command = [sys.executable, "-m", "mockforge_tui", "--headless", "--no-kafka", "--no-mqtt",
               "--no-admin", "--amqp-port", "0"]  # fmt: skip
    command += [word for limit in BOUNDED for word in ("--limit", limit)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            ready = json.loads(process.stdout.readline())
            soak = Soak(ready["amqp"]["url"])
            return run(soak, process.pid, asked.minutes, asked.seed)
        finally:
            process.terminate()


def run(soak: Soak, pid: int, minutes: float, seed: int) -> int:
    soak.declare()
    publishers = [threading.Thread(target=soak.publish, args=(seed + at,)) for at in range(2)]
    consumers = [
        threading.Thread(target=soak.consume, args=(queue, seed + 10 + at))
        for at, queue in enumerate((WORK, WORK, WORK, DEAD, DEAD))
    ]
    for thread in (*publishers, *consumers):
        thread.start()
    begun, first, warm = time.monotonic(), 0.0, minutes / 2 * 60
    while (passed := time.monotonic() - begun) < minutes * 60:
        time.sleep(min(SETTLING_SECONDS, minutes * 60 - passed))
        now = memory(pid)
        if not first and time.monotonic() - begun >= warm:
            first = now
        print(
            f"{(time.monotonic() - begun) / 60:5.1f} min  {now:6.1f} MB  "
            f"{soak.published:,} confirmed, {soak.dead:,} as dead letters, "
            f"{len(soak.confirmed):,} on their way, {soak.breaks} connections broken off",
            flush=True,
        )
    soak.publishing.clear()
    for thread in publishers:
        thread.join()
    deadline = time.monotonic() + SETTLING_SECONDS
    while soak.confirmed and time.monotonic() < deadline:
        time.sleep(0.2)
    soak.consuming.clear()
    for thread in consumers:
        thread.join()
    last = memory(pid)
    print(f"{soak.published:,} confirmed, {len(soak.confirmed)} lost, {soak.left()} left in queues")
    print(f"memory {first:.1f} MB at half-time, {last:.1f} MB at the end")
    return int(bool(soak.confirmed) or last > first * MAY_GROW)


if __name__ == "__main__":
    sys.exit(main())
