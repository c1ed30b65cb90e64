"""A file that a line names and that cannot be is named in the answer, and is no bug of ours."""

from pathlib import Path

import pytest

from mockforge_tui.console.paths import at_home

from ..tui.stage import Stage, play
from .scene import BUG, Scene

NOBODY = "~nobody-has-this-name/x"


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("topics > {folder}/none/x", "No such file or directory"),
        (f"topics > {NOBODY}", "home"),
        ('topics > "a\\x00b"', "no NUL"),
        ("export kafka:orders > {folder}/none/x", "No such file or directory"),
        (f"export kafka:orders > {NOBODY}", "home"),
        ('export kafka:orders > "a\\x00b"', "no NUL"),
        ("pub mqtt:a/b @{folder}/none/x", "No such file or directory"),
        (f"pub mqtt:a/b @{NOBODY}", "home"),
    ],
)
def test_a_file_that_cannot_be_is_named(line: str, said: str, tmp_path: Path) -> None:
    scene = Scene()
    told: list[str] = []
    scene.session.files = True
    scene.session.report = lambda notice: told.append(notice.text)
    result = scene.session.run(line.format(folder=tmp_path))
    text = " ".join([*told, result.problem.text if result.problem is not None else ""])
    assert said in text, (result, told)
    assert BUG not in text


@pytest.mark.parametrize("name", ["{folder}/none/x.svg", f"{NOBODY}.svg"])
def test_a_screenshot_that_cannot_be_written_is_no_bug(name: str, tmp_path: Path) -> None:
    async def act(stage: Stage) -> None:
        stage.app.run_line(f"shot {name.format(folder=tmp_path)}")
        await stage.pilot.pause()
        assert BUG not in stage.screen.result.text
        assert "x.svg: " in stage.screen.result.text

    play(act)


def test_a_path_at_home_is_shown_as_people_write_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", "/home/ada")
    assert at_home("/home/ada/.local/x") == "~/.local/x"
    assert at_home("/tmp/x") == "/tmp/x"
