"""Mosquitto's own bridge: a real mosquitto that connects to the broker as its remote one."""

import getpass
import os
import re
import shutil
import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlsplit

sys.path.insert(0, str(Path(__file__).parents[1] / "python"))

from checks import CA, RUN, equal, happen, run, until
from mosquitto_tools import PLAIN, listening, messages, tool

Server = tuple[str, ...]


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as probe:
        return int(probe.getsockname()[1])


@contextmanager
def bridged(name: str, *lines: str, said_at: str = "") -> Iterator[Server]:
    """A mosquitto whose bridge is connected; how its own clients are told to find it."""
    folder = Path(tempfile.mkdtemp(prefix="bridge-"))
    port = free_port()
    settings = [
        f"listener {port} 127.0.0.1",
        "allow_anonymous true",
        # Else, started by root, it could not read the CA.
        f"user {getpass.getuser()}",
        f"connection {name}",
        f"remote_clientid {name}",
        "restart_timeout 1",
        *([] if said_at else [f"notification_topic {name}/state"]),
        *lines,
    ]
    if not any(line.startswith("address") for line in lines):
        settings.append(f"address 127.0.0.1:{os.environ['MQTT_PORT']}")
    (folder / "mosquitto.conf").write_text("\n".join(settings) + "\n")
    with (folder / "log").open("w") as log:
        process = subprocess.Popen(
            ["mosquitto", "-v", "-c", str(folder / "mosquitto.conf")], stderr=log, stdout=log
        )
    try:
        # It says at its remote broker, in a retained message, that it is there.
        topic = said_at or f"{name}/state"
        until(lambda: kept(PLAIN, topic) == "1\n", f"bridge {name} is connected", 15)
        if any(line.startswith(("topic # in", "topic # both")) for line in lines):
            until(lambda: "Received SUBACK" in (folder / "log").read_text(), "subscribed", 15)
        yield ("-h", "127.0.0.1", "-p", str(port))
    finally:
        process.kill()
        process.wait()
        shutil.rmtree(folder)
    # Its will.
    until(lambda: kept(PLAIN, topic) == "0\n", "its end is seen", 15)


def kept(server: Server, topic: str, *words: str) -> str:
    """The retained message of a topic as mosquitto_sub prints it, or nothing."""
    try:
        return tool("sub", *words, "-C", "1", "-W", "1", "-t", topic, server=server)
    except AssertionError:
        return ""


def both_ways(version: str, *lines: str, once: bool) -> None:
    """Up, down, and on a topic that goes both ways, which must not come back where `once`."""
    name = f"{RUN}-{version}-{len(lines)}-{once}"
    topics = [
        f"topic # out 2 up/ {name}/up/",
        f"topic # in 2 down/ {name}/down/",
        f"topic # both 2 both/ {name}/both/",
    ]
    with bridged(name, f"bridge_protocol_version {version}", *topics, *lines) as local:
        for level in ("0", "1", "2"):
            with listening("-q", "2", "-F", "%q %p", "-t", f"{name}/up/#") as sub:
                tool("pub", "-q", level, "-t", "up/a", "-m", f"up {level}", server=local)
                equal(messages(sub, 1), [f"{level} up {level}"])
            with listening("-q", "2", "-F", "%q %p", "-t", "down/#", server=local) as sub:
                tool("pub", "-q", level, "-t", f"{name}/down/a", "-m", f"down {level}")
                equal(messages(sub, 1), [f"{level} down {level}"])
        with (
            listening("-q", "1", "-t", "both/#", server=local) as here,
            listening("-q", "1", "-t", f"{name}/both/#") as there,
        ):
            tool("pub", "-q", "1", "-t", "both/a", "-m", "from here", server=local)
            equal(messages(there, 1), ["from here"])
            tool("pub", "-q", "1", "-t", f"{name}/both/a", "-m", "from there")
            seen = ["from here"] if once else ["from here"] * 2
            equal(messages(here, len(seen) + 1), [*seen, "from there"], "seen here")
            equal(messages(there, 1), ["from there"])


