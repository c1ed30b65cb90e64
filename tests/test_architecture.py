"""What the layers promise, asked of a process that really started."""

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

HOUSE = Path(__file__).parents[1]

HEAVY = (
    "textual",
    "rich",
    "faker",
    "prometheus_client",
    "prompt_toolkit",
    "starlette",
    "cryptography",
    "wsproto",
    "uvicorn",
    "confluent_kafka",
    "kafka",
    "aiokafka",
    "paho",
    "aiomqtt",
    "pika",
    "aio_pika",
)
"""What a headless start has no use for before somebody asks at its admin port."""

LATER = (
    "admin",
    "console",
    "embedded",
    "expectations",
    "feed",
    "filters",
    "fixtures.engine",
    "fixtures.loader",
    "fixtures.templates",
    "management",
    "production",
    "scenarios",
    "shell",
    "suite",
    "tui",
)
"""Rooms of the app that it has no use for either."""

_START = """
import json, sys
from mockforge_tui.cli import run
status = run(sys.argv[1:])
print(json.dumps({"status": status, "modules": sorted(sys.modules)}))
"""


def modules_of(*arguments: str) -> set[str]:
    """All modules that a run with these arguments has imported when it ends."""
    done = subprocess.run(
        [sys.executable, "-c", _START, *arguments], capture_output=True, text=True, timeout=150
    )
    assert done.returncode == 0, done.stderr
    report = json.loads(done.stdout.splitlines()[-1])
    assert report["status"] == 0, done.stderr
    return set(report["modules"])


@pytest.mark.parametrize("admin", [(), ("--no-admin",), ("--amqp-management",)])
def test_a_headless_start_imports_no_screen_no_web_and_no_clients(admin):
    loaded = modules_of("--headless", *admin, "--random-ports", "--exit-after", "0.01s")
    assert {name.partition(".")[0] for name in loaded}.isdisjoint(HEAVY)
    assert loaded.isdisjoint(f"mockforge_tui.{name}" for name in LATER)
    assert "mockforge_brokers" in loaded


def test_the_brokers_import_neither_the_app_nor_anything_heavy():
    code = "import mockforge_brokers.{0}.broker, sys; print(sorted(sys.modules))"
    for protocol in ("kafka", "mqtt", "amqp"):
        done = subprocess.run(
            [sys.executable, "-c", code.format(protocol)], capture_output=True, text=True
        )
        assert done.returncode == 0, done.stderr
        loaded = set(eval(done.stdout))
        assert not any(name.startswith("mockforge_tui") for name in loaded)
        assert "asyncio" not in loaded


_KNOW_ASYNCIO = {
    "transport.py",
    "endpoint.py",
    "bulk.py",
    "datagrams.py",
    "hangup.py",
    "later.py",
    "outgoing.py",
    "unix_socket.py",
    "layered.py",
    "streams.py",
    "tls.py",
}


@pytest.mark.parametrize("protocol", ["kafka", "mqtt", "amqp"])
def test_only_the_transport_and_its_layers_know_asyncio_sockets_and_threads(protocol):
    root = Path(__file__).parent.parent / "brokers" / "mockforge_brokers"
    for path in [*root.glob("*.py"), *(root / protocol).rglob("*.py")]:
        if path.name in _KNOW_ASYNCIO:
            continue
        for line in path.read_text().splitlines():
            words = line.split()
            if words[:1] in (["import"], ["from"]):
                assert words[1].split(".")[0] not in {"asyncio", "socket", "ssl", "threading"}, path


def test_the_map_names_only_rooms_that_exist() -> None:
    """CONTRIBUTING.md is how a successor finds things: what moves is renamed there too."""
    text = (HOUSE / "CONTRIBUTING.md").read_text(encoding="utf-8")
    roots = [HOUSE, HOUSE / "mockforge_tui", HOUSE / "brokers" / "mockforge_brokers"]
    roots += [roots[2] / broker for broker in ("kafka", "mqtt", "amqp")]
    roots += [root / "state" for root in roots]
    named = re.findall(r"`([a-z_]+/[a-z_/]*(?:\.\w+)?)`", text)
    assert len(named) > 30
    missing = [
        name
        for name in named
        if not any(
            (root / name).exists() or (root / name).with_suffix(".py").exists() for root in roots
        )
    ]
    assert missing == []


@pytest.mark.skipif(not (HOUSE / ".git").exists(), reason="only a checkout knows what is tracked")
def test_the_top_level_holds_the_project_alone() -> None:
    """What a client's suite writes where it runs must not come along with a commit."""
    listed = subprocess.run(
        ["git", "ls-files"], cwd=HOUSE, check=True, capture_output=True, text=True
    ).stdout.splitlines()
    top = {name.split("/")[0] for name in listed if not name.startswith(".")}
    files = {"CHANGELOG.md", "CONTRIBUTING.md", "LICENSE", "README.md", "pyproject.toml"}
    assert top - files == {"brokers", "examples", "fixtures", "mockforge_tui", "tests"}


_NAME = '"(?:kafka|mqtt|amqp)"'
_BRANCH = re.compile(
    rf"[=!]=\s*{_NAME}"  # compared
    rf"|{_NAME}\s*(?:[=!]=|(?:not )?in\b)"
    rf"|\bcase [^\n:]*{_NAME}"  # a pattern
    rf"|{_NAME},\s*{_NAME}"  # the list of protocols over again
    rf"|{_NAME}:\s*[A-Za-z_]"  # a table by name
)
_ITS_OWN = re.compile(r"kafka|mqtt|amqp|protocols/|management/|fixtures/mockforge/")
"""Modules of one protocol, and those that read the words of MockForge's own files."""
BY_NAME = {
    "brokers.py": 1,  # the typed seam: each broker by its own type
    "console/client_timeouts.py": 4,  # how each protocol says how long a client waits
    "console/commands/acls.py": 1,  # ACLs are Kafka's
    "embedded/spelling.py": 3,  # the keys of messages over HTTP, from messages by their type
    "feed/values.py": 1,  # the values of MQTT's topics
    "fixtures/messages.py": 1,  # the type of a protocol's name
    "fixtures/native/reactions.py": 1,  # a message for people
    "fixtures/schema.py": 6,  # the keys of files, as their readers have them
    "verdict.py": 1,  # what violates MQTT is an error of lint
}
"""Modules that know a protocol by name all the same, how often, and why."""


def test_the_app_goes_by_what_protocols_say_of_themselves_and_not_by_their_names() -> None:
    app = HOUSE / "mockforge_tui"
    found = {}
    for path in sorted(app.rglob("*.py")):
        name = path.relative_to(app).as_posix()
        count = 0 if _ITS_OWN.search(name) else len(_BRANCH.findall(path.read_text()))
        if count:
            found[name] = count
    assert found == BY_NAME, (
        "ask mockforge_brokers.protocols for what is needed, or put it into a module that is named"
        " after the protocol"
    )


def test_the_commits_that_the_map_names_are_what_it_says() -> None:
    text = " ".join((HOUSE / "CONTRIBUTING.md").read_text(encoding="utf-8").split())
    named = re.findall(r"\b([0-9a-f]{8}) \(([^)]+)\)", text)
    assert len(named) > 15
    for number, subject in named:
        command = ["git", "-C", str(HOUSE), "log", "-1", "--format=%s", number]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode:
            pytest.skip("not the whole history is here")
        assert done.stdout.startswith(subject), number
