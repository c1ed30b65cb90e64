"""The commands that open ports: with a screen, without one, line by line, or for scenarios."""

import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from ..colours import page
from ..config import Config
from ..exit_codes import ExitCode
from ..state_folder import unkept
from .options import SettingsCommand, loaded, resolved_of
from .words import check_paths

if TYPE_CHECKING:
    from ..fixtures.model import FixtureSet

_SHOWS = ("shop", "iot", "rpc", "chaos")


@click.command(cls=SettingsCommand)
@click.option("--headless", is_flag=True, help="no screen: for CI and containers")
@click.argument("paths", nargs=-1, metavar="[PATH]...")
def console(paths: tuple[str, ...], headless: bool, **words: Any) -> int:
    """Brokers and full screen; the word may be left out."""
    check_paths(paths)
    resolved = resolved_of(words)
    config, fixtures = loaded((*paths, *resolved.config.fixtures), resolved.config)
    return _front(config, fixtures, headless=headless)


@click.command(cls=SettingsCommand)
@click.option("--headless", is_flag=True, help="no screen: for CI and containers")
@click.argument("name", type=click.Choice(_SHOWS), default=_SHOWS[0])
def demo(name: str, headless: bool, **words: Any) -> int:
    """A show with no files: shop, iot, rpc or chaos.

    Orders, sensors and notifications; a plant of sensors with alarms; request and reply on each
    protocol; brokers that misbehave.
    """
    # A project's config is not about the show; what is given beside it is.
    beside = words.get("fixtures") or ()
    resolved = resolved_of(words)
    config, fixtures = loaded((str(_fixtures_folder() / name), *beside), resolved.config)
    return _front(config, fixtures, headless=headless, next_free=True)


@click.command(cls=SettingsCommand)
@click.option("--attach", metavar="URL", help="no brokers here: run each line in that instance")
@click.option(
    "--token",
    metavar="TEXT",
    envvar="MOCKFORGE_ADMIN_TOKEN",
    help="with --attach: the instance's --admin-token [MOCKFORGE_ADMIN_TOKEN]",
)
@click.argument("paths", nargs=-1, metavar="[PATH]...")
def shell(paths: tuple[str, ...], attach: str | None, token: str | None, **words: Any) -> int:
    """The console line by line; reads a pipe too.

    From a pipe or a file the first line that fails ends it with status 2, and into a pipe each
    result is one JSON object a line. With --attach the lines run in an instance that is there.
    """
    if attach is not None:
        if paths:
            raise click.UsageError("with --attach no PATH is loaded: start that instance with it")
        from ..shell.attached import run_attached

        return run_attached(attach, token)
    resolved = resolved_of(words)
    config, fixtures = loaded((*paths, *resolved.config.fixtures), resolved.config)
    return _run(lambda: _line_shell(config, fixtures), config)


@click.command("run", cls=SettingsCommand)
@click.option("--only", metavar="NAME", multiple=True, help="only this scenario; several times")
@click.option(
    "--app",
    "apps",
    metavar="COMMAND",
    multiple=True,
    help="start this program beside it, with KAFKA_BOOTSTRAP_SERVERS, MQTT_URL, AMQP_URL, ...",
)
@click.argument("paths", nargs=-1, metavar="PATH...")
def run_scenarios(
    paths: tuple[str, ...], only: tuple[str, ...], apps: tuple[str, ...], **words: Any
) -> int:
    """Start brokers, run the scenarios of the files, report, end.

    Status 0: all passed; 1: an expectation was not met; 3: a step cannot be done; 5: a scenario
    took longer than its timeout.
    """
    resolved = resolved_of(words)
    config, fixtures = loaded((*paths, *resolved.config.fixtures), resolved.config)
    from ..suite import chosen
    from .scenario_run import run_suite

    scenarios = chosen(fixtures, only)
    return _run(lambda: run_suite(config, fixtures, scenarios, apps, _say), config)


@click.command("record", cls=SettingsCommand)
@click.argument("file", metavar="FILE")
@click.argument("paths", nargs=-1, metavar="[PATH]...")
def record_to(file: str, paths: tuple[str, ...], **words: Any) -> int:
    """Brokers without a screen that record all messages to FILE: --headless --record FILE."""
    check_paths(paths)
    resolved = resolved_of({**words, "record": file})
    config, fixtures = loaded((*paths, *resolved.config.fixtures), resolved.config)
    return _front(config, fixtures, headless=True)


def _fixtures_folder() -> Path:
    """The checkout's live folder, or what the wheel brought along."""
    here = Path(__file__).resolve().parents[1]
    packed = here / "_fixtures"
    return packed if packed.is_dir() else here.parent / "fixtures"


def _say(text: str) -> None:
    """A report's line or lines on standard output."""
    click.echo(page(text, sys.stdout), color=True)


def _front(
    config: Config, fixtures: "FixtureSet | None", *, headless: bool, next_free: bool = False
) -> int:
    if not headless and not sys.stdout.isatty():
        print("standard output is not a terminal: running as with --headless", file=sys.stderr)
        headless = True
    if headless:
        from ..headless import serve

        return _run(lambda: serve(config, fixtures, next_free=next_free), config)
    return _run(lambda: _screen(config, fixtures, next_free), config, screen=True)


async def _screen(config: Config, fixtures: "FixtureSet | None", next_free: bool) -> int:
    from ..instance import running, written
    from ..shell import run_shell
    from ..tui.app import run_screen

    async with running(config, fixtures, next_free=next_free) as instance:
        instance.runtime.notices += filter(None, [unkept("history", "console.log")])
        facts = instance.facts()
        with written(config, facts):
            instance.load(facts)
            return await run_screen(
                instance.runtime,
                fall_back=run_shell,
                ascii_only=config.ascii_only or None,
                theme=config.theme,
            )


async def _line_shell(config: Config, fixtures: "FixtureSet | None") -> int:
    from ..instance import running, written
    from ..shell import run_shell

    async with running(config, fixtures) as instance:
        facts = instance.facts()
        with written(config, facts):
            instance.load(facts)
            return await run_shell(instance.runtime)


def _run(serve: Callable[[], Any], config: Config, *, screen: bool = False) -> int:
    import asyncio

    from ..listeners import CannotListen
    from ..logs import set_up
    from ..loops import loop_factory

    set_up(config.log_level, config.log_format, screen=screen)
    try:
        with asyncio.Runner(loop_factory=loop_factory()) as runner:
            return int(runner.run(serve()))
    except CannotListen as error:
        print(f"error: {error}", file=sys.stderr)
        return ExitCode.CANNOT_LISTEN
