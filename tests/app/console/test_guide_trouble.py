"""Every line of the guide's tables of trouble runs, and is in a test with a real client."""

import re
from pathlib import Path

from .scene import Scene

TESTS = Path(__file__).parents[2]
PAGE = TESTS.parent / "mockforge_tui" / "guide" / "trouble.md"


def rows() -> list[list[str]]:
    text = PAGE.read_text(encoding="utf-8")
    cells = [line.strip("|").split(" | ") for line in text.splitlines() if line.startswith("|")]
    return [row for row in cells if not row[0].startswith(("---", " trouble"))]


def test_each_kind_of_trouble_says_what_is_seen_and_what_is_right() -> None:
    assert len(rows()) > 60
    for row in rows():
        assert [bool(cell.strip()) for cell in row] == [True] * 4, row
        assert re.fullmatch("`[^`]+`", row[1].strip()), row


def test_every_line_of_the_tables_runs() -> None:
    """On brokers that have what the lines name; what one needs that is not there is made first."""
    scene = Scene()
    for line in lines():
        result = scene.session.run(line, confirmed=True)
        assert result.ok or _needs_more(line), f"{line}: {result.as_text()}"


def lines() -> list[str]:
    return [row[1].strip().strip("`") for row in rows()]


def _needs_more(line: str) -> bool:
    """A client of that name, certificates of ours, a second node."""
    return line.startswith(("conn kill dev-7", "group kick", "session will", "tls", "consumer"))


def test_every_line_of_the_tables_is_tried_with_a_real_client() -> None:
    text = "\n".join(
        _plain(path.read_text(encoding="utf-8")) for path in (TESTS / "clients").glob("test_*.py")
    )
    missing = [line for line in lines() if _plain(line.removeprefix("fault add ")) not in text]
    assert not missing


def _plain(text: str) -> str:
    """With one name for what the page calls orders, billing or dev-7, and tests otherwise."""
    text = re.sub(r"\{[a-z.]+\}", "X", text)
    return re.sub(r"\b(orders|billing|dev-7|amq\.gen-1)\b", "X", text)
