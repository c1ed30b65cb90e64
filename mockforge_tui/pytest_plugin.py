"""pytest fixtures: brokers for tests, reset before each one.

Every pytest on the machine imports this module, so it imports nothing but pytest; the brokers
come with the first test that asks for them.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Generator, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from mockforge_tui.embedded.base import Forge

_MARKER = (
    "mockforge(*, fixtures=None, seed=None, snapshot=None, fresh=False, **settings): "
    "what the brokers of this test are like; with fresh or settings they are the test's own, "
    "on ports of their own"
)
_SESSION = pytest.StashKey[list[Any]]()
"""Running brokers that a test uses, for its report."""
_JOURNAL = 50


def pytest_addoption(parser: pytest.Parser) -> None:
    group = parser.getgroup("mockforge", "Kafka, MQTT and AMQP brokers")
    group.addoption(
        "--mockforge-mode",
        choices=("inside", "process", "attach"),
        default="inside",
        help="where the brokers run: in this process, in one of their own, or where"
        " --mockforge-url says",
    )
    group.addoption(
        "--mockforge-url",
        metavar="URL",
        default=os.environ.get("MOCKFORGE_URL"),
        help="the admin address of the instance to attach to [MOCKFORGE_URL]",
    )


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", _MARKER)


@pytest.fixture(scope="session")
def mockforge_settings() -> dict[str, Any]:
    """Settings of the session's brokers, as `MockForge` takes them; override it to have others."""
    return {}


@pytest.fixture(scope="session")
def mockforge_session(
    request: pytest.FixtureRequest, mockforge_settings: dict[str, Any]
) -> Iterator[Forge]:
    """Brokers for the whole session (of this xdist worker), never reset by themselves."""
    if request.config.getoption("--mockforge-mode") == "attach":
        yield from _attached(request.config)
        return
    with _maker(request.config)(**mockforge_settings) as running:
        yield running


@pytest.fixture
def mockforge(request: pytest.FixtureRequest) -> Iterator[Forge]:
    """Kafka, MQTT and AMQP on free ports of 127.0.0.1, as empty as after a start.

    `@pytest.mark.mockforge(fixtures="fixtures/shop.yaml", seed=42)` loads files or folders,
    relative to the test's own folder or to pytest's root; `snapshot="seeded"` goes back to what
    `mockforge_session.snapshot("seeded")` kept. The brokers stay the same for all tests
    and are reset before each; `fresh=True` or any setting gives the test its own.
    """
    asked = _asked(request.node)
    fixtures, seed = asked.pop("fixtures", ()), asked.pop("seed", None)
    fresh, snapshot = asked.pop("fresh", False), asked.pop("snapshot", None)
    if snapshot is not None and (fixtures or seed is not None or fresh or asked):
        pytest.fail("mockforge(snapshot=...) goes with nothing else", pytrace=False)
    paths = _paths(request, fixtures)
    if fresh or asked:
        make: Callable[..., Forge] = request.getfixturevalue("make_mockforge")
        session: dict[str, Any] = request.getfixturevalue("mockforge_settings")
        seeded = {} if seed is None else {"seed": seed}
        yield make(*paths, **{**session, **seeded, **asked})
        return
    running: Forge = request.getfixturevalue("mockforge_session")
    if snapshot is None:
        running.renew(paths, seed)
    else:
        running.reset(to=snapshot)
    _use(request.node, running)
    yield running


@pytest.fixture
def make_mockforge(request: pytest.FixtureRequest) -> Iterator[Callable[..., Forge]]:
    """Makes brokers of the test's own, each by one `make_mockforge("shop.yaml", mqtt=False)`."""
    from contextlib import ExitStack

    new = _maker(request.config)
    with ExitStack() as stack:

        def make(*fixtures: str | Path, **settings: Any) -> Forge:
            running: Forge = stack.enter_context(new(*_paths(request, fixtures), **settings))
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


def _maker(config: pytest.Config) -> Callable[..., Any]:
    """What makes brokers of one's own."""
    if config.getoption("--mockforge-mode") == "process":
        from mockforge_tui.embedded.remote import ProcessForge

        return ProcessForge
    from mockforge_tui import MockForge

    return MockForge


def _attached(config: pytest.Config) -> Iterator[Forge]:
    """The instance that runs already. One cannot be reset for several workers."""
    from mockforge_tui.embedded.remote import RemoteForge

    url = config.getoption("--mockforge-url")
    if not url:
        pytest.fail("--mockforge-mode=attach needs --mockforge-url or MOCKFORGE_URL", pytrace=False)
    if hasattr(config, "workerinput"):
        pytest.fail("xdist's workers would reset one instance under each other", pytrace=False)
    running = RemoteForge(url, os.environ.get("MOCKFORGE_ADMIN_TOKEN"))
    try:
        yield running
    finally:
        running.close()


def _journal(running: Forge) -> str:
    try:
        lines = running.journal(_JOURNAL)
    except Exception as error:  # a report must not fail for want of an appendix
        return f"not to be had: {error}"
    return "\n".join(lines) or "nothing happened"


def _use(item: pytest.Item, running: Forge) -> None:
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
