"""Where history and log are kept, and that a start does without where nothing can be."""

import errno
import logging
import os
from pathlib import Path
from typing import Any

import pytest
from prompt_toolkit.history import InMemoryHistory

from mockforge_tui.config import Config
from mockforge_tui.console.history import history_file
from mockforge_tui.doctor.files import file_findings
from mockforge_tui.doctor.finding import rendered
from mockforge_tui.logs import set_up
from mockforge_tui.shell.prompt import typed_before
from mockforge_tui.state_folder import state_file, unkept


@pytest.fixture
def no_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A file stands where the folder would be: root may write anywhere else."""
    (tmp_path / "file").touch()
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "file"))
    return tmp_path / "file" / "mockforge-tui"


def test_a_folder_that_cannot_be_made_is_named_with_what_to_do(no_folder: Path) -> None:
    assert state_file("history") is None
    assert history_file() is None
    assert isinstance(typed_before(), InMemoryHistory)
    said = "not kept: history and console.log: {}; XDG_STATE_HOME names another folder"
    assert unkept("history", "console.log") == said.format(f"{no_folder} may not be written")
    found = rendered(list(file_findings(Config(), [])), "text")
    assert f"! history and log: {no_folder.parent} is a file: nothing is kept there" in found


@pytest.fixture
def closed_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder is there, and another user's: the calls refuse, as root may enter all."""
    folder = tmp_path / "mockforge-tui"
    folder.mkdir()
    stat, access = os.stat, os.access

    def refusing_stat(path: Any, **options: Any) -> os.stat_result:
        if not isinstance(path, int) and folder in Path(os.fsdecode(path)).parents:
            raise PermissionError(errno.EACCES, "Permission denied", str(path))
        return stat(path, **options)

    def refusing_access(path: Any, mode: int) -> bool:
        return Path(path) != folder and folder not in Path(path).parents and access(path, mode)

    monkeypatch.setattr(os, "stat", refusing_stat)
    monkeypatch.setattr(os, "access", refusing_access)
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    return folder


def test_a_folder_that_may_not_be_entered_keeps_nothing(closed_folder: Path) -> None:
    assert state_file("history") is None
    assert isinstance(typed_before(), InMemoryHistory)
    assert f"{closed_folder} may not be written" in unkept("history")


def test_doctor_names_the_folder_that_may_not_be_entered(
    closed_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(closed_folder / ".local" / "state"))
    config = Config(data_dir=str(closed_folder / "data"))
    fixture = str(closed_folder / "orders.yaml")
    found = rendered(list(file_findings(config, [fixture], os.access)), "text")
    assert f"! history and log: the folder {closed_folder} may not be written" in found
    assert f"{closed_folder / 'data'}: the folder {closed_folder} may not be written" in found
    assert f"fixtures {fixture}: the folder {closed_folder} may not be entered: chmod" in found
    for within in ("report.xml", "inner/report.xml"):
        junit = str(closed_folder / within)
        found = rendered(list(file_findings(Config(junit=junit), [], os.access)), "text")
        assert f"× --junit {junit}: the folder {closed_folder} may not be entered" in found


def test_a_user_without_a_home_folder_starts_too(monkeypatch: pytest.MonkeyPatch) -> None:
    def nobody(_: object = None) -> Path:
        raise RuntimeError("Could not determine home directory.")

    monkeypatch.delenv("XDG_STATE_HOME", raising=False)
    monkeypatch.setattr(Path, "home", nobody)
    assert state_file("history") is None
    assert "this user has no home folder" in unkept("history")
    assert "this user has no home folder" in rendered(list(file_findings(Config(), [])), "text")


def test_the_screens_log_is_left_out_where_it_cannot_be_kept(no_folder: Path) -> None:
    root = logging.getLogger()
    before, level = root.handlers[:], root.level
    try:
        set_up("info", "text", screen=True)
        assert [type(each) for each in root.handlers] == [logging.NullHandler]
    finally:
        root.handlers[:] = before
        root.setLevel(level)


def test_what_was_typed_is_for_its_owner_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    history = typed_before()
    history.store_string("user add alice secret")
    path = history_file()
    assert path is not None
    assert os.stat(path).st_mode & 0o777 == 0o600
    assert list(history.load_history_strings()) == ["user add alice secret"]
    assert unkept("history") == ""
