"""Builds the wheel and checks what it holds: `python tests/wheel_contents.py`."""

import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path

ROOT = Path(__file__).parent.parent
MUST = (
    "mockforge_tui/__main__.py",
    "mockforge_tui/py.typed",
    "mockforge_tui/tui/styles.tcss",
    "mockforge_tui/_fixtures/shop/",
    "mockforge_tui/guide/",
    "mockforge_brokers/py.typed",
    "mockforge_brokers/transport.py",
)
TOP = {"mockforge_tui", "mockforge_brokers"}


def main() -> int:
    with tempfile.TemporaryDirectory() as folder:
        subprocess.run(
            [sys.executable, "-m", "pip", "wheel", "-q", "--no-deps", "-w", folder, str(ROOT)],
            check=True,
        )
        (wheel,) = Path(folder).glob("*.whl")
        names = zipfile.ZipFile(wheel).namelist()
    tops = {name.partition("/")[0] for name in names}
    foreign = {top for top in tops - TOP if not top.endswith(".dist-info")}
    missing = [path for path in MUST if not any(name.startswith(path) for name in names)]
    stray = [name for name in names if name.startswith("tests/") or "__pycache__" in name]
    for what, found in (("foreign", foreign), ("missing", missing), ("stray", stray)):
        if found:
            print(f"{what} in {wheel.name}: {sorted(found)}")
    print(f"{wheel.name}: {len(names)} files")
    return 1 if foreign or missing or stray else 0


if __name__ == "__main__":
    sys.exit(main())
