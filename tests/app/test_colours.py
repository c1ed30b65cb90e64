"""What command lines print has colours on terminals only, and none with NO_COLOR."""

import io

import pytest

from mockforge_tui.colours import page, painted, wanted
from mockforge_tui.expectations.failure import Failure, Nearest
from mockforge_tui.fixtures.expected.conditions import Difference


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.mark.parametrize(
    ("environment", "terminal", "coloured"),
    [
        ({}, True, True),
        ({}, False, False),
        ({"NO_COLOR": "1"}, True, False),
        ({"NO_COLOR": ""}, True, True),
        ({"FORCE_COLOR": "1"}, False, True),
        ({"FORCE_COLOR": "1", "NO_COLOR": "1"}, True, False),
        ({"TERM": "dumb"}, True, False),
    ],
)
def test_colours_are_for_those_who_can_see_them(monkeypatch, environment, terminal, coloured):
    for name in ("NO_COLOR", "FORCE_COLOR"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("TERM", "xterm")
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    stream = Terminal() if terminal else io.StringIO()
    assert wanted(stream) is coloured
    assert ("\x1b[" in page("× it failed", stream)) is coloured


def test_what_was_wanted_is_red_and_what_is_there_green():
    difference = Difference("value.total", "10", "12")
    failure = Failure(
        "kafka:orders", "none came", Nearest("orders p0@1", "{}", (difference,)), suggestion="look"
    )
    lines = [painted(line) for line in failure.as_text().split("\n")]
    assert "          value.total: \x1b[31m- 10\x1b[0m" in lines
    assert any(line.endswith("\x1b[32m+ 12\x1b[0m") for line in lines)
    assert lines[-1] == "\x1b[33mtry       look\x1b[0m"
    assert lines[0].startswith("\x1b[2mexpected  \x1b[0m")


def test_steps_are_marked_in_colour():
    assert painted("  ✓ expect x") == "  \x1b[32m✓\x1b[0m expect x"
    assert painted("  × expect x") == "  \x1b[31m× expect x\x1b[0m"
    assert painted("plain") == "plain"
