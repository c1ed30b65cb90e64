"""How the programs of a language come to run: what they need is fetched and built once.

What was built is kept below `MOCKFORGE_CLIENTS_CACHE` (else ~/.cache/mockforge-clients), named by
the contents of what it was built from. Everything that is missing raises Skipped with its name.
"""

import hashlib
import os
import shutil
import subprocess
import sys
from collections.abc import Sequence
from importlib import metadata
from pathlib import Path

from tests.benchmarks.common import Skipped

from .catalogue import Client

PROGRAMS = Path(__file__).parent / "programs"
CACHE = Path(
    os.environ.get("MOCKFORGE_CLIENTS_CACHE") or Path.home() / ".cache" / "mockforge-clients"
)


class Toolchain:
    """One language: `prepare` once, then `command` for each program."""

    tools: tuple[str, ...] = ()
    built_from: tuple[str, ...] = ("**/*",)

    def __init__(self, language: str) -> None:
        self.language = language
        self.sources = PROGRAMS / language
        digest = hashlib.sha256()
        for pattern in self.built_from:
            for path in sorted(self.sources.glob(pattern)):
                if path.is_file():
                    digest.update(str(path.relative_to(self.sources)).encode())
                    digest.update(path.read_bytes())
        self.built = CACHE / f"{language}-{digest.hexdigest()[:12]}"

    def prepare(self, fetch: bool) -> None:
        for tool in self.tools:
            if shutil.which(tool) is None:
                raise Skipped(f"no {tool}")
        if not (self.built / "done").exists():
            if not fetch:
                raise Skipped("not fetched and built yet; without --quick it is")
            self.built.mkdir(parents=True, exist_ok=True)
            self.build()
            (self.built / "done").touch()

    def build(self) -> None:
        raise NotImplementedError

    def command(self, client: Client) -> list[str]:
        raise NotImplementedError

    def run(self, *command: str | Path, more: dict[str, str] | None = None) -> None:
        """A step of `build`, in the folder of what is built."""
        done = subprocess.run(
            [str(word) for word in command],
            cwd=self.built,
            env={**os.environ, **(more or {})},
            capture_output=True,
            text=True,
            check=False,
            timeout=1800,
        )
        if done.returncode:
            lines = (done.stderr + done.stdout).strip().splitlines()
            raise Skipped(f"{command[0]} failed: {' / '.join(lines[-3:])[:300]}")


class Python(Toolchain):
    """A virtual environment of its own; else this one, as far as it has the libraries."""

    built_from = ("requirements.txt",)

    def prepare(self, fetch: bool) -> None:
        if fetch:
            super().prepare(fetch)

    def build(self) -> None:
        self.run(sys.executable, "-m", "venv", ".")
        requirements = self.sources / "requirements.txt"
        self.run("bin/python", "-m", "pip", "install", "-q", "-r", requirements)

    def command(self, client: Client) -> list[str]:
        python = self.built / "bin" / "python"
        if not (self.built / "done").exists():
            python = Path(sys.executable)
            try:
                metadata.version(client.name)
            except metadata.PackageNotFoundError:
                raise Skipped(f"no {client.name} in this Python; without --quick it is") from None
        return [str(python), str(self.sources / client.program)]


class Tools(Toolchain):
    """Command line tools of the system, run by programs in Python."""

    def prepare(self, fetch: bool) -> None:
        """Nothing to build."""

    def command(self, client: Client) -> list[str]:
        tool = client.name.split()[0]
        if shutil.which(tool) is None:
            raise Skipped(f"no {tool}")
        return [sys.executable, str(self.sources / client.program)]


class Node(Toolchain):
    """Libraries from npm, and the programs copied beside them, where Node finds them."""

    tools = ("node", "npm")
    built_from = ("package.json",)

    def prepare(self, fetch: bool) -> None:
        super().prepare(fetch)
        for path in self.sources.glob("*.*js"):
            shutil.copy(path, self.built)

    def build(self) -> None:
        shutil.copy(self.sources / "package.json", self.built)
        self.run(
            "npm", "install", "--no-audit", "--no-fund", "--no-package-lock", "--loglevel=error"
        )

    def command(self, client: Client) -> list[str]:
        return ["node", str(self.built / client.program)]


