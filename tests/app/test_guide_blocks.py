"""What README, the guide and the examples print is as it is used: each kind of block is tried.

Lines of the console are in `console/test_everywhere.py`; some pages have tests of their own.
"""

import json
import re
import shlex
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from textwrap import dedent
from typing import Any

import pytest
from mockforge_brokers.amqp.lint import RISKS
from mockforge_brokers.findings import WARNING
from mockforge_brokers.mqtt import lint_warnings

import mockforge_tui
from mockforge_tui import MockForge, cli
from mockforge_tui.cli.words import main
from mockforge_tui.config import Config, resolve
from mockforge_tui.console.arguments import parse
from mockforge_tui.console.commands import REGISTRY
from mockforge_tui.fixtures.recordings import parse_recording
from mockforge_tui.rehearsal import read_fixtures

ROOT = Path(__file__).parents[2]
GUIDE = Path(mockforge_tui.__file__).parent / "guide"
PAGES = {
    path.relative_to(ROOT).as_posix(): path.read_text(encoding="utf-8")
    for path in (
        *(ROOT / "README.md", *sorted(GUIDE.glob("*.md"))),
        *sorted((ROOT / "examples").rglob("README.md")),
    )
}
_SHELL = {"|", ">", "<", "&&", "&", "#"}
"""What ends the words of the program on a printed line."""


def printed_blocks(text: str) -> Iterator[str]:
    """Indented and fenced blocks, dedented."""
    for found in re.findall(r"^```\w*\n(.*?)^```", text, re.DOTALL | re.MULTILINE):
        yield found
    outside = re.sub(r"^```.*?^```", "", text, flags=re.DOTALL | re.MULTILINE)
    for found in re.findall(r"(?:^    .*\n|^\n(?=    ))+", outside, re.MULTILINE):
        yield dedent(found).strip("\n") + "\n"


def command_lines() -> Iterator[tuple[str, str]]:
    """Each printed command line with its page; what stands behind three spaces is for readers."""
    for page, text in PAGES.items():
        shown = [block.replace("\\\n", "") for block in printed_blocks(text)]
        inline = re.findall(r"`(mockforge-tui [^`]+)`", text)
        for line in (*"".join(shown).splitlines(), *inline):
            if found := re.search(r"\bmockforge-tui (?!\.)\S.*", line):
                yield page, re.split(r" {3,}", found[0])[0]


LINES = list(dict.fromkeys(command_lines()))


def words_of(line: str) -> list[str]:
    words = shlex.split(line)[1:]
    end = next((at for at, word in enumerate(words) if word in _SHELL), len(words))
    return words[:end]


@pytest.mark.parametrize(("page", "line"), LINES, ids=[line for _, line in LINES])
def test_every_printed_command_line_is_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, page: str, line: str
) -> None:
    monkeypatch.chdir(tmp_path)
    for name in ("all.mfrec", "FILE"):
        (tmp_path / name).touch()
    # Options and arguments are read as at a start, and nothing is run.
    given: dict[str, Any] = {}
    for command in main.commands.values():
        monkeypatch.setattr(command, "callback", lambda **words: given.update(words))
    words = words_of(line)
    # `mockforge-tui check` in a sentence is the command's name.
    assert cli.run([*words, "--help"] if words == ["check"] else words) == 0
    if "do " in line or "verify " in line or "wait " in line:
        asked = given.get("line") or f"expect {' '.join(given['words'])}"
        assert asked == "expect " or parse(REGISTRY, asked).problem is None


def test_there_are_many_lines_on_many_pages() -> None:
    assert len(LINES) > 60
    assert len({page for page, _ in LINES}) > 12


CONFIGS = [
    (page, block.partition("# mockforge-tui.yaml\n")[2])
    for page, text in PAGES.items()
    for block in printed_blocks(text)
    if "# mockforge-tui.yaml\n" in block
]


@pytest.mark.parametrize(("page", "text"), CONFIGS, ids=[page for page, _ in CONFIGS])
def test_every_printed_config_file_is_one(tmp_path: Path, page: str, text: str) -> None:
    file = tmp_path / "mockforge-tui.yaml"
    file.write_text(text, encoding="utf-8")
    resolved = resolve({}, {}, str(file))
    assert resolved.warnings == ()
    assert str(file) in " ".join(resolved.origins.values())


def block(page: str, begin: str) -> str:
    """The page's block that begins so."""
    blocks = printed_blocks((GUIDE / f"{page}.md").read_text(encoding="utf-8"))
    (found,) = (each for each in blocks if each.startswith(begin))
    return found


def steps_of(page: str) -> str:
    """Steps that a page prints, as the steps of a scenario."""
    found = [
        each
        for each in printed_blocks((GUIDE / f"{page}.md").read_text(encoding="utf-8"))
        if re.search(r"^- (publish|record|replay|fault|expect):", each, re.MULTILINE)
    ]
    lines = "".join(found).partition("- ")[2].splitlines()
    ours = [each for each in lines if not each.startswith(("with ", "    ", "#"))]
    return "".join(f"      {each}\n" for each in (f"- {ours[0]}", *ours[1:]))


