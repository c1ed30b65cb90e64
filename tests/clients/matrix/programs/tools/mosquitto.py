"""mosquitto_pub, mosquitto_sub and mosquitto_rr."""

import re
import subprocess
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1] / "python"))

from checks import RUN, SECONDS, equal, happen, run
from mosquitto_tools import PLAIN, SECURED, listening, messages, tool


def qos() -> None:
    for version in ("mqttv31", "mqttv311", "mqttv5"):
        with listening("-V", version, "-q", "2", "-F", "%q %p", "-t", f"{RUN}/{version}") as sub:
            for level in ("0", "1", "2"):
                tool("pub", "-V", version, "-q", level, "-t", f"{RUN}/{version}", "-m", f"m{level}")
            equal(messages(sub, 3), ["0 m0", "1 m1", "2 m2"])


def retained() -> None:
    tool("pub", "-r", "-q", "1", "-t", f"{RUN}/kept", "-m", "on")
    equal(tool("sub", "-t", f"{RUN}/kept", "-C", "1", "-W", "10"), "on\n")
    tool("pub", "-r", "-n", "-t", f"{RUN}/kept")


def will() -> None:
    topic = f"{RUN}/will"
    words = ("--will-topic", topic, "--will-payload", "gone")
    with listening("-t", topic) as watcher:
        with listening("-t", f"{RUN}/other", *words) as doomed:
            doomed.kill()
        equal(messages(watcher, 1), ["gone"])


def session() -> None:
    words = ("-c", "-i", f"{RUN}-sleeper", "-q", "1", "-t", f"{RUN}/away")
    tool("sub", *words, "-E")
    tool("pub", "-q", "1", "-t", f"{RUN}/away", "-m", "while away")
    equal(tool("sub", *words, "-C", "1", "-W", "10"), "while away\n")


def properties() -> None:
    with listening("-V", "5", "-F", "%P %R %p", "-t", f"{RUN}/properties") as sub:
        more = ("-D", "publish", "user-property", "a", "1", "-D", "publish", "response-topic", "r")
        tool("pub", "-V", "5", *more, "-t", f"{RUN}/properties", "-m", "here")
        equal(messages(sub, 1), ["a:1 r here"])


def request() -> None:
    """mosquitto_rr asks, and a subscriber answers where the question says."""
    with listening("-V", "5", "-F", "%R", "-t", f"{RUN}/ask") as sub:
        asking = subprocess.Popen(
            ["mosquitto_rr", *PLAIN, "-t", f"{RUN}/ask", "-e", f"{RUN}/answer", "-m", "?"],
            stdout=subprocess.PIPE,
            text=True,
        )
        (topic,) = messages(sub, 1)
        tool("pub", "-V", "5", "-t", topic, "-m", "42")
        equal(asking.communicate(timeout=SECONDS)[0], "42\n")


def shared() -> None:
    topic = f"{RUN}/work"
    with listening("-t", f"$share/g/{topic}") as one, listening("-t", f"$share/g/{topic}") as other:
        for number in range(4):
            tool("pub", "-q", "1", "-t", topic, "-m", str(number))
        equal(sorted(messages(one, 2) + messages(other, 2)), ["0", "1", "2", "3"])


def survive(what: str) -> None:
    words = ("-c", "-i", f"{RUN}-{what}", "-q", "1", "-t", f"{RUN}/{what}")
    with listening(*words) as sub:
        tool("pub", "-q", "1", "-t", f"{RUN}/{what}", "-m", "before")
        equal(messages(sub, 1), ["before"])
        happen(what)
        tool("pub", "-q", "1", "-t", f"{RUN}/{what}", "-m", "after")
        equal(messages(sub, 1), ["after"])


def secured() -> None:
    alice = ("-u", "alice", "-P", "secret")
    with listening(*alice, "-t", f"{RUN}/tls", server=SECURED) as sub:
        tool("pub", *alice, "-q", "1", "-t", f"{RUN}/tls", "-m", "here", server=SECURED)
        equal(messages(sub, 1), ["here"])
    try:
        tool("pub", "-u", "alice", "-P", "wrong", "-t", "x", "-m", "x", server=SECURED)
    except AssertionError:
        return
    raise AssertionError("a wrong password was taken")


shown = subprocess.run(["mosquitto_pub", "--version"], capture_output=True, text=True, check=False)
version = re.search(r"mosquitto_pub version ([\d.]+)", shown.stdout)
run(
    "mosquitto_pub, sub, rr",
    version[1] if version else "",
    {
        "QoS": qos,
        "retained": retained,
        "will": will,
        "session": session,
        "properties": properties,
        "request": request,
        "shared": shared,
        "kill": lambda: survive("kill"),
        "restart": lambda: survive("restart"),
        "TLS": secured,
    },
)
