"""One byte of a data folder is another one: the next start says so, and loses at most a piece."""

import asyncio
import json
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from threading import Event
from urllib.request import Request, urlopen

from mockforge_brokers.storage.syncer import INTERVAL

from . import PADDING, PATIENCE, until

MESSAGES = 300
"""Of each protocol, confirmed before the folder is damaged."""
_PLACES = ("kafka:t", "session:taker", "queue:q")
_PIECE = 1 << 16
"""Bytes that are checked as one, at most: what goes with the byte that is wrong."""
_REFUSED = 3
"""The status of a start that cannot use a file."""


class Found:
    """A program of all three protocols that was started on a folder: `there` is None where it
    refused that; `said` is what it told of it."""

    def __init__(self, folder: Path) -> None:
        command = [
            sys.executable, "-m", "mockforge_tui", "--headless", "--random-ports", "--no-mqtt-ws",
            "--admin-port", "0", "--data-dir", str(folder),
        ]  # fmt: skip
        self._process = subprocess.Popen(
            command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        )
        assert self._process.stdout is not None
        ready = self._process.stdout.readline()
        self.facts = json.loads(ready) if ready else None

    def there(self) -> dict[str, list[str]] | None:
        if self.facts is None:
            return None
        return {place: self._payloads(place) for place in _PLACES}

    def _payloads(self, place: str) -> list[str]:
        assert self.facts is not None
        request = Request(
            f"{self.facts['admin']['url']}/commands",
            json.dumps({"line": f"peek {place} -n {2 * MESSAGES}"}).encode(),
            {"content-type": "application/json"},
        )
        try:
            with urlopen(request, timeout=PATIENCE) as answer:
                return [str(row["payload"]) for row in json.loads(answer.read())["data"]]
        except OSError:
            # It is not there at all: none of its messages, then.
            return []

    def end(self, how: signal.Signals = signal.SIGTERM) -> tuple[int, str]:
        """Its status, and what it said."""
        if self.facts is not None:
            self._process.send_signal(how)
        _, said = self._process.communicate(timeout=PATIENCE)
        return self._process.returncode, said


def damages(times: int) -> Iterator[Callable[[], tuple[int, int]]]:
    """So many steps: each damages a byte of a folder, starts on it and looks.

    A step returns how many messages were confirmed, and how many of them are gone and told of.
    Raises AssertionError where something is gone and nobody was told, or more than that piece and
    the tail: what was written in the last second before the kill, of which nobody can say whether
    it was damaged or never came to the disk.
    """
    if not times:
        return
    with tempfile.TemporaryDirectory() as place:
        whole = Path(place) / "whole"
        _fill(whole)
        for number in range(times):
            yield partial(_step, whole, Path(place) / "damaged", random.Random(number))


def _step(whole: Path, folder: Path, dice: random.Random) -> tuple[int, int]:
    shutil.rmtree(folder, ignore_errors=True)
    shutil.copytree(whole, folder)
    segments = sorted(folder.glob("*.seg"))
    [path] = dice.choices(segments, [each.stat().st_size for each in segments])
    data = bytearray(path.read_bytes())
    at = dice.randrange(len(data))
    data[at] ^= dice.randrange(1, 256)
    path.write_bytes(data)
    where = f"byte {at} of {path.name}"
    program = Found(folder)
    there = program.there()
    status, said = program.end()
    assert "Traceback" not in said, f"{where}: {said}"
    confirmed = [_payload(number) for number in range(MESSAGES)]
    count = MESSAGES * len(_PLACES)
    if there is None:
        assert status == _REFUSED, f"{where}: status {status}: {said}"
        assert str(path) in said, f"{where}: {said}"
        assert "backup" in said, f"{where}: {said}"
        assert path.read_bytes() == data, f"{where}: it was refused, and is not as it was"
        return count, 0
    return count, _lost(there, confirmed, path, said, where)


def _lost(
    there: dict[str, list[str]], confirmed: list[str], path: Path, said: str, where: str
) -> int:
    lost = 0
    for place, found in there.items():
        gone = set(confirmed) - set(found)
        lost += len(gone)
        assert found == [each for each in confirmed if each not in gone], f"{where}: {place}"
    assert not lost or str(path) in said, f"{where}: {lost} are gone, and it says {said!r}"
    if "its end is torn" in said:
        assert all(confirmed[: len(found)] == found for found in there.values()), where
    else:
        assert lost <= _PIECE // len(PADDING), f"{where}: {lost} are gone: {said}"
    return lost


def _payload(number: int) -> str:
    return f"{number:08}{PADDING.decode()}"


def _fill(folder: Path) -> None:
    """All is confirmed when this returns, and the program was killed after that.

    What is AMQP's says that all before it is on disk, and may itself be the tail.
    """
    program = Found(folder)
    assert program.facts is not None
    _fill_kafka(program.facts["kafka"]["bootstrap"])
    _fill_mqtt(int(program.facts["mqtt"]["url"].rpartition(":")[2]))
    time.sleep(3 * INTERVAL)
    asyncio.run(_fill_amqp(program.facts["amqp"]["url"]))
    there = program.there()
    program.end(signal.SIGKILL)
    confirmed = [_payload(number) for number in range(MESSAGES)]
    assert there == dict.fromkeys(_PLACES, confirmed), "what was confirmed is there, in order"


def _fill_kafka(address: str) -> None:
    from confluent_kafka import Producer

    producer = Producer({"bootstrap.servers": address, "enable.idempotence": True, "linger.ms": 1})
    for number in range(MESSAGES):
        producer.produce("t", _payload(number), partition=0)
        if number % 20 == 0:
            assert producer.flush(PATIENCE) == 0
    assert producer.flush(PATIENCE) == 0


def _fill_mqtt(port: int) -> None:
    """For a subscriber that is away."""
    import paho.mqtt.client as paho

    subscribed, confirmed = Event(), set[int]()
    taker, maker = (
        paho.Client(paho.CallbackAPIVersion.VERSION2, client_id=name, clean_session=False)
        for name in ("taker", "maker")
    )
    taker.on_subscribe = lambda *_: subscribed.set()
    maker.on_publish = lambda *args: confirmed.add(args[2])
    for each in (taker, maker):
        each.connect("127.0.0.1", port)
        each.loop_start()
    taker.subscribe("t", 1)
    assert subscribed.wait(PATIENCE)
    taker.disconnect()
    taker.loop_stop()
    for number in range(MESSAGES):
        maker.publish("t", _payload(number), 1)
    until(lambda: len(confirmed) == MESSAGES, "all of it confirmed")
    maker.disconnect()
    maker.loop_stop()


async def _fill_amqp(url: str) -> None:
    import aio_pika

    async with await aio_pika.connect(url) as connection:
        channel = await connection.channel(publisher_confirms=True)
        await channel.declare_queue("q", durable=True)
        mode = aio_pika.DeliveryMode.PERSISTENT
        for number in range(MESSAGES):
            message = aio_pika.Message(_payload(number).encode(), delivery_mode=mode)
            await channel.default_exchange.publish(message, "q")
