"""Each example's README as it is printed."""

import os
import re
import shutil
import subprocess
import sys
from importlib.metadata import entry_points
from pathlib import Path

import pytest

pytestmark = pytest.mark.client

ROOT = Path(__file__).parents[2]
PLUGIN = any(each.name == "mockforge" for each in entry_points(group="pytest11"))


def lines_of(readme: str, *, begin: str) -> list[str]:
    """Lines in a README's blocks that begin so."""
    text = (ROOT / "examples" / readme / "README.md").read_text()
    return re.findall(rf"^{re.escape(begin)}.*", text, re.MULTILINE)


def run(
    words: list[str], cwd: Path = ROOT, seconds: float = 55, **more: str
) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, **more}
    return subprocess.run(
        words,
        cwd=cwd,
        env=environment,
        capture_output=True,
        text=True,
        timeout=seconds,
        check=False,
    )


def test_the_order_service_passes_its_tests() -> None:
    (line,) = lines_of("pytest", begin="pytest ")
    plugin = [] if PLUGIN else ["-p", "mockforge_tui.pytest_plugin"]
    words = [
        sys.executable,
        "-m",
        *line.split(),
        *plugin,
        "-p",
        "no:cacheprovider",
        "-c",
        os.devnull,
    ]
    done = run([*words, "--rootdir", "examples/pytest"])
    assert done.returncode == 0, done.stdout + done.stderr
    assert "5 passed" in done.stdout


def test_the_event_bus_keeps_what_its_scenarios_promise() -> None:
    (line,) = lines_of("microservices-event-bus", begin="mockforge-tui run")
    words = [sys.executable, "-m", "mockforge_tui", *line.split()[1:]]
    done = run(words)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "3 scenarios: 3 passed" in done.stdout


@pytest.mark.skipif(shutil.which("bash") is None, reason="there is no bash")
def test_the_action_gives_later_steps_the_addresses(tmp_path: Path) -> None:
    yaml = pytest.importorskip("yaml")
    action = yaml.safe_load((ROOT / "examples" / "ci" / "action.yml").read_text())
    script = action["runs"]["steps"][1]["run"]
    bin_ = tmp_path / "bin"
    bin_.mkdir()
    program = bin_ / "mockforge-tui"
    program.write_text(f'#!/bin/sh\nexec {sys.executable} -m mockforge_tui "$@" --exit-after 3s\n')
    program.chmod(0o755)
    done = run(
        ["bash", "-c", script],
        PATH=f"{bin_}:{os.environ['PATH']}",
        RUNNER_TEMP=str(tmp_path),
        GITHUB_ENV=str(tmp_path / "env"),
        FIXTURES="fixtures/shop",
        SEED="1",
        OPTIONS="",
    )
    assert done.returncode == 0, done.stdout + done.stderr
    names = {line.partition("=")[0] for line in (tmp_path / "env").read_text().splitlines()}
    assert {"KAFKA_BOOTSTRAP_SERVERS", "MQTT_URL", "AMQP_URL", "MOCKFORGE_URL"} <= names
    yaml.safe_load((ROOT / "examples" / "ci" / "gitlab-ci.yml").read_text())


PROGRAM = f"{sys.executable} -m mockforge_tui"


@pytest.mark.slow
@pytest.mark.timeout(240)
@pytest.mark.skipif(shutil.which("npm") is None, reason="there is no npm")
def test_vitest_starts_the_program_and_asks_it_over_http(tmp_path: Path) -> None:
    folder = shutil.copytree(ROOT / "examples" / "vitest", tmp_path / "vitest")
    installed = run(["npm", "install", "--no-audit", "--no-fund"], folder, 120)
    if installed.returncode:
        pytest.skip(f"npm cannot install: {installed.stderr[-200:]}")
    done = run(["npm", "test"], folder, 100, MOCKFORGE_COMMAND=PROGRAM)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "3 passed" in done.stdout


@pytest.mark.slow
@pytest.mark.timeout(300)
@pytest.mark.skipif(shutil.which("mvn") is None, reason="there is no Maven")
def test_junit_starts_the_program_and_asks_it_over_http(tmp_path: Path) -> None:
    folder = shutil.copytree(ROOT / "examples" / "junit5", tmp_path / "junit5")
    compiled = run(["mvn", "-q", "-B", "test-compile"], folder, 180)
    if "Could not transfer" in compiled.stdout:
        pytest.skip("Maven cannot fetch what it needs")
    assert compiled.returncode == 0, compiled.stdout
    done = run(["mvn", "-q", "-B", "test"], folder, 100, MOCKFORGE_COMMAND=PROGRAM)
    assert done.returncode == 0, done.stdout + done.stderr
    reports = (folder / "target" / "surefire-reports").glob("*.txt")
    assert "Tests run: 2, Failures: 0" in "".join(each.read_text() for each in reports)
