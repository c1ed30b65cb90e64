"""`mockforge-tui doctor`: what is in the way of a start on this machine, with the remedy."""

import json
import os
import socket
from pathlib import Path

import pytest
from mockforge_brokers import __version__
from msgspec.structs import replace

from mockforge_tui import cli
from mockforge_tui.config import Config, resolve
from mockforge_tui.doctor.files import file_findings
from mockforge_tui.doctor.finding import Finding, rendered, status_of
from mockforge_tui.doctor.network import Port, localhost_findings, port_findings
from mockforge_tui.doctor.packages import (
    fits,
    own_requirements,
    package_findings,
    python_findings,
    requirement_of,
)
from mockforge_tui.doctor.terminal import Terminal, terminal_findings
from mockforge_tui.exit_codes import ExitCode

TRUE_COLOURS = {"TERM": "xterm-256color", "COLORTERM": "truecolor"}


@pytest.mark.parametrize(
    ("size", "encoding", "environment", "said"),
    [
        (
            (120, 40),
            "utf-8",
            TRUE_COLOURS,
            ["✓ terminal: 120x40", "✓ colours: 16 million (xterm-256color)", "✓ characters: UTF-8"],
        ),
        ((80, 24), "UTF-8", TRUE_COLOURS, ["✓ terminal: 80x24; 100x30 or more shows panes"]),
        ((40, 12), "utf8", TRUE_COLOURS, ["! terminal: 40x12, too small for the screen: 60x16"]),
        ((120, 15), "utf8", TRUE_COLOURS, ["! terminal: 120x15, too small"]),
        ((120, 40), "utf8", {"TERM": "screen-256color"}, ["✓ colours: 256 (screen-256color); COL"]),
        ((120, 40), "utf8", {"TERM": "xterm-direct"}, ["✓ colours: 256 (xterm-direct)"]),
        ((120, 40), "utf8", {"TERM": "linux"}, ["! colours: 16 at most (linux): TERM=xterm-256"]),
        ((120, 40), "utf8", {"TERM": "dumb"}, ["! colours: TERM is dumb, so nothing can be drawn"]),
        (
            (120, 40),
            "utf8",
            {},
            ["! colours: TERM is not set, so", "TERM=xterm-256color, or --"],
        ),
        ((120, 40), "utf8", {**TRUE_COLOURS, "NO_COLOR": "1"}, ["✓ colours: none, by NO_COLOR"]),
        ((120, 40), "ANSI_X3.4-1968", TRUE_COLOURS, ["! characters: ANSI_X3.4-1968", "LANG=C.UTF"]),
        (
            None,
            "utf-8",
            {},
            ["✓ terminal: standard output is none: a start runs as with --head"],
        ),
        (None, "", {}, ["! characters: unknown, and frames and marks are Unicode"]),
    ],
)
def test_the_terminal_is_described_with_what_would_make_it_better(
    size, encoding, environment, said
):
    found = rendered(list(terminal_findings(Terminal(size, encoding, environment))), "text")
    assert [each for each in said if each not in found] == []
    assert ("colours" in found) is (size is not None)


REQUIRED = [
    "click>=8.1",
    "textual<8.3,>=8.2.8",
    'uvloop>=0.21; sys_platform != "win32"',
    'cryptography>=43; extra == "tls"',
    'pytest>=8.3; extra == "test"',
]
THERE = {"click": "8.1.0", "textual": "8.2.10", "uvloop": "0.22", "cryptography": "44.0"}


@pytest.mark.parametrize(
    ("changed", "config", "said", "status"),
    [
        ({}, Config(), "✓ packages: click 8.1.0, textual 8.2.10, uvloop 0.22", ExitCode.OK),
        ({"click": None}, Config(), "× click: not there: pip install 'click>=8.1'", 3),
        ({"click": "8.0.9"}, Config(), "× click: 8.0.9 does not fit: pip install 'click>=8.1'", 3),
        ({"textual": "8.3"}, Config(), "× textual: 8.3 does not fit: pip install 'textual<8.3,", 3),
        ({"uvloop": None}, Config(), "✓ packages: click 8.1.0, textual 8.2.10\n", ExitCode.OK),
        ({}, Config(), "✓ cryptography: 44.0", ExitCode.OK),
        ({"cryptography": None}, Config(), "✓ cryptography: not there; --tls auto makes cert", 0),
        ({"cryptography": None}, Config(tls="auto"), "× cryptography: not there; --tls auto", 3),
        ({"cryptography": None}, Config(tls="auto"), "pip install 'mockforge-tui[tls]'", 3),
        ({"cryptography": "41"}, Config(), "! cryptography: 41 does not fit", ExitCode.OK),
        ({"cryptography": "41"}, Config(tls="auto"), "× cryptography: 41 does not fit", 3),
    ],
)
def test_packages_that_are_missing_or_do_not_fit_have_a_line_each(changed, config, said, status):
    found = list(package_findings(config, REQUIRED, {**THERE, **changed}.get))
    text = rendered(found, "text")
    assert said in text
    assert "pytest" not in text
    assert status_of(found) == status


