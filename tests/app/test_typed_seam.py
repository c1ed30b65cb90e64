"""The app's use of the brokers is type-checked: a renamed verb of a broker does not go unseen."""

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

HOUSE = Path(__file__).parents[2]
BROKERS = HOUSE / "brokers" / "mockforge_brokers"


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_renaming_any_public_method_of_a_broker_fails_the_type_check(tmp_path: Path) -> None:
    """All verbs that the app calls by a broker's own type, renamed together in a copy."""
    for package in ("mockforge_tui", "brokers"):
        shutil.copytree(
            HOUSE / package, tmp_path / package, ignore=shutil.ignore_patterns("__pycache__")
        )
    shutil.copy(HOUSE / "pyproject.toml", tmp_path)
    used = {name: verbs_used(name) for name in ("kafka", "mqtt", "amqp")}
    for protocol, verbs in used.items():
        assert verbs, protocol
        for file in sources(tmp_path / "brokers" / "mockforge_brokers" / protocol):
            text = file.read_text(encoding="utf-8")
            for verb in verbs:
                text = re.sub(rf"\b(def |self\.){verb}\(", rf"\g<1>{verb}_renamed(", text)
            file.write_text(text, encoding="utf-8")
    done = subprocess.run(
        [sys.executable, "-m", "mypy", "-p", "mockforge_tui", "--cache-dir", str(tmp_path / "c")],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    for protocol, verbs in used.items():
        for verb in verbs:
            assert f'has no attribute "{verb}"' in done.stdout, f"{protocol}: {verb}"


def sources(protocol: Path) -> list[Path]:
    """Where a broker's own methods stand: its class, and the verbs that it is put together from."""
    return [protocol / "broker.py", *protocol.glob("verbs.py"), *protocol.glob("verbs/*.py")]


def verbs_used(protocol: str) -> list[str]:
    """Public methods of a broker's own that some file of the app calls."""
    broker = "".join(each.read_text(encoding="utf-8") for each in sources(BROKERS / protocol))
    contract = (BROKERS / "contract.py").read_text(encoding="utf-8")
    common = set(re.findall(r"    def (\w+)\(", contract))
    own = [name for name in re.findall(r"    def ([a-z]\w+)\(", broker) if name not in common]
    app = "".join(
        path.read_text(encoding="utf-8") for path in (HOUSE / "mockforge_tui").rglob("*.py")
    )
    return [name for name in own if re.search(rf"(broker|kafka|mqtt|amqp|admin)\)?\.{name}\(", app)]
