"""Kafka for minutes: transactions, rebalances, compaction. `python -m tests.soak.kafka -h`.

Numbers go into one topic; workers of both group protocols, which come and go, carry them to another
one in transactions, of which some abort. At the end each acknowledged number must be in the second
topic exactly once for who reads committed records, a compacted topic must hold the last value of
each key, and the broker's memory must be what it was after the warm-up. What the broker warned of
must be in `EXPECTED`. What fills up to a limit by design has low limits here.
"""

import argparse
import json
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from contextlib import suppress
from random import Random

from confluent_kafka import Consumer, KafkaException, Producer, TopicPartition
from confluent_kafka.admin import AdminClient, NewTopic

from .amqp import BOUNDED, MAY_GROW, memory
from .warned import Expected, sorted_out

SOURCE, TARGET, KEYED, GROUP = "soak.in", "soak.out", "soak.keys", "soak"
PARTITIONS = 6
KEYS = 200
A_SECOND = 400
SETTLING_SECONDS = 90.0
WARM_UP_MINUTES = 2.0
WARM_UP_NUMBERS = 300_000
"""Acknowledged before the memory counts as filled up to its limits, however slow the machine is.

By then both topics have been cut to `KEPT` in each partition: 2 MB hold some 25,000 numbers.
"""
KEPT = {"retention.bytes": str(2 << 20), "segment.bytes": str(1 << 20)}
COMPACTED = {
    "cleanup.policy": "compact",
    "min.cleanable.dirty.ratio": "0.01",
    "segment.ms": "1000",
    "max.compaction.lag.ms": "2000",
}
EXPECTED = (
    Expected(
        r"kafka fell behind ",
        "a worker in a transaction reads nothing, while its fetch brings up to 50 MB",
    ),
)


class Soak:
    """What all threads share."""

    def __init__(self, bootstrap: str) -> None:
        self.basic = {"bootstrap.servers": bootstrap}
        self.producing = threading.Event()
        self.working = threading.Event()
        self.producing.set()
        self.working.set()
        self.acknowledged: set[int] = set()
        self.carried: Counter[int] = Counter()
        self.values: dict[str, str] = {}
        self.committed = self.aborted = self.lives = 0

    def declare(self) -> None:
        admin = AdminClient(self.basic)
        made = admin.create_topics(
            [
                NewTopic(SOURCE, PARTITIONS, config=KEPT),
                NewTopic(TARGET, PARTITIONS, config=KEPT),
                NewTopic(KEYED, 1, config=COMPACTED),
            ]
        )
        for one in made.values():
            one.result()

    def produce(self) -> None:
        producer = Producer({**self.basic, "enable.idempotence": True, "linger.ms": 5})
        number = 0
        while self.producing.is_set():
            for _ in range(A_SECOND // 20):
                number += 1

                def acknowledged(error: object, _: object, number: int = number) -> None:
                    if error is None:
                        self.acknowledged.add(number)

                producer.produce(SOURCE, str(number).ljust(60), on_delivery=acknowledged)
                key = f"k{number % KEYS}"
                self.values[key] = str(number)
                producer.produce(KEYED, str(number), key)
            producer.poll(0.05)
        producer.flush(30)

    def work(self, name: str, seed: int) -> None:
        """One worker after the other under one transactional id, each for some seconds."""
        random = Random(seed)
        while self.working.is_set():
            self.lives += 1
            # A transaction that can only be aborted, or a fenced producer: the next one goes on.
            with suppress(KafkaException):
                self._live(name, random)

    def _live(self, name: str, random: Random) -> None:
        consumer = Consumer(
            {
                **self.basic,
                "group.id": GROUP,
                "client.id": name,
                "group.protocol": random.choice(("classic", "consumer")),
                "auto.offset.reset": "earliest",
                "enable.auto.commit": False,
                "isolation.level": "read_committed",
            }
        )
        producer = Producer({**self.basic, "client.id": name, "transactional.id": name})
        try:
            producer.init_transactions(30)
            consumer.subscribe([SOURCE])
            until = time.monotonic() + random.uniform(2, 20)
            while self.working.is_set() and time.monotonic() < until:
                self._carry(consumer, producer, random)
        finally:
            consumer.close()

    def _carry(self, consumer: Consumer, producer: Producer, random: Random) -> None:
        messages = [one for one in consumer.consume(100, 0.2) if one.error() is None]
        if not messages:
            return
        producer.begin_transaction()
        for one in messages:
            producer.produce(TARGET, one.value(), partition=one.partition())
        positions = consumer.position(consumer.assignment())
        moved = [each for each in positions if each.offset >= 0]
        producer.send_offsets_to_transaction(moved, consumer.consumer_group_metadata(), 20)
        if random.random() < 0.05:
            producer.abort_transaction(20)
            self.aborted += 1
            for each in consumer.committed(moved, 20):
                if each.offset < 0:
                    each.offset = 0
                consumer.seek(each)
            return
        producer.commit_transaction(20)
        self.committed += 1

    def verify(self) -> None:
        """Read all that is committed in the second topic, as it comes."""
        consumer = Consumer(
            {**self.basic, "group.id": "soak.verify", "isolation.level": "read_committed",
             "enable.auto.commit": False, "auto.offset.reset": "earliest"}
        )  # fmt: skip
        consumer.assign([TopicPartition(TARGET, number, 0) for number in range(PARTITIONS)])
        while self.working.is_set():
            for message in consumer.consume(500, 0.2):
                if message.error() is None:
                    self.carried[int(message.value())] += 1
        consumer.close()

    def wrong_keys(self) -> int:
        """Keys of the compacted topic whose newest value is not the last one written."""
        consumer = Consumer({**self.basic, "group.id": "soak.keys", "enable.auto.commit": False})
        _, end = consumer.get_watermark_offsets(TopicPartition(KEYED, 0), 20)
        consumer.assign([TopicPartition(KEYED, 0, 0)])
        found: dict[str, str] = {}
        deadline, at = time.monotonic() + 30, 0
        while at < end and time.monotonic() < deadline:
            for message in consumer.consume(500, 0.5):
                if message.error() is None:
                    found[message.key().decode()] = message.value().decode()
            (place,) = consumer.position([TopicPartition(KEYED, 0)])
            at = max(at, place.offset)
        consumer.close()
        return sum(found.get(key) != value for key, value in self.values.items())


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--minutes", type=float, default=30.0)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--workers", type=int, default=4)
    asked = parser.parse_args()
    command = [sys.executable, "-m", "mockforge_tui", "--headless", "--no-amqp", "--no-mqtt",
               "--no-admin", "--kafka-port", "0"]  # fmt: skip
    command += [word for limit in BOUNDED for word in ("--limit", limit)]
    with (
        tempfile.TemporaryFile("w+") as log,
        subprocess.Popen(command, stdout=subprocess.PIPE, stderr=log, text=True) as process,
    ):
        try:
            assert process.stdout is not None
            ready = json.loads(process.stdout.readline())
            soak = Soak(ready["kafka"]["bootstrap"])
            wrong = run(soak, process.pid, asked)
        finally:
            process.terminate()
            process.wait(10)
        log.seek(0)
        expected, others = sorted_out(log, EXPECTED)
        for which, counted in (("expected", expected), ("NOT EXPECTED", others)):
            for text, times in counted.most_common():
                print(f"{which} {times:>7} x {text[:160]}")
        return 1 if others else wrong


