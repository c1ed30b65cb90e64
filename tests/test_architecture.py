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
"""What a headless start with --no-admin has no use for."""

_START = """
import json, sys
from mockforge_tui.cli import run
status = run(sys.argv[1:])
print(json.dumps({"status": status, "modules": sorted({n.partition(".")[0] for n in sys.modules})}))
"""


def modules_of(*arguments: str) -> set[str]:
    """Top-level modules that a run with these arguments has imported when it ends."""
    done = subprocess.run(
        [sys.executable, "-c", _START, *arguments], capture_output=True, text=True, timeout=50
    )
    assert done.returncode == 0, done.stderr
    report = json.loads(done.stdout.splitlines()[-1])
    assert report["status"] == 0, done.stderr
    return set(report["modules"])


def test_headless_without_admin_imports_no_screen_no_web_and_no_clients():
    loaded = modules_of("--headless", "--no-admin", "--random-ports", "--exit-after", "0.01s")
    assert loaded.isdisjoint(HEAVY)
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
    "hangup.py",
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
