"""Whether the tests that compare a fast path with the general one enter all of it."""

import subprocess
import sys
from pathlib import Path
from types import ModuleType


def missed_branches(
    module: ModuleType, file: str, keyword: str, folder: Path, *more: ModuleType
) -> str:
    """What the tests of `file` whose name has `keyword` leave out of modules; "" for nothing.

    They run in a process of their own, and `folder` is for what coverage writes.
    """
    (folder / "empty").touch()
    files = [f"--data-file={folder / 'data'}", f"--rcfile={folder / 'empty'}"]
    included = [str(each.__file__) for each in (module, *more)]
    coverage = [sys.executable, "-m", "coverage"]
    run = [*coverage, "run", "--branch", *files, f"--include={','.join(included)}"]
    tests = [*run, "-m", "pytest", "-q", "--timeout=500", file, "-k", keyword]
    subprocess.run(tests, check=True, capture_output=True)
    report = [*coverage, "report", *files, "-m", "--fail-under=100"]
    done = subprocess.run(report, check=False, capture_output=True, text=True)
    return done.stdout if done.returncode else ""
