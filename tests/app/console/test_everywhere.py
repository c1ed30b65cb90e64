"""Every command, help page and printed example, by every way in, against brokers empty and full."""

import asyncio
import contextlib
import io
import json
import re
from collections.abc import AsyncIterator, Callable, Iterator
from itertools import product
from pathlib import Path
from typing import Any

import pytest

from mockforge_tui import remote
from mockforge_tui.admin.app import build
from mockforge_tui.config import Config
from mockforge_tui.console.commands import REGISTRY
from mockforge_tui.console.language import read_line
from mockforge_tui.console.registry import Command
from mockforge_tui.filters import compile_filter
from mockforge_tui.shell.batch import Batch

from .scene import BUG, Scene

ROOT = Path(__file__).parents[3]
GUIDE = ROOT / "mockforge_tui" / "guide"


LOOKS = (" ls", " show", " tree", " history", "held", "data", "ladder", "peek", "route", "timeline",
         "topic diff", "topic read", "topology", "why")  # fmt: skip
"""How names of commands end that change nothing."""


def only_looks(example: str) -> bool:
    name = command_of(example).name
    # An example of telemetry has a scene made ready for it.
    return name.endswith(LOOKS) and not name.startswith("telemetry")


def command_of(example: str) -> Command:
    found = REGISTRY.find(example.split()[:3])
    assert found is not None, example
    return found[0]


EXAMPLES = [example for each in REGISTRY.commands for example in each.examples]
LOOKING: dict[str, list[str]] = {}
"""By the groups of their commands."""
for each in filter(only_looks, EXAMPLES):
    LOOKING.setdefault(command_of(each).group, []).append(each)
HELP: dict[str, list[str]] = {}
"""By nouns, of which each page of the guide is one."""
for each in ("", *REGISTRY.names, *(page.stem for page in GUIDE.glob("*.md"))):
    noun = each.partition(" ")[0]
    HELP.setdefault(noun, [f"help {noun}".strip()]).append(f"help {each}".strip())
TABLES = [
    each.examples[0]
    for each in REGISTRY.commands
    if each.name.endswith(" ls") and each.name != "producer ls"
] + [
    "held",
    "conns client:dev-*",
    "conns --ended",
]
OF_ONE = ["producer ls orders", "topic show orders", "exchange show events"]
"""Tables of something that empty brokers do not have."""
FOR_THE_SCREEN = (
    "filter",
    "jump",
    "shot",
    "theme",
    "republish",
    "quit",
    "why #",
    "timeline #",
    "diff #",
    "copy",
)
"""Refused where there is no screen, or no console that could quit."""


def printed_examples() -> Iterator[str]:
    """Lines that README and guide show as commands."""
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    commands = readme.partition("Some commands")[2].split("```")[1]
    texts = [commands, *(page.read_text(encoding="utf-8") for page in GUIDE.glob("*.md"))]
    for text in texts:
        for line in text.splitlines():
            if text is not commands and not line.startswith("    "):
                continue
            shown = re.split(r" {3,}", line.strip())[0]
            words = shown.removeprefix(": ").split()
            if not words or words[0] in ("every", "repeat"):
                yield from [shown] if words else []
            elif REGISTRY.find(words[:2]) is not None and not shown.isidentifier():
                yield shown


PRINTED = list(dict.fromkeys(printed_examples()))


# Ways in: each returns what a person gets to see, and whether it went well -----------------------


def at_the_prompt(scene: Scene, line: str) -> tuple[str, bool]:
    session = scene.session
    for cut in (*range(0, min(len(line), 200), 7), len(line)):
        session.complete(line[:cut])
        session.hint(line[:cut])
        session.spans(line[:cut])
    result = asyncio.run(session.execute(line, confirmed=True))
    json.loads(result.as_line())
    return result.as_text(80), result.ok


def in_the_shell(scene: Scene, line: str, *, as_json: bool = False) -> tuple[str, bool]:
    out, err = io.StringIO(), io.StringIO()

    async def lines(stop: asyncio.Event) -> AsyncIterator[str]:
        yield "set confirm off"
        yield line
        # What the line left behind must not be waited for.
        stop.set()

    async def main() -> int:
        stop = asyncio.Event()
        batch = Batch(scene.session, out, err, as_json=as_json)
        scene.session.jobs.stop_all()
        ran = asyncio.ensure_future(batch.run(lines(stop), stop))
        while not ran.done():
            # An expectation waits by the brokers' clock.
            await asyncio.sleep(0)
            scene.time.advance(0.01)
        return await ran

    status = asyncio.run(main())
    return out.getvalue() + err.getvalue(), status == 0


def by_http(scene: Scene, line: str) -> tuple[str, bool]:
    """The answer that a program gets, and what `mockforge-tui do` makes of it."""
    status, body = asked(scene, line)
    for part in body.splitlines():
        json.loads(part)
    answer, redirect = body.decode(), read_line(line).redirect
    if redirect is not None:
        # No program writes here; `do` writes where it is itself.
        status, body = asked(scene, line[: redirect.start].rstrip())
    out = io.BytesIO()
    with contextlib.redirect_stderr(io.StringIO()) as err:
        shown_well = remote.show(body.splitlines(keepends=True), out, as_json=False) == 0
    went_away = not body.splitlines() or b'"_command"' not in body.splitlines()[-1]
    shown = answer + out.getvalue().decode(errors="replace") + err.getvalue()
    return shown, status == 200 and (shown_well or went_away)