@pytest.mark.parametrize(
    ("line", "version", "well"),
    [
        ("a>=1", "1.0", True),
        ("a>=1.0", "1", True),
        ("a>=1.10", "1.9", False),
        ("a>=1.2,<2", "2.0rc1", False),
        ("a!=1.5", "1.5.0", False),
        ("a==2024.1", "2024.1.0", True),
        ("a<=2,>1", "1.0.1", True),
        ("a", "0.0.1.dev3+local", True),
    ],
)
def test_versions_are_compared_by_their_numbers(line, version, well):
    assert fits(requirement_of(line), version) is well


def test_this_very_installation_is_well():
    assert own_requirements()
    found = [*python_findings(), *package_findings(Config(), own_requirements())]
    assert status_of(found) == ExitCode.OK
    (old,) = python_findings((3, 10, 2))
    assert (old.level, "3.11 or newer is needed" in old.text) == ("error", True)
    (unknown,) = package_findings(Config(), [])
    assert unknown.level == "warning"


@pytest.fixture
def folder(tmp_path, monkeypatch) -> Path:
    monkeypatch.chdir(tmp_path)
    Path("shop.yaml").write_text("mockforge: 1\n")
    Path("old.xml").write_text("")
    Path("inner").mkdir()
    return tmp_path


@pytest.mark.parametrize(
    ("settings", "paths", "closed", "said"),
    [
        ({}, ["shop.yaml"], (), "✓ fixtures shop.yaml: can be read; mockforge-tui check reads"),
        ({}, ["inner"], (), "✓ fixtures inner"),
        ({}, ["shap.yaml"], (), "× fixtures shap.yaml: no such file or folder"),
        ({}, ["shop.yaml"], ("shop.yaml",), "× fixtures shop.yaml: may not be read: chmod u+r"),
        ({"junit": "new.xml"}, [], (), "✓ --junit new.xml: can be written"),
        ({"junit": "old.xml"}, [], (), "✓ --junit old.xml: can be written"),
        ({"ready_file": "none/r"}, [], (), "× --ready-file none/r: there is no folder none: mkdir"),
        ({"env_file": "inner"}, [], (), "× --env-file inner: is a folder: give a file in it"),
        ({"ctrf": "inner/c"}, [], ("inner",), "× --ctrf inner/c: the folder inner may not be ent"),
        (
            {"ctrf": "inner/c"},
            [],
            ("w inner",),
            "× --ctrf inner/c: the folder inner may not be wri",
        ),
        ({"record": "old.xml"}, [], ("old.xml",), "× --record old.xml: may not be written: chmod"),
        ({"ready_file": "/dev/stdout"}, [], (), "✓ --ready-file /dev/stdout: can be written"),
        ({"data_dir": "inner/a/b"}, [], (), "✓ --data-dir inner/a/b: can be used"),
        ({"data_dir": "old.xml/a"}, [], (), "old.xml is a file: give a folder"),
        ({"tls_dir": "inner"}, [], ("inner",), "× --tls-dir inner: the folder inner may not be"),
    ],
)
def test_files_that_a_start_reads_or_writes_are_looked_at(folder, settings, paths, closed, said):
    def access(path: Path, mode: int) -> bool:
        unwritable = mode & os.W_OK and f"w {path.name}" in closed
        return path.name not in closed and not unwritable

    before = sorted(folder.rglob("*"))
    found = list(file_findings(Config(**settings), paths, access))
    assert said in rendered(found, "text")
    assert status_of(found) == (ExitCode.BAD_INPUT if "✓" not in said else ExitCode.OK)
    assert sorted(folder.rglob("*")) == before


def taken(*services: str):
    """Ports of these services are held by somebody."""

    def attempt(port: Port) -> None:
        if port.service in services:
            raise OSError(98, "Address already in use")

    return attempt


