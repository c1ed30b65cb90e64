"""The OpenAPI description against what is served: `python tests/http_description.py`.

Not a part of the tests, since it wants `pip install schemathesis` (its command on the path).
"""

import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from mockforge_tui import MockForge

CONFIG = """\
[checks.positive_data_acceptance]
# What the words of a body stand for is more than a schema can say.
expected-statuses = ["2xx", 400, 404, 406]
"""
HOOKS = """\
import schemathesis

@schemathesis.hook
def before_call(context, case, kwargs):
    # What is waited for would otherwise take its time.
    if not isinstance(case.body, dict):
        return
    if case.path.endswith("/replay"):
        case.body.setdefault("wait", False)
    parts = case.body.get("order")
    for place in (case.body, *(parts if isinstance(parts, list) else ())):
        for name in ("within", "settle"):
            value = place.get(name) if isinstance(place, dict) else None
            if isinstance(value, (int, float)) and not isinstance(value, bool):
                place[name] = min(value, 0.01)
            elif isinstance(value, str):
                place[name] = "1ms"
"""
STREAMS = ("/events", "/messages/wait", "/commands")
"""What does not answer at once."""


def main(folder: Path) -> int:
    program = shutil.which("schemathesis")
    if program is None:
        print("skipped: schemathesis is not installed")
        return 0
    config = folder / "schemathesis.toml"
    config.write_text(CONFIG)
    (folder / "hooks.py").write_text(HOOKS)
    environment = {
        "SCHEMATHESIS_HOOKS": "hooks",
        "PYTHONPATH": str(folder),
        "PATH": str(Path(program).parent),
    }
    excluded = [word for path in STREAMS for word in ("--exclude-path", path)]
    with MockForge(admin=True, seed=1) as mockforge:
        described = f"{mockforge.facts['admin']['url']}/openapi.json"
        words = [program, "--config-file", str(config), "run", described, *excluded]
        done = subprocess.run([*words, *sys.argv[1:]], env=environment, cwd=folder, check=False)
    return done.returncode


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as name:
        raise SystemExit(main(Path(name)))