def test_fixtures_faults_holds_and_scenarios_of_the_pages_go_together(tmp_path: Path) -> None:
    """As one file: steps name the generator and the fault that other pages show."""
    readings = "  - {id: readings, to: {mqtt: a}, value: 1}\n"
    file = block("fixtures", "mockforge: 1").replace("generators:\n", f"generators:\n{readings}")
    parts = [file, block("faults", "faults:"), block("faults", "holds:")]
    parts.append(block("scenarios", "scenarios:"))
    pages = ("expectations", "recordings")
    parts += [f"  - name: {page}\n    steps:\n{steps_of(page)}" for page in pages]
    (tmp_path / "rec").mkdir()
    (tmp_path / "rec" / "s.jsonl").write_text(block("recordings", '{"v":1'), encoding="utf-8")
    path = tmp_path / "all.yaml"
    path.write_text("".join(parts), encoding="utf-8")
    report = read_fixtures([path], Config())
    assert report.problems == ()
    assert [each.name for each in report.fixtures.scenarios] == [
        *("happy-order", "expectations", "recordings")
    ]


def test_the_readmes_fixture_file_is_one(tmp_path: Path) -> None:
    (found,) = (
        each for each in printed_blocks(PAGES["README.md"]) if each.startswith("mockforge:")
    )
    (tmp_path / "shop.yaml").write_text(found, encoding="utf-8")
    assert read_fixtures([tmp_path / "shop.yaml"], Config()).problems == ()


def test_the_recording_that_is_shown_can_be_replayed() -> None:
    first, second = parse_recording(block("recordings", '{"v":1'), "shown")
    assert (first.message.destination, second.message.destination) == ("orders", "sensors/a")


@pytest.fixture(scope="module")
def running() -> Iterator[MockForge]:
    with MockForge(admin=True, seed=1) as mockforge:
        yield mockforge


def curls() -> list[tuple[str, str | None]]:
    """Path and body of each request that a page prints."""
    found = []
    for text in PAGES.values():
        for line in "".join(printed_blocks(text)).splitlines():
            if not line.startswith("curl ") or "15672" in line:
                continue
            words = shlex.split(line.partition(" | ")[0].partition("   ")[0])
            url = next(each for each in words if "/" in each and not each.startswith("{"))
            path = url.removeprefix("$URL").rpartition("/__mockforge")[2]
            body = words[words.index("-d") + 1] if "-d" in words else None
            found.append((path, body if "POST" not in words else ""))
    return found


@pytest.mark.parametrize(("path", "body"), curls())
def test_every_request_that_is_shown_is_answered(
    running: MockForge, path: str, body: str | None
) -> None:
    if "tail" in (body or "") and "orders" not in running.run("topics").text:
        running.run("topic add orders")
    # Nothing of the kind will come: there is no reason to wait for it as long as the page does.
    data = None if body is None else body.replace('"within": "5s"', '"within": "10ms"').encode()
    request = urllib.request.Request(running.facts["admin"]["url"] + path, data)
    try:
        with urllib.request.urlopen(request, timeout=150) as response:
            status, answer = response.status, {}
    except urllib.error.HTTPError as error:
        with error:
            status, answer = error.code, json.load(error)
    assert status == 200 or (status == 406 and "failure" in answer), answer


def test_every_endpoint_of_the_table_is_served_as_it_says(running: MockForge) -> None:
    page = (GUIDE / "http.md").read_text(encoding="utf-8")
    url = running.facts["admin"]["url"]
    with urllib.request.urlopen(f"{url}/openapi.json", timeout=150) as response:
        served = json.load(response)["paths"]
    known = {re.sub(r"\{\w+\}", "*", path) for path in served}
    shown = re.findall(r"^    .*\b(?:POST|GET|PUT) ([a-z/A-Z]+)", page, re.MULTILINE)
    for path in shown:
        plain = re.sub(r"/(ID|NAME|a)\b", "/*", f"/{path.removeprefix('/')}")
        assert plain.removeprefix("/__mockforge") in known, path
    tables = page.partition("    GET connections, ")[2].partition(": tables under `items`")[0]
    for name in ["connections", *re.findall(r"[a-z/]+", tables)]:
        with urllib.request.urlopen(f"{url}/{name}", timeout=150) as response:
            assert isinstance(json.load(response)["items"], list), name


def test_all_that_python_is_shown_to_call_is_there(running: MockForge) -> None:
    text = PAGES["README.md"] + (GUIDE / "pytest.md").read_text(encoding="utf-8")
    text += (GUIDE / "expectations.md").read_text(encoding="utf-8")
    calls = {*re.findall(r"\bmockforge((?:\.\w+)+)\(", text)}
    assert len(calls) > 20
    for names in calls:
        found: Any = running
        for name in names.split(".")[1:]:
            found = getattr(found, name)
        assert callable(found), names


def test_each_lint_is_on_its_page() -> None:
    of_mqtt = {
        value
        for name, value in vars(lint_warnings).items()
        if name.isupper() and isinstance(value, str) and not name.startswith("_")
    } - {WARNING}
    shown = {line.split()[0] for line in block("mqtt", "keep-alive-0").splitlines()}
    assert shown == of_mqtt
    table = (GUIDE / "amqp.md").read_text(encoding="utf-8").partition("| name | what was met |")[2]
    cells = [line.split(" | ")[0] for line in table.partition("\n\n")[0].splitlines()]
    assert {name for cell in cells for name in re.findall("`([a-z-]+)`", cell)} >= {*RISKS}