@pytest.mark.parametrize(
    ("options", "services", "said", "status"),
    [
        ({}, (), "✓ kafka at 127.0.0.1:9092: free", ExitCode.OK),
        ({"random_ports": True}, (), "✓ amqp at 127.0.0.1:any port: free", ExitCode.OK),
        ({"kafka_nodes": 3}, (), "✓ kafka at 127.0.0.1:9292: free", ExitCode.OK),
        ({"mqtt_sn": True}, (), "✓ mqtt-sn at 127.0.0.1:1884: free", ExitCode.OK),
        ({"amqp_management": True}, ("amqp-management",), "× amqp-management at 127.0.0.1:156", 4),
        ({}, ("amqp",), "choose another with --amqp-port (0 takes a free one)", 4),
        (
            {},
            ("admin",),
            "choose another with --admin-port (0 takes a free one, --no-admin",
            4,
        ),
        # As a start: nobody asked for it by name.
        ({}, ("mqtt-ws",), "! mqtt-ws at 127.0.0.1:8083: Address already in use", ExitCode.OK),
        ({"mqtt_ws_port": 8090}, ("mqtt-ws",), "× mqtt-ws at 127.0.0.1:8090", 4),
        ({"mqtt_unix": "/nowhere/m.sock"}, (), "× mqtt-unix: there is no folder /nowhere", 4),
        ({"tls": "none.pem,none.key"}, (), "× --tls none.pem,none.key: ", ExitCode.BAD_INPUT),
    ],
)
def test_each_port_that_a_start_takes_has_a_line(options, services, said, status):
    config = resolve(options, {}, file="").config
    found = list(port_findings(config, taken(*services)))
    assert said in rendered(found, "text")
    assert status_of(found) == status


@pytest.mark.parametrize(
    ("host", "addresses", "said"),
    [
        ("127.0.0.1", ["127.0.0.1"], "✓ localhost: 127.0.0.1"),
        ("127.0.0.1", ["127.0.0.1", "::1"], "✓ localhost: 127.0.0.1 and ::1"),
        ("127.0.0.1", ["::1", "127.0.0.1"], "! localhost: ::1 and 127.0.0.1, and we listen at 127"),
        ("127.0.0.1", ["::1"], "give clients 127.0.0.1"),
        ("0.0.0.0", ["127.0.0.1"], "✓ localhost"),
        ("::1", ["::1", "127.0.0.1"], "✓ localhost"),
        ("127.0.0.1", [], "! localhost: not known: put 127.0.0.1 localhost into /etc/hosts"),
    ],
)
def test_what_localhost_is_decides_where_clients_come(host, addresses, said):
    found = list(localhost_findings(replace(Config(), host=host), addresses))
    assert said in rendered(found, "text")
    assert status_of(found) == ExitCode.OK


def test_several_errors_end_as_a_start_would():
    busy = Finding("error", "kafka", "held", ExitCode.CANNOT_LISTEN)
    bad = Finding("error", "--junit", "no folder")
    assert status_of([busy]) == ExitCode.CANNOT_LISTEN
    assert status_of([busy, bad]) == ExitCode.BAD_INPUT
    assert rendered([bad, busy], "text").splitlines()[-1] == "2 checks, 0 warnings, 2 errors"


def test_a_port_that_somebody_holds_is_named_in_the_words_of_a_start(capsys, monkeypatch, folder):
    for name in [each for each in os.environ if each.startswith("MOCKFORGE_")]:
        monkeypatch.delenv(name)
    with socket.create_server(("127.0.0.1", 0)) as held:
        options = ["--random-ports", "--kafka-port", str(held.getsockname()[1])]
        assert cli.run(["doctor", *options, "shop.yaml"]) == ExitCode.CANNOT_LISTEN
        (line,) = [each for each in capsys.readouterr().out.splitlines() if each[0] == "×"]
        assert cli.run(["--headless", *options]) == ExitCode.CANNOT_LISTEN
        assert line.rpartition(": ")[2] in capsys.readouterr().err
    assert (
        f"(pid {os.getpid()}, this process itself) holds the port; choose another with --kafka-port"
        in line
    )
    assert cli.run(["doctor", *options, "shop.yaml", "--format", "json"]) == ExitCode.OK
    answer = json.loads(capsys.readouterr().out)
    assert (answer["version"], answer["status"]) == (__version__, 0)
    assert {each["level"] for each in answer["checks"]} <= {"ok", "warning"}
    assert cli.run(["doctor", "--random-ports", "none.yaml"]) == ExitCode.BAD_INPUT
    assert cli.run(["doctor", "--kafka-port", "x"]) == ExitCode.USAGE