def asked(scene: Scene, line: str) -> tuple[int, bytes]:
    """A command by HTTP, confirmed where it takes that."""
    status, body = asyncio.run(request(scene, "/commands", {"line": f"{line} -y"}))
    if status == 400:
        return asyncio.run(request(scene, "/commands", {"line": line}))
    return status, body


async def request(scene: Scene, path: str, body: Any = None) -> tuple[int, bytes]:
    """One HTTP request to the admin application; returns status and body."""
    scene.config = Config()  # type: ignore[attr-defined]
    app = build(scene, scene.session, {})  # type: ignore[arg-type]
    sent: list[Any] = []
    data = b"" if body is None else json.dumps(body).encode()
    gone = asyncio.Event()
    came = iter([{"type": "http.request", "body": data, "more_body": False}])

    async def receive() -> Any:
        for each in came:
            return each
        await gone.wait()
        return {"type": "http.disconnect"}

    async def send(message: Any) -> None:
        sent.append(message)
        if any(job.kind == "tail" for job in scene.session.jobs):
            # It would go on: the client has seen enough.
            gone.set()

    scope = {
        "type": "http",
        "http_version": "1.1",
        "method": "GET" if body is None else "POST",
        "path": f"/__mockforge{path}",
        "query_string": b"",
        "headers": [(b"host", b"127.0.0.1")],
        "asgi": {"version": "3.0"},
    }
    asked = asyncio.ensure_future(app(scope, receive, send))
    while not asked.done():
        # What is sliced goes on by the brokers' clock, however long a slice took.
        await asyncio.sleep(0)
        scene.time.advance(0.01)
    await asked
    return sent[0]["status"], b"".join(each.get("body", b"") for each in sent[1:])


WAYS: dict[str, Callable[[Scene, str], tuple[str, bool]]] = {
    "prompt": at_the_prompt,
    "shell": in_the_shell,
    "shell-json": lambda scene, line: in_the_shell(scene, line, as_json=True),
    "http": by_http,
}


def scene_for(way: str, *, furnished: bool) -> Scene:
    inside = way != "http"
    return Scene(furnished=furnished, screen=way == "prompt", files=inside, interactive=inside)


@pytest.fixture(autouse=True)
def in_a_folder_of_its_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


# What is run ------------------------------------------------------------------------------------


@pytest.mark.table
@pytest.mark.parametrize("example", [each for each in EXAMPLES if not only_looks(each)])
def test_every_example_runs_on_a_scene_with_two_of_everything(example: str) -> None:
    for way in WAYS:
        scene = scene_for(way, furnished=True)
        scene.prepare(example)
        runs_well(scene, way, example)


@pytest.mark.table
@pytest.mark.parametrize("group", LOOKING)
def test_every_example_that_looks_sees_two_of_everything(group: str) -> None:
    for way in WAYS:
        scene = scene_for(way, furnished=True)
        for example in LOOKING[group]:
            runs_well(scene, way, example)


def runs_well(scene: Scene, way: str, example: str) -> None:
    shown, well = WAYS[way](scene, example)
    scene.session.close()
    assert BUG not in shown, (way, example)
    if way == "prompt" or not example.startswith(FOR_THE_SCREEN):
        assert well, f"{way}: {example}: {shown}"


@pytest.mark.table
@pytest.mark.parametrize("line", dict.fromkeys([*EXAMPLES, *PRINTED]))
def test_empty_brokers_refuse_in_words_what_they_do_not_have(line: str) -> None:
    for way, run in WAYS.items():
        scene = scene_for(way, furnished=False)
        shown, _ = run(scene, line)
        scene.session.close()
        assert BUG not in shown, way
        assert "Traceback" not in shown, way


@pytest.mark.table
@pytest.mark.parametrize("noun", HELP)
def test_help_explains_every_name_noun_and_page(noun: str) -> None:
    # Help changes nothing: those who are inside may share a scene.
    inside, outside = (scene_for(way, furnished=False) for way in ("prompt", "http"))
    for line, (way, run) in product(dict.fromkeys(HELP[noun]), WAYS.items()):
        shown, well = run(outside if way == "http" else inside, line)
        assert well, f"{way}: {line}: {shown}"
        assert shown.strip(), (way, line)


@pytest.mark.parametrize(
    ("furnished", "table"),
    [*product((False, True), TABLES), *product((True,), OF_ONE)],
)
def test_every_table_goes_through_a_filter_of_each_of_its_columns(
    furnished: bool, table: str
) -> None:
    scene = Scene(furnished=furnished)
    result = scene.run(table)
    for column in result.fields:
        narrowed = scene.run(f"{table} | {column}:no-such-value")
        assert narrowed.records == []
        assert narrowed.text
    assert set().union(*result.records) <= set(result.fields)
    scene.run(f"{table} | some-word")


@pytest.mark.table
@pytest.mark.parametrize("line", PRINTED)
def test_what_readme_and_guide_print_is_understood(line: str) -> None:
    assert Scene(screen=True).session.check(line) is None


@pytest.mark.parametrize(
    "line",
    [
        re.split(r" {3,}", line.strip())[0]
        for line in (GUIDE / "filters.md").read_text(encoding="utf-8").splitlines()
        if line.startswith("    ") and ":" in line and "field" not in line
    ],
)
def test_what_the_guide_prints_as_a_filter_is_one(line: str) -> None:
    with contextlib.suppress(ValueError):
        compile_filter(line)


def test_there_are_examples_of_every_command() -> None:
    without: list[Command] = [each for each in REGISTRY.commands if not each.examples]
    assert without == []
    assert len(PRINTED) > 10