class Java(Toolchain):
    """Each folder with a pom.xml has jars of its own; `kafka/Client` is class Client there.

    A folder without sources (`from`, a file, names another) runs another's with its own jars.
    """

    tools = ("java", "javac", "mvn")

    def build(self) -> None:
        for pom in self.sources.glob("*/pom.xml"):
            library, classes = self.jars(pom), self.built / pom.parent.name / "classes"
            other = pom.with_name("from")
            folder = self.sources / other.read_text().strip() if other.exists() else pom.parent
            files = [*self.sources.glob("*.java"), *folder.glob("*.java")]
            self.run(
                "javac", "-parameters", "-nowarn", "-cp", f"{library}/*", "-d", classes, *files
            )

    def jars(self, pom: Path) -> Path:
        """Of what this file asks for: they stay while only programs change."""
        name = hashlib.sha256(pom.read_bytes()).hexdigest()[:12]
        folder = CACHE / f"jars-{pom.parent.name}-{name}"
        if not (folder / "done").exists():
            copy = f"-DoutputDirectory={folder}"
            self.run("mvn", "-q", "-B", "-f", pom, "dependency:copy-dependencies", copy)
            (folder / "done").touch()
        return folder

    def command(self, client: Client) -> list[str]:
        folder, name = client.program.split("/")
        library = self.jars(self.sources / folder / "pom.xml")
        quick = ["-Xmx384m", "-XX:TieredStopAtLevel=1"]
        return ["java", *quick, "-cp", f"{self.built / folder / 'classes'}:{library}/*", name]


class Go(Toolchain):
    tools = ("go",)

    def build(self) -> None:
        more = {"GOFLAGS": "-mod=readonly", "GOTOOLCHAIN": "local"}
        self.run("go", "build", "-C", self.sources, "-o", f"{self.built}/", "./...", more=more)

    def command(self, client: Client) -> list[str]:
        return [str(self.built / client.program)]


class Rust(Toolchain):
    tools = ("cargo",)
    built_from = ("Cargo.*", "src/**/*")

    def build(self) -> None:
        target = CACHE / "rust"
        manifest = self.sources / "Cargo.toml"
        self.run(
            "cargo", "build", "--quiet", "--locked", "--manifest-path", manifest,
            more={"CARGO_TARGET_DIR": str(target)},
        )  # fmt: skip
        for path in (self.sources / "src" / "bin").glob("*.rs"):
            shutil.copy(target / "debug" / path.stem, self.built)

    def command(self, client: Client) -> list[str]:
        return [str(self.built / client.program)]


class Cargo(Toolchain):
    """Programs that are crates themselves (`NAME@VERSION` in crates.txt), run by programs in
    Python, which get the crate's."""

    tools = ("cargo",)
    built_from = ("crates.txt",)

    def build(self) -> None:
        more = {"CARGO_TARGET_DIR": str(CACHE / "cargo")}
        crates = (self.sources / "crates.txt").read_text().split()
        for crate in crates:
            command = ("cargo", "install", "--quiet", "--debug", "--locked", "--root", self.built)
            self.run(*command, crate, more=more)

    def command(self, client: Client) -> list[str]:
        crate = client.program.removesuffix(".py")
        return [
            sys.executable,
            str(self.sources / client.program),
            str(self.built / "bin" / crate),
        ]


class C(Toolchain):
    """Programs of one file, which begins with what it is linked with: `// cc -lNAME`."""

    tools = ("cc",)

    def build(self) -> None:
        for path in self.sources.glob("*.c"):
            words = path.read_text().splitlines()[0].removeprefix("// cc ").split()
            self.run("cc", "-O1", "-o", path.stem, path, *words)

    def command(self, client: Client) -> list[str]:
        return [str(self.built / client.program)]


class Ruby(Toolchain):
    tools = ("ruby",)

    def build(self) -> None:
        self.run("ruby", "-e", "require 'bunny'")

    def command(self, client: Client) -> list[str]:
        return ["ruby", str(self.sources / client.program)]


def toolchains() -> dict[str, Toolchain]:
    kinds: Sequence[type[Toolchain]] = (Python, Tools, Node, Java, Go, Rust, Cargo, C, Ruby)
    return {kind.__name__: kind(kind.__name__.lower()) for kind in kinds}