def retained() -> None:
    for version in ("mqttv311", "mqttv50"):
        retained_through(version, f"{RUN}-retained-{version}")


def retained_through(version: str, name: str) -> None:
    """Retained messages stay so both ways, which before MQTT 5 only a bridge is granted."""

    def comes(server: Server, topic: str, payload: str) -> None:
        until(lambda: kept(server, topic, "-F", "%r %p") == f"1 {payload}\n", f"{topic} is kept")

    tool("pub", "-r", "-q", "1", "-t", f"{name}/old", "-m", "before the bridge")
    lines = (f"bridge_protocol_version {version}", f"topic # both 1 kept/ {name}/")
    with bridged(name, *lines) as local:
        comes(local, "kept/old", "before the bridge")
        tool("pub", "-r", "-q", "1", "-t", f"{name}/new", "-m", "live")
        comes(local, "kept/new", "live")
        tool("pub", "-r", "-q", "1", "-t", "kept/up", "-m", "up", server=local)
        comes(PLAIN, f"{name}/up", "up")


def survive(what: str) -> None:
    """What is published on either side while the bridge is away comes after it is back."""
    name = f"{RUN}-{what}"
    lines = (f"topic # both 1 both/ {name}/both/", "cleansession false")
    with bridged(name, *lines) as local:
        happen(what)
        tool("pub", "-q", "1", "-t", "both/a", "-m", "up", server=local)
        with listening("-q", "1", "-t", "both/#", server=local) as here:
            until(lambda: kept(PLAIN, f"{name}/state") == "1\n", "it is back")
            tool("pub", "-q", "1", "-t", f"{name}/both/b", "-m", "down")
            found = messages(here, 1)
            while found[-1] != "down":
                found += messages(here, 1)
            equal(sorted(set(found) - {"up"}), ["down"])


def properties() -> None:
    name = f"{RUN}-properties"
    lines = ("bridge_protocol_version mqttv50", f"topic # out 1 up/ {name}/")
    with (
        bridged(name, *lines) as local,
        listening("-V", "5", "-F", "%P %R %p", "-t", f"{name}/a") as sub,
    ):
        more = ("-D", "publish", "user-property", "a", "1", "-D", "publish", "response-topic", "r")
        tool("pub", "-V", "5", "-q", "1", *more, "-t", "up/a", "-m", "here", server=local)
        equal(messages(sub, 1), ["a:1 r here"])


def system() -> None:
    """Without a topic of its own the bridge says below $SYS how it is, and is let."""
    name = f"{RUN}-system"
    with bridged(
        name, f"topic # out 0 up/ {name}/", said_at=f"$SYS/broker/connection/{name}/state"
    ):
        pass


def secured() -> None:
    name = f"{RUN}-tls"
    port = urlsplit(os.environ["MQTT_TLS_URL"]).port
    lines = (
        f"address localhost:{port}",
        f"bridge_cafile {CA}",
        "remote_username alice",
        "remote_password secret",
        f"topic # out 1 up/ {name}/",
    )
    with bridged(name, *lines) as local, listening("-t", f"{name}/a") as sub:
        tool("pub", "-q", "1", "-t", "up/a", "-m", "here", server=local)
        equal(messages(sub, 1), ["here"])


shown = subprocess.run(["mosquitto", "-h"], capture_output=True, text=True, check=False)
version = re.search(r"mosquitto version ([\d.]+)", shown.stdout)
run(
    "mosquitto's bridge",
    version[1] if version else "",
    {
        "MQTT 3.1": lambda: both_ways("mqttv31", once=True),
        "MQTT 3.1.1": lambda: both_ways("mqttv311", once=True),
        "MQTT 5": lambda: both_ways("mqttv50", once=True),
        "try_private false": lambda: both_ways("mqttv311", "try_private false", once=False),
        "retained": retained,
        "properties": properties,
        "$SYS": system,
        "kill": lambda: survive("kill"),
        "restart": lambda: survive("restart"),
        "TLS": secured,
    },
)