def _is_warm(elapsed: float, acknowledged: int, minutes: float) -> bool:
    """From when on memory may not grow; after half of the run at the latest."""
    filled = elapsed >= WARM_UP_MINUTES and acknowledged >= WARM_UP_NUMBERS
    return filled or elapsed >= minutes / 2


def run(soak: Soak, pid: int, asked: argparse.Namespace) -> int:
    soak.declare()
    names = [f"worker-{number}" for number in range(asked.workers)]
    threads = [
        threading.Thread(target=soak.produce),
        threading.Thread(target=soak.verify),
        *(
            threading.Thread(target=soak.work, args=(name, asked.seed + number))
            for number, name in enumerate(names)
        ),
    ]
    for thread in threads:
        thread.start()
    begun, warm = time.monotonic(), 0.0
    while time.monotonic() - begun < asked.minutes * 60:
        time.sleep(15)
        elapsed = (time.monotonic() - begun) / 60
        now = memory(pid)
        if not warm and _is_warm(elapsed, len(soak.acknowledged), asked.minutes):
            warm = now
        print(
            f"{elapsed:5.1f} min  {now:6.1f} MB  acknowledged {len(soak.acknowledged):,}"
            f"  carried {len(soak.carried):,}  transactions {soak.committed:,} + {soak.aborted:,}"
            f" aborted  lives {soak.lives:,}",
            flush=True,
        )
    soak.producing.clear()
    threads[0].join()
    deadline = time.monotonic() + SETTLING_SECONDS
    while len(soak.carried) < len(soak.acknowledged) and time.monotonic() < deadline:
        time.sleep(0.2)
    last = memory(pid)
    soak.working.clear()
    for thread in threads:
        thread.join()
    lost = soak.acknowledged - soak.carried.keys()
    twice = sum(times > 1 for times in soak.carried.values())
    keys = soak.wrong_keys()
    grown = warm and last > warm * MAY_GROW
    print(f"lost {len(lost)}, twice {twice}, wrong keys {keys}, memory {warm:.1f} to {last:.1f} MB")
    return 1 if lost or twice or keys or grown else 0


if __name__ == "__main__":
    sys.exit(main())
