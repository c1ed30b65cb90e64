"""rabbitmqadmin 2, RabbitMQ's own command line for its management interface."""

import json
import os
import subprocess
import sys
from pathlib import Path
from urllib.parse import urlsplit

sys.path.insert(0, str(Path(__file__).parents[1] / "python"))

from checks import RUN, SECONDS, equal, happen, run, until

PROGRAM = sys.argv[1]
SERVER = urlsplit(os.environ["AMQP_MANAGEMENT_URL"])
LOGIN = urlsplit(os.environ["AMQP_URL"])
VHOST = f"{RUN}-admin"


def ended(*words: str, password: str = LOGIN.password or "") -> tuple[int, str]:
    """Its status, and what it printed."""
    done = subprocess.run(
        [
            PROGRAM, "--host", SERVER.hostname or "", "--port", str(SERVER.port),
            "--username", LOGIN.username or "", "--password", password,
            "--non-interactive", "--vhost", VHOST, *words,
        ],
        capture_output=True, text=True, check=False, timeout=SECONDS,
    )  # fmt: skip
    return done.returncode, done.stdout + done.stderr


def admin(*words: str) -> str:
    status, text = ended(*words)
    if status:
        raise AssertionError(f"{' '.join(words[:2])}: status {status}: {text.strip()[:300]}")
    return text


def shown(*words: str) -> list[list[str]]:
    """The cells of the table that it prints, which has no head where nobody looks on."""
    return [line.split() for line in admin(*words).splitlines() if line.strip()]


def named(what: str) -> list[str]:
    return [row[0] for row in shown("list", what)]


def topology() -> None:
    """As definitions that are taken away and come back, too."""
    admin("vhosts", "declare", "--name", VHOST)
    everything = ("--configure", ".*", "--write", ".*", "--read", ".*")
    admin("permissions", "declare", "--username", LOGIN.username or "", *everything)
    admin("exchanges", "declare", "--name", "events", "--type", "topic")
    arguments = json.dumps({"x-max-length": 5})
    admin("queues", "declare", "--name", "orders", "--arguments", arguments)
    admin("queues", "declare", "--name", "kept", "--type", "quorum")
    ends = ("--source", "events", "--destination-type", "queue", "--destination", "orders")
    admin("bindings", "declare", *ends, "--routing-key", "order.*")
    limit = ("--definition", json.dumps({"max-length": 2}))
    admin("policies", "declare", "--name", "two", "--pattern", "^o", "--apply-to", "queues", *limit)
    exported = json.loads(admin("definitions", "export_from_vhost", "--stdout"))
    equal({each["name"] for each in exported["queues"]}, {"orders", "kept"})
    equal([each["name"] for each in exported["policies"]], ["two"])
    admin("queues", "delete", "--name", "orders")
    equal("orders" in named("queues"), False)
    file = Path(f"{os.environ['MOCKFORGE_TLS_CA']}.{RUN}.json")
    file.write_text(json.dumps(exported))
    admin("definitions", "import_into_vhost", "--file", str(file))
    file.unlink()
    equal({"orders", "kept"} <= set(named("queues")), True)


def messages() -> None:
    admin("publish", "message", "-e", "events", "-k", "order.paid", "-m", "hello")
    found = admin("get", "messages", "-q", "orders", "-a", "ack_requeue_false")
    equal("hello" in found, True, "the message is shown")
    admin("queues", "purge", "--name", "orders")


def lists() -> None:
    for what in ("connections", "channels", "consumers", "exchanges", "bindings", "users",
                 "permissions", "policies", "parameters", "feature_flags", "vhosts"):  # fmt: skip
        admin("list", what)
    admin("show", "overview")
    admin("show", "churn")


def nodes() -> None:
    """It cannot read those of RabbitMQ 3.10, which do not say whether they are being drained."""
    (row,) = shown("list", "nodes")
    admin("show", "memory_breakdown_in_percent", "--node", row[0])
    admin("plugins", "list_all")


def health() -> None:
    admin("health_check", "local_alarms")
    admin("health_check", "cluster_wide_alarms")
    admin("health_check", "protocol_listener", "--protocol", "amqp")
    admin("health_check", "port_listener", "--port", str(SERVER.port))
    status, text = ended("health_check", "port_listener", "--port", "1")
    equal((bool(status), "No active listener" in text), (True, True), "the check of port 1")


def refusals() -> None:
    words = ("--name", "bad", "--pattern", "^o", "--apply-to", "queues")
    status, text = ended("policies", "declare", *words, "--definition", '{"nonsense": 1}')
    equal((bool(status), "Validation failed" in text), (True, True), "a policy of nonsense")
    status, _ = ended("queues", "delete", "--name", "none")
    equal(bool(status), True, "a queue that is not there")
    admin("queues", "delete", "--name", "none", "--idempotently")
    ends = ("--source", "no", "--destination-type", "queue", "--destination", "no")
    admin("bindings", "delete", *ends, "--routing-key", "k", "--idempotently")


def login() -> None:
    status, text = ended("show", "overview", password="wrong")
    equal((bool(status), "Login failed" in text), (True, True), "a wrong password")


def restart() -> None:
    happen("restart")
    until(lambda: ended("list", "queues")[0] == 0, "the interface is there again")
    equal({"orders", "kept"} <= set(named("queues")), True)


def clean() -> None:
    ended("vhosts", "delete", "--name", VHOST, "--idempotently")


version = subprocess.run([PROGRAM, "--version"], capture_output=True, text=True, check=True).stdout
run(
    "rabbitmqadmin",
    version.split()[-1],
    {
        "topology": topology,
        "messages": messages,
        "lists": lists,
        "nodes": nodes,
        "health": health,
        "refusals": refusals,
        "login": login,
        "restart": restart,
    },
    clean,
)
