"""Where a suite runs: somebody's checkout, and a folder in it for all that is built and written."""

import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

from tests.benchmarks.common import Skipped


class Place:
    """`checkout` is the suite; `folder` ours within it; `variables` what its programs read."""

    def __init__(self, checkout: Path) -> None:
        if not checkout.is_dir():
            raise Skipped(f"{checkout} is no folder")
        self.checkout = checkout.resolve()
        self.folder = self.checkout / "mockforge-suite"
        self.folder.mkdir(exist_ok=True)
        self.variables: dict[str, str] = {}

    @property
    def version(self) -> str:
        described = subprocess.run(
            ["git", "describe", "--tags", "--always"],
            cwd=self.checkout, capture_output=True, text=True, check=False,
        )  # fmt: skip
        return described.stdout.strip() or "unknown"

    def run(
        self, *command: str | Path, cwd: Path | None = None, longest: float = 1800
    ) -> subprocess.CompletedProcess[str]:
        """Ends with what it started, also when it takes longer than `longest` seconds.

        Output and errors are files in the folder too, by the name of the program.
        """
        words = [str(word) for word in command]
        if shutil.which(words[0], path=self.path) is None:
            raise Skipped(f"no {words[0]}")
        name = self.folder / Path(words[0]).name
        with name.with_suffix(".out").open("w+") as out, name.with_suffix(".err").open("w+") as err:
            process = subprocess.Popen(
                words, cwd=cwd or self.checkout, stdout=out, stderr=err, stdin=subprocess.DEVNULL,
                env={**os.environ, "PATH": self.path, **self.variables}, start_new_session=True,
            )  # fmt: skip
            try:
                process.wait(longest)
            except subprocess.TimeoutExpired:
                print(f"ended after {longest:g} s: {' '.join(words)}", flush=True)
            finally:
                if process.poll() is None:
                    os.killpg(process.pid, signal.SIGKILL)
                    process.wait()
            out.seek(0)
            err.seek(0)
            return subprocess.CompletedProcess(words, process.returncode, out.read(), err.read())

    def make(self, *command: str | Path, cwd: Path | None = None) -> None:
        """A step without which the suite cannot run; raises Skipped with its last lines."""
        done = self.run(*command, cwd=cwd)
        if done.returncode:
            lines = (done.stdout + done.stderr).strip().splitlines()
            raise Skipped(f"{command[0]} failed: {' / '.join(lines[-4:])[:400]}")

    @property
    def path(self) -> str:
        return os.pathsep.join([str(self.folder / "bin"), os.environ.get("PATH", ""), "/usr/sbin"])

    def once(self, what: str) -> bool:
        """Whether `what` was not done here yet; `done` says that it is."""
        return not (self.folder / f"{what}.done").exists()

    def done(self, what: str) -> None:
        (self.folder / f"{what}.done").touch()

    @property
    def python(self) -> Path:
        return self.folder / "venv" / "bin" / "python"

    def environment(self, *packages: str) -> None:
        """A Python of the suite's own, with these packages."""
        self.make(sys.executable, "-m", "venv", self.folder / "venv")
        self.make(self.python, "-m", "pip", "install", "-q", *packages)

    def report(self, name: str) -> Path:
        """A file that a runner writes; what it wrote before is gone."""
        path = self.folder / name
        path.unlink(missing_ok=True)
        return path
