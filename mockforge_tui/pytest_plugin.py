"""pytest fixtures: brokers for tests, reset before each one.

Every pytest on the machine imports this module, so it imports nothing but pytest; the brokers
come with the first test that asks for them.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from mockforge_tui import MockForge
    from mockforge_tui.fixtures.model import FixtureSet

_MARKER = (
    "mockforge(*, fixtures=None, seed=None, fresh=False, **settings): "
    "what the brokers of this test are like; with fresh or settings they are the test's own, "
    "on ports of their own"
)
_SESSION = pytest.StashKey[list[Any]]()
"""Running brokers that a test uses, for its report."""
_JOURNAL = 50


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", _MARKER)


@pytest.fixture(scope="session")
def mockforge_settings() -> dict[str, Any]:
    """Settings of the session's brokers, as `MockForge` takes them; override it to have others."""
    return {}


@pytest.fixture(scope="session")
def mockforge_session(mockforge_settings: dict[str, Any]) -> Iterator[MockForge]:
    """Brokers for the whole session (of this xdist worker), never reset by themselves."""
    from mockforge_tui import MockForge

    with MockForge(**mockforge_settings) as running:
        yield running


@pytest.fixture
def mockforge(request: pytest.FixtureRequest) -> Iterator[MockForge]:
    """Kafka, MQTT and AMQP on free ports of 127.0.0.1, as empty as after a start.

    `@pytest.mark.mockforge(fixtures="fixtures/shop.yaml", seed=42)` loads files or folders,
    relative to the test's own folder or to pytest's root. The brokers stay the same for all tests
    and are reset before each; `fresh=True` or any setting gives the test its own.
    """
    asked = _asked(request.node)
    fixtures, seed = asked.pop("fixtures", ()), asked.pop("seed", None)
    fresh = asked.pop("fresh", False)
    paths = _paths(request, fixtures)
    if fresh or asked:
        make: Callable[..., MockForge] = request.getfixturevalue("make_mockforge")
        session: dict[str, Any] = request.getfixturevalue("mockforge_settings")
        seeded = {} if seed is None else {"seed": seed}
        yield make(*paths, **{**session, **seeded, **asked})
        return
    running: MockForge = request.getfixturevalue("mockforge_session")
    running.use(_read(request.config, paths, running), seed)
    _use(request.node, running)
    yield running


@pytest.fixture
def make_mockforge(request: pytest.FixtureRequest) -> Iterator[Callable[..., MockForge]]:
    """Makes brokers of the test's own, each by one `make_mockforge("shop.yaml", mqtt=False)`."""
    from contextlib import ExitStack

    from mockforge_tui import MockForge

    with ExitStack() as stack:

        def make(*fixtures: str | Path, **settings: Any) -> MockForge:
            running = stack.enter_context(MockForge(*_paths(request, fixtures), **settings))
            _use(request.node, running)
            return running

        yield make


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """What the brokers saw is a part of a failing test's report."""
    report = yield
    if report.when in ("setup", "call") and report.failed:
        used: list[Any] = item.stash.get(_SESSION, [])
        for number, running in enumerate(used, 1):
            name = "mockforge journal" if number == 1 else f"mockforge journal {number}"
            report.sections.append((name, _journal(running)))
    return report


def _journal(running: MockForge) -> str:
    try:
        lines = running.journal(_JOURNAL)
    except Exception as error:  # a report must not fail for want of an appendix
        return f"not to be had: {error}"
    return "\n".join(lines) or "nothing happened"


def _use(item: pytest.Item, running: MockForge) -> None:
    item.stash.setdefault(_SESSION, []).append(running)


def _asked(item: pytest.Item) -> dict[str, Any]:
    """The arguments of all markers; what stands nearer to the test wins."""
    asked: dict[str, Any] = {}
    for marker in reversed(list(item.iter_markers("mockforge"))):
        if marker.args:
            pytest.fail(f"mockforge takes names: fixtures={marker.args[0]!r}", pytrace=False)
        asked |= marker.kwargs
    return asked


def _paths(request: pytest.FixtureRequest, fixtures: Any) -> list[Path]:
    """Paths as they stand in a test: from its folder, else from the root or where pytest runs."""
    several = (fixtures,) if isinstance(fixtures, str | Path) else tuple(fixtures)
    folders = (request.path.parent, request.config.rootpath, Path.cwd())
    found = []
    for path in several:
        places = [folder / path for folder in folders]
        found.append(next((place for place in places if place.exists()), Path(path)))
    return found


_FIXTURES = pytest.StashKey[dict[Any, Any]]()


def _read(config: pytest.Config, paths: list[Path], running: MockForge) -> FixtureSet | None:
    """Fixtures of files, read once as long as they do not change."""
    if not paths:
        return None
    from mockforge_tui.embedded.forge import read_all

    files = [file for path in paths for file in ([path] if path.is_file() else path.rglob("*"))]
    key = tuple(sorted((str(file), file.stat().st_mtime_ns) for file in files if file.is_file()))
    known = config.stash.setdefault(_FIXTURES, {})
    if (tuple(paths), key) not in known:
        known[tuple(paths), key] = read_all(paths, running.config)
    fixtures: FixtureSet = known[tuple(paths), key]
    return fixtures
