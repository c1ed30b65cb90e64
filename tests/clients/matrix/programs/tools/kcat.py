"""kcat, on the librdkafka that the system has."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1] / "python"))

from checks import CA, RUN, SECONDS, Skip, equal, happen, run

PLAIN = ("-b", os.environ["KAFKA_BOOTSTRAP_SERVERS"])
SECURED = ("-b", os.environ["KAFKA_TLS_BOOTSTRAP_SERVERS"], "-X", f"ssl.ca.location={CA}")


def kcat(*words: str, given: str = "", server: tuple[str, ...] = PLAIN) -> str:
    done = subprocess.run(
        ["kcat", *server, *words],
        input=given,
        capture_output=True,
        text=True,
        check=False,
        timeout=SECONDS,
    )
    if done.returncode:
        raise AssertionError(f"status {done.returncode}: {done.stderr.strip()[:300]}")
    return done.stdout


def lines(count: int) -> str:
    return "".join(f"k{number}:v{number}\n" for number in range(count))


def produce() -> None:
    for codec in ("none", "gzip", "snappy", "lz4"):
        topic = f"{RUN}-{codec}"
        kcat("-t", topic, "-P", "-K:", "-z", codec, "-H", "a=1", given=lines(50))
        found = kcat("-t", topic, "-C", "-e", "-q", "-K:")
        equal(sorted(found.splitlines()), sorted(lines(50).splitlines()))


def group() -> None:
    topic = f"{RUN}-group"
    kcat("-t", topic, "-P", "-K:", given=lines(30))
    more = ("-X", "auto.offset.reset=earliest", "-e", "-q")
    equal(len(kcat("-G", f"{RUN}-kcat", topic, *more).splitlines()), 30)
    kcat("-t", topic, "-P", given="last\n")
    equal(kcat("-G", f"{RUN}-kcat", topic, *more), "last\n")


def transactions() -> None:
    topic = f"{RUN}-tx"
    kcat("-t", topic, "-P", "-X", f"transactional.id={RUN}-kcat", given=lines(5))
    found = kcat("-t", topic, "-C", "-e", "-q", "-X", "isolation.level=read_committed")
    equal(len(found.splitlines()), 5)


def metadata() -> None:
    topic = f"{RUN}-none"
    found = json.loads(kcat("-L", "-J"))
    named = {each["topic"]: len(each["partitions"]) for each in found["topics"]}
    equal(topic in named, True, "the topic is listed")
    place = kcat("-Q", "-t", f"{topic}:0:-2")
    equal(re.sub(r"\s+", " ", place).strip(), f"{topic} [0] offset 0")


def survive(what: str) -> None:
    topic = f"{RUN}-{what}"
    process = subprocess.Popen(
        [
            "kcat",
            *PLAIN,
            "-t",
            topic,
            "-P",
            "-E",  # else it ends when no broker is there for a moment
            "-X",
            "reconnect.backoff.max.ms=200",
            "-X",
            "linger.ms=0",
        ],
        stdin=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    assert process.stdin is not None
    process.stdin.write("before\n")
    process.stdin.flush()
    happen(what)
    process.stdin.write("after\n")
    process.stdin.close()
    equal(process.wait(SECONDS), 0, "status of kcat")
    equal(sorted(kcat("-t", topic, "-C", "-e", "-q").split()), ["after", "before"])


def login(mechanism: str) -> None:
    words = ("-X", "security.protocol=SASL_SSL", "-X", "sasl.username=alice")
    words += ("-X", f"sasl.mechanism={mechanism}")
    kcat("-L", *words, "-X", "sasl.password=secret", server=SECURED)
    try:
        kcat("-L", "-m", "3", *words, "-X", "sasl.password=wrong", server=SECURED)
    except AssertionError:
        return
    raise AssertionError("a wrong password was taken")


def scram() -> None:
    if tuple(int(part) for part in LIBRARY.split(".")) < (2, 6, 1):
        raise Skip("librdkafka before 2.6.1 has a nonce wrong, which Kafka 4 refuses too")
    login("SCRAM-SHA-256")


shown = subprocess.run(["kcat", "-V"], capture_output=True, text=True, check=True).stdout
version = re.search(r"Version ([\d.]+)", shown)
LIBRARY = (re.search(r"librdkafka ([\d.]+)", shown) or ["", "0"])[1]
run(
    "kcat",
    f"{version[1] if version else ''}, librdkafka {LIBRARY}",
    {
        "produce": produce,
        "group": group,
        "transactions": transactions,
        "metadata": metadata,
        "kill": lambda: survive("kill"),
        "restart": lambda: survive("restart"),
        "TLS": lambda: login("PLAIN"),
        "SCRAM": scram,
    },
)
