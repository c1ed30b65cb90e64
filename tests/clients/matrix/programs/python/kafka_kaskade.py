"""kaskade: a Textual program on confluent-kafka, run as people run it, on a terminal."""

import fcntl
import os
import pty
import re
import select
import struct
import subprocess
import sys
import termios
import time
from contextlib import suppress
from importlib.metadata import version
from pathlib import Path

from checks import RUN, SECONDS, run
from confluent_kafka import Producer
from confluent_kafka.admin import AdminClient, NewTopic

SERVERS = os.environ["KAFKA_BOOTSTRAP_SERVERS"]
TOPIC = f"0-{RUN}-kaskade"
"""The first of the list: the screen has no room for those of all clients."""
_CONTROLS = re.compile(
    r"\x1b(?:\[[0-9;?<>=]*[a-zA-Z]|\][^\x07\x1b]*(?:\x07|\x1b\\)|[P_^].*?\x1b\\|.)"
)


class Terminal:
    """The program with what it wrote so far, without colours and places."""

    def __init__(self, *words: str) -> None:
        own, its = pty.openpty()
        fcntl.ioctl(its, termios.TIOCSWINSZ, struct.pack("HHHH", 40, 140, 0, 0))
        program = Path(sys.executable).with_name("kaskade")
        self._process = subprocess.Popen(
            [program, *words, "-b", SERVERS],
            stdin=its,
            stdout=its,
            stderr=its,
            env={**os.environ, "TERM": "xterm-256color"},
            start_new_session=True,
        )
        os.close(its)
        self._terminal = own
        self._readable = select.poll()
        self._readable.register(own, select.POLLIN)
        self._written = b""

    def __enter__(self) -> "Terminal":
        return self

    def __exit__(self, *exc: object) -> None:
        self._process.terminate()
        self._process.wait(10)
        os.close(self._terminal)

    def shows(self, *texts: str) -> None:
        """Wait until it has written all of these."""
        deadline = time.monotonic() + SECONDS
        while True:
            text = _CONTROLS.sub(" ", self._written.decode(errors="replace"))
            missing = [one for one in texts if one not in text]
            if not missing:
                return
            if time.monotonic() > deadline or self._process.poll() is not None:
                raise AssertionError(f"it does not show {missing}: {' '.join(text.split())[-300:]}")
            # Reading from the terminal of a program that is gone is an error.
            if self._readable.poll(100):
                with suppress(OSError):
                    self._written += os.read(self._terminal, 1 << 16)

    def press(self, keys: str) -> None:
        self._written = b""
        os.write(self._terminal, keys.encode())


def furnish() -> None:
    admin = AdminClient({"bootstrap.servers": SERVERS})
    admin.create_topics([NewTopic(TOPIC, 3, 1)])[TOPIC].result(SECONDS)
    producer = Producer({"bootstrap.servers": SERVERS})
    for number in range(20):
        producer.produce(TOPIC, f"value-{number}", f"key-{number}")
    assert producer.flush(SECONDS) == 0


def topics() -> None:
    furnish()
    with Terminal("admin") as terminal:
        terminal.shows("Topics", TOPIC, "20")
        terminal.press(f"/{TOPIC}\r")
        terminal.shows(TOPIC)


def details() -> None:
    with Terminal("admin") as terminal:
        terminal.shows(TOPIC)
        terminal.press("d")
        terminal.shows("Topic Details", "Partitions", "Configurations")


def records() -> None:
    with Terminal("consumer", "-t", TOPIC, "--earliest", "-k", "string", "-v", "string") as it:
        it.shows("Records", "value-0", "key-19")


if __name__ == "__main__":
    checks = {"topics": topics, "topic details": details, "records": records}
    run("kaskade", version("kaskade"), checks)
