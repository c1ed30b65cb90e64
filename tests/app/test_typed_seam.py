"""The app's use of the brokers is type-checked: a renamed method of a broker does not go unseen."""

import ast
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

HOUSE = Path(__file__).parents[2]
BROKERS = Path("brokers") / "mockforge_brokers"
PROTOCOLS = ("kafka", "mqtt", "amqp")
ALSO_OF_OTHERS = {"begin", "connect", "end", "forget", "take_up"}
"""Words that the app has for something else: no broker's method of that name is called there."""


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_renaming_any_public_method_of_a_broker_fails_the_type_check(tmp_path: Path) -> None:
    """All of them renamed together in a copy, with those of the contract: what of it is called
    anywhere in the app is an error there."""
    for package in ("mockforge_tui", "brokers"):
        shutil.copytree(
            HOUSE / package, tmp_path / package, ignore=shutil.ignore_patterns("__pycache__")
        )
    shutil.copy(HOUSE / "pyproject.toml", tmp_path)
    contract = tmp_path / BROKERS / "contract.py"
    common = methods_of(contract, {"Broker", "Nodes"})
    rename([contract], common)
    public = set(common)
    for protocol in PROTOCOLS:
        files = sources(tmp_path / BROKERS / protocol)
        own = {name for file in files for name in methods_of(file)}
        assert own - common, protocol
        rename(files, own)
        public |= own
    done = subprocess.run(
        [sys.executable, "-m", "mypy", "-p", "mockforge_tui", "--cache-dir", str(tmp_path / "c")],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    app = "".join(path.read_text("utf-8") for path in (HOUSE / "mockforge_tui").rglob("*.py"))
    called = {name for name in public if re.search(rf"\.{name}\b", app)} - ALSO_OF_OTHERS
    # Kafka's `Nodes` are `NodeVerbs` where the app needs more of them.
    found = set(re.findall(r'"\w*(?:Broker|Nodes|Verbs)" has no attribute "(\w+)"', done.stdout))
    assert sorted(called - found) == []


def sources(protocol: Path) -> list[Path]:
    """Where a broker's own methods stand: its class, and the verbs that it is put together from."""
    return [protocol / "broker.py", *protocol.glob("verbs.py"), *protocol.glob("verbs/*.py")]


def methods_of(file: Path, classes: set[str] | None = None) -> set[str]:
    """The public methods of a file's classes, or of some of them."""

    def each() -> Iterator[str]:
        for made in ast.parse(file.read_text(encoding="utf-8")).body:
            if isinstance(made, ast.ClassDef) and (classes is None or made.name in classes):
                for one in made.body:
                    if isinstance(one, ast.FunctionDef) and not one.name.startswith("_"):
                        yield one.name

    return set(each())


def rename(files: list[Path], names: set[str]) -> None:
    for file in files:
        text = file.read_text(encoding="utf-8")
        for name in names:
            text = re.sub(rf"\b(def |self\.){name}\b", rf"\g<1>{name}_renamed", text)
        file.write_text(text, encoding="utf-8")
