"""How a tutorial of RabbitMQ is played, with programs that stand in for the printed ones."""

import sys

import pytest

from . import tutorials

WAITS = """
import pathlib, time
print("waiting", flush=True)
while not pathlib.Path("{file}").exists():
    time.sleep(0.01)
print("it came", flush=True)
time.sleep(60)
"""
ACTS = "import pathlib; pathlib.Path('{file}').touch(); print('42')"


@pytest.mark.parametrize(
    ("programs", "wrong"),
    [
        ({}, ""),
        ({"waits": "print('waiting', flush=True); import time; time.sleep(60)"}, "did not show"),
        ({"acts": "raise SystemExit('no broker')"}, "acts: status 1: no broker"),
        ({"acts": "print('41')"}, "acts: status 0: 41"),
    ],
)
def test_a_tutorial_says_what_did_not_come(programs, wrong, tmp_path, monkeypatch) -> None:
    if wrong:
        monkeypatch.setattr(tutorials, "SOON", 0.1)
    texts = {"waits": WAITS, "acts": ACTS} | programs
    file = tmp_path / "came"

    def command(name: str) -> list[str]:
        return [sys.executable, "-c", texts[name].replace("{file}", str(file))]

    found = tutorials.played(
        tutorials.Tutorial("x", "waits", "acts", "it came", "42"), command, tmp_path
    )
    assert (wrong in found) if wrong else (found == "")
