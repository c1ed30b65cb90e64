"""Files and folders that a start with these settings reads or writes."""

import os
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Final

from ..config import Config
from ..readiness import is_special
from ..state_folder import state_folder
from .finding import Finding

Access = Callable[[Path, int], bool]

_WRITTEN: Final = ("ready_file", "env_file", "junit", "ctrf", "record")
_FOLDERS: Final = ("data_dir", "tls_dir")


def file_findings(
    config: Config, paths: Iterable[str], access: Access = os.access
) -> Iterator[Finding]:
    """`paths` are fixtures; that they can be read says nothing of what is in them."""
    for path in paths:
        problem = _unreadable(Path(path), access)
        yield _found(f"fixtures {path}", problem, "can be read; mockforge-tui check reads them")
    for name in _WRITTEN:
        given = getattr(config, name)
        if given:
            problem = _unwritable(Path(given), access)
            yield _found(f"{_option(name)} {given}", problem, "can be written")
    for name in _FOLDERS:
        given = getattr(config, name)
        if given:
            problem = _unusable(Path(given), access)
            yield _found(f"{_option(name)} {given}", problem, "can be used")
    yield _state(access)


def _state(access: Access) -> Finding:
    """Where a screen or prompt keeps something; it starts without it, too."""
    folder = state_folder()
    problem = "this user has no home folder" if folder is None else _unusable(folder, access)
    if not problem:
        return Finding("ok", "history and log", str(folder))
    remedy = "nothing is kept there; XDG_STATE_HOME names another"
    return Finding("warning", "history and log", f"{problem.partition(':')[0]}: {remedy}")


def _option(name: str) -> str:
    return "--" + name.replace("_", "-")


def _found(about: str, problem: str, well: str) -> Finding:
    return Finding("error", about, problem) if problem else Finding("ok", about, well)


# Within a folder that may not be entered Path.exists and Path.is_dir raise; those of os.path do
# not.


def _nearest(path: Path) -> Path:
    """What of it is there, as far as that can be seen."""
    return next(each for each in (path, *path.absolute().parents) if os.path.exists(each))


def _closed(path: Path, access: Access) -> str:
    """Why nothing can be seen of what is in its folder."""
    nearest = _nearest(path.parent)
    if os.path.isdir(nearest) and not access(nearest, os.X_OK):
        return f"the folder {nearest} may not be entered: chmod u+x, or give another"
    return ""


def _unreadable(path: Path, access: Access) -> str:
    if problem := _closed(path, access):
        return problem
    if not os.path.exists(path):
        return "no such file or folder: give a path that is there"
    needed = os.R_OK | os.X_OK if path.is_dir() else os.R_OK
    return "" if access(path, needed) else f"may not be read: chmod u+r {path}"


def _unwritable(path: Path, access: Access) -> str:
    if problem := _closed(path, access):
        return problem
    if os.path.isdir(path):
        return "is a folder: give a file in it"
    if is_special(path):
        return "" if access(path, os.W_OK) else "may not be written: give another"
    if not os.path.isdir(path.parent):
        return f"there is no folder {path.parent}: mkdir -p {path.parent}"
    # Files are written beside their place and moved there, so that nobody reads half of one.
    if not access(path.parent, os.W_OK | os.X_OK):
        return f"the folder {path.parent} may not be written: chmod u+w, or give another"
    if os.path.exists(path) and not access(path, os.W_OK):
        return f"may not be written: chmod u+w {path}, or give another"
    return ""


def _unusable(path: Path, access: Access) -> str:
    """Why a folder cannot be used, or made where it is not there."""
    nearest = _nearest(path)
    if not nearest.is_dir():
        return f"{nearest} is a file: give a folder"
    if not access(nearest, os.W_OK | os.X_OK):
        return f"the folder {nearest} may not be written: chmod u+w, or give another"
    return ""
