"""The command line: reads words and options, and starts the front end that they ask for."""

import errno
import os
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from difflib import get_close_matches
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
from mockforge_brokers import __version__
from mockforge_brokers.errors import InvalidInput

from .colours import page
from .config import Config, ConfigError, Resolved, resolve
from .config.setting import Setting
from .config.table import SETTINGS, has_option, parse_limit
from .exit_codes import ExitCode

if TYPE_CHECKING:
    from .fixtures.model import FixtureSet

_SHOWS = ("shop",)


class _Words(click.Group):
    """The first word that is a command wins; without one the words are fixture paths."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        at = _command_at(args, self.commands)
        if at is not None:
            args = [args[at], *args[:at], *args[at + 1 :]]
        elif not any(word in ("--help", "--version") for word in args):
            args = ["console", *args]
        return super().parse_args(ctx, args)


def _command_at(args: Sequence[str], commands: Mapping[str, click.Command]) -> int | None:
    with_value = {setting.flag for setting in SETTINGS if setting.takes_value} | {
        "--config",
        "--limit",
    }
    skip = False
    for at, word in enumerate(args):
        if word == "--":
            return None
        if skip:
            skip = False
        elif word.startswith("-"):
            skip = word in with_value
        elif word in commands:
            return at
    return None


def _setting_option(setting: Setting) -> Callable[[Any], Any]:
    def parse(ctx: click.Context, parameter: click.Parameter, value: Any) -> Any:
        if value is None or value == ():
            return None
        if not setting.takes_value:
            return not setting.negative
        try:
            if setting.many:
                return tuple(setting.parse(each) for each in value)
            return setting.parse(value)
        except ValueError as error:
            raise click.BadParameter(str(error)) from None

    shared: dict[str, Any] = {
        "callback": parse,
        "help": f"{setting.help} [{setting.variable}]",
        "default": None,
    }
    if setting.takes_value:
        return click.option(
            setting.flag, setting.name, metavar=setting.metavar, multiple=setting.many, **shared
        )
    return click.option(setting.flag, setting.name, is_flag=True, flag_value=True, **shared)


def _options(command: Callable[..., Any]) -> Callable[..., Any]:
    """All settings, `--config` and `--print-config`."""
    command = click.option(
        "--print-config", is_flag=True, help="print each setting with its origin, and end"
    )(command)
    command = click.option(
        "--config", metavar="FILE", help="config file (default: ./mockforge-tui.yaml if there)"
    )(command)
    command = click.option(
        "--limit",
        metavar="NAME=N",
        multiple=True,
        callback=_limits,
        help="set a limit; the command `limits` names all [MOCKFORGE_LIMIT_NAME]",
    )(command)
    for setting in reversed(SETTINGS):
        if has_option(setting):
            command = _setting_option(setting)(command)
    return command


def _limits(ctx: click.Context, parameter: click.Parameter, value: Any) -> dict[str, int]:
    try:
        return dict(parse_limit(text) for text in value)
    except ValueError as error:
        raise click.BadParameter(str(error)) from None


@click.group(cls=_Words, context_settings={"max_content_width": 100})
@click.version_option(__version__, prog_name="mockforge-tui")
def main() -> None:
    """Kafka, MQTT and AMQP brokers with a live console, for debugging their clients.

    Without a command: the console, with the fixtures at PATH loaded (none: empty brokers).
    `--headless` serves without a screen. `mockforge-tui console --help` lists all options.
    """


@main.command()
@_options
@click.option("--headless", is_flag=True, help="no screen: for CI and containers")
@click.argument("paths", nargs=-1, metavar="[PATH]...")
def console(paths: tuple[str, ...], headless: bool, **words: Any) -> int:
    """Brokers and full screen; the word may be left out."""
    _check_paths(paths)
    resolved = _resolve(words)
    fixtures = _load((*paths, *resolved.config.fixtures), resolved.config)
    return _front(resolved.config, fixtures, headless=headless)


@main.command()
@_options
@click.option("--headless", is_flag=True, help="no screen: for CI and containers")
@click.argument("name", type=click.Choice(_SHOWS), default=_SHOWS[0])
def demo(name: str, headless: bool, **words: Any) -> int:
    """A show with no files: orders, sensors, notifications."""
    resolved = _resolve(words)
    fixtures = _load((str(_fixtures_folder() / name),), resolved.config)
    return _front(resolved.config, fixtures, headless=headless, next_free=True)


@main.command()
@_options
@click.argument("paths", nargs=-1, metavar="[PATH]...")
def shell(paths: tuple[str, ...], **words: Any) -> int:
    """The console line by line; reads a pipe too.

    From a pipe or a file the first line that fails ends it with status 2, and into a pipe each
    result is one JSON object a line.
    """
    resolved = _resolve(words)
    fixtures = _load((*paths, *resolved.config.fixtures), resolved.config)
    return _run(lambda: _line_shell(resolved.config, fixtures), resolved.config)


@main.command()
def schema() -> int:
    """Print the JSON Schema of fixture files, for editors.

    With `# yaml-language-server: $schema=mockforge.schema.json` as a file's first line, an editor
    completes and checks it.
    """
    import json

    from .fixtures.schema import FILE

    click.echo(json.dumps(FILE, indent=2))
    return ExitCode.OK


@main.command()
@click.argument("folder", default=".", metavar="[DIR]")
def init(folder: str) -> int:
    """Begin a project: a fixture file with a scenario, and a test. Writes over nothing."""
    from .starter import begin

    for path in begin(Path(folder)):
        click.echo(f"wrote {path}")
    return ExitCode.OK


@main.command("run")
@_options
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
    resolved = _resolve(words)
    fixtures = _load((*paths, *resolved.config.fixtures), resolved.config)
    from .scenario_run import run_suite
    from .suite import chosen

    scenarios = chosen(fixtures, only)
    config = _seeded(resolved.config, fixtures)
    return _run(lambda: run_suite(config, fixtures, scenarios, apps, _say), config)


@main.command()
@click.option("--strict", is_flag=True, help="warnings count as errors")
@click.option(
    "--format",
    "form",
    type=click.Choice(["text", "json", "github", "sarif"]),
    default="text",
    show_default=True,
    help="github: annotations for a workflow's log; sarif: for code scanning",
)
@click.argument("paths", nargs=-1, required=True, metavar="PATH...")
def check(paths: tuple[str, ...], form: str, strict: bool) -> int:
    """Validate fixtures; opens no port."""
    from .rehearsal import read_fixtures

    report = read_fixtures([Path(path) for path in paths], resolve({}, os.environ).config)
    click.echo(report.render(form))
    return ExitCode.BAD_INPUT if report.failed(strict=strict) else ExitCode.OK


@main.command("sample")
@_options
@click.option("-n", "--count", default=10, show_default=True, type=click.IntRange(1), metavar="N")
@click.option("--only", metavar="ID", multiple=True, help="only this fixture; several times")
@click.option(
    "--format",
    "form",
    type=click.Choice(["text", "jsonl", "csv", "raw", "hex", "recording"]),
    default="text",
    show_default=True,
    help="all but text as the console's export writes them",
)
@click.option("-o", "--output", metavar="FILE", help="write to FILE")
@click.argument("paths", nargs=-1, metavar="PATH...")
def sample_messages(
    paths: tuple[str, ...],
    count: int,
    only: tuple[str, ...],
    form: str,
    output: str | None,
    **words: Any,
) -> int:
    """Print the messages that fixtures would make; opens no port, waits for nothing.

    At their rates, with what reactions and scenarios by weight make of them; `--seed` gives the
    same ones again.
    """
    resolved = _resolve(words)
    fixtures = _load((*paths, *resolved.config.fixtures), resolved.config)
    if fixtures is None:
        raise click.UsageError("sample needs a PATH of fixtures")
    from .sampling import lines, sample

    made = lines(sample(fixtures, _seeded(resolved.config, fixtures), count, only), form)
    with click.open_file(output or "-", "wb", lazy=False) as out:
        for line in made:
            out.write(line)
    return ExitCode.OK


def _attached(command: Callable[..., Any]) -> Callable[..., Any]:
    """Which other instance, and how to be let in."""
    command = click.option(
        "--token",
        metavar="TEXT",
        envvar="MOCKFORGE_ADMIN_TOKEN",
        help="the instance's --admin-token [MOCKFORGE_ADMIN_TOKEN]",
    )(command)
    return click.option(
        "--attach",
        metavar="URL",
        envvar="MOCKFORGE_URL",
        default="http://127.0.0.1:9080/__mockforge",
        show_default=True,
        help="the instance's admin address [MOCKFORGE_URL]",
    )(command)


@main.command()
@_attached
@click.option(
    "--timeout", default="30s", show_default=True, metavar="TIME", help="how long for readiness"
)
@click.option("--json", "as_json", is_flag=True, help="print the result as JSON")
@click.argument("words", nargs=-1, metavar="[TARGET [FILTER]...]")
def wait(
    words: tuple[str, ...], attach: str, token: str | None, timeout: str, *, as_json: bool
) -> int:
    """Wait until another instance is ready, or until a message came there.

    `wait` alone is for readiness; `wait kafka:orders key:o-1` for a message, with the options of
    the console's `expect` behind a --: `wait -- kafka:orders --count 3 --within 10s`. Status 1: it
    did not come; 5: the instance was not ready in time.
    """
    from .remote import run, wait_until_ready
    from .units import parse_duration

    try:
        seconds = parse_duration(timeout)
    except ValueError as error:
        raise click.UsageError(f"--timeout: {error}") from None
    status = wait_until_ready(attach, token, seconds)
    if status != ExitCode.OK or not words:
        return status
    return run(f"expect {' '.join(words)}", attach, token, as_json=as_json)


@main.command()
@_attached
@click.option("--json", "as_json", is_flag=True, help="print the result as JSON")
@click.argument("words", nargs=-1, required=True, metavar="TARGET [FILTER]...")
def verify(words: tuple[str, ...], attach: str, token: str | None, as_json: bool) -> int:
    """See at once whether messages came to another instance.

    `verify kafka:orders key:o-1`, `verify none kafka:dlq`, `verify group billing`; options of the
    console's `expect` stand behind a --: `verify -- kafka:orders --count 3`. Status 1: no.
    """
    from .remote import run

    return run(f"expect {' '.join(words)} --within 0s", attach, token, as_json=as_json)


@main.command()
@_attached
@click.option("--json", "as_json", is_flag=True, help="print the result as JSON")
@click.argument("line", metavar="COMMAND")
def do(line: str, attach: str, token: str | None, as_json: bool) -> int:
    """Run one console command in another instance."""
    from .remote import run

    return run(line, attach, token, as_json=as_json)


def _resolve(words: dict[str, Any]) -> Resolved:
    """The config of these options; prints it and ends for `--print-config`."""
    file = words.pop("config")
    show = words.pop("print_config")
    limits = words.pop("limit")
    given = {name: value for name, value in words.items() if value is not None} | limits
    resolved = resolve(given, os.environ, file)
    for warning in resolved.warnings:
        print(f"warning: {warning}", file=sys.stderr)
    if show:
        for line in resolved.lines():
            click.echo(line)
        raise click.exceptions.Exit(ExitCode.OK)
    return resolved


def _check_paths(paths: Sequence[str]) -> None:
    """A word that is no file looks like a command that there is not. Raises UsageError."""
    for path in paths:
        if path.replace("-", "").replace("_", "").isalpha() and not Path(path).exists():
            close = get_close_matches(path, main.commands, 1)
            hint = f"did you mean {close[0]}?" if close else "mockforge-tui --help lists commands"
            raise click.UsageError(f"no command, file or folder is called {path}; {hint}")


def _load(paths: Sequence[str], config: Config) -> "FixtureSet | None":
    if not paths:
        return None
    from .rehearsal import read_fixtures

    report = read_fixtures([Path(path) for path in paths], config)
    for problem in report.problems:
        print(f"{problem.severity}: {problem}", file=sys.stderr)
    if report.errors:
        raise click.exceptions.Exit(ExitCode.BAD_INPUT)
    return report.fixtures


def _fixtures_folder() -> Path:
    """The checkout's live folder, or what the wheel brought along."""
    here = Path(__file__).resolve().parent
    packed = here / "_fixtures"
    return packed if packed.is_dir() else here.parent / "fixtures"


def _seeded(config: Config, fixtures: "FixtureSet | None") -> Config:
    """With the seed of the fixtures, where nobody gave another."""
    if config.seed is None and fixtures is not None and fixtures.seed is not None:
        return replace(config, seed=fixtures.seed)
    return config


def _say(text: str) -> None:
    """A report's line or lines on standard output."""
    click.echo(page(text, sys.stdout), color=True)


def _front(
    config: Config, fixtures: "FixtureSet | None", *, headless: bool, next_free: bool = False
) -> int:
    config = _seeded(config, fixtures)
    if not headless and not sys.stdout.isatty():
        print("standard output is not a terminal: running as with --headless", file=sys.stderr)
        headless = True
    if headless:
        from .headless import serve

        return _run(lambda: serve(config, fixtures, next_free=next_free), config)
    return _run(lambda: _screen(config, fixtures, next_free), config, screen=True)


async def _screen(config: Config, fixtures: "FixtureSet | None", next_free: bool) -> int:
    from .instance import running, written
    from .shell import run_shell
    from .tui.app import run_screen

    async with running(config, fixtures, next_free=next_free) as instance:
        facts = instance.facts()
        with written(config, facts):
            instance.load(facts)
            return await run_screen(instance.runtime, fall_back=run_shell)


async def _line_shell(config: Config, fixtures: "FixtureSet | None") -> int:
    from .instance import running, written
    from .shell import run_shell

    async with running(config, fixtures) as instance:
        facts = instance.facts()
        with written(config, facts):
            instance.load(facts)
            return await run_shell(instance.runtime)


def _run(serve: Callable[[], Any], config: Config, *, screen: bool = False) -> int:
    import asyncio

    from .logs import set_up
    from .loops import loop_factory
    from .runtime import CannotListen

    set_up(config.log_level, config.log_format, screen=screen)
    try:
        with asyncio.Runner(loop_factory=loop_factory()) as runner:
            return int(runner.run(serve()))
    except CannotListen as error:
        print(f"error: {error}", file=sys.stderr)
        return ExitCode.CANNOT_LISTEN


def run(arguments: Sequence[str]) -> int:
    """Run one command line; returns the exit status."""
    try:
        return main.main(list(arguments), prog_name="mockforge-tui", standalone_mode=False) or 0
    except click.exceptions.Exit as end:
        return end.exit_code
    except click.ClickException as error:
        error.show()
        return ExitCode.USAGE
    except (click.Abort, KeyboardInterrupt):
        return ExitCode.INTERRUPTED
    except ConfigError as error:
        print(f"error: {error}", file=sys.stderr)
        return ExitCode.BAD_INPUT
    except InvalidInput as error:
        print(f"error: {error}", file=sys.stderr)
        return ExitCode.BAD_INPUT
    except (BrokenPipeError, SystemExit):
        # Who reads our output went away; click tells the second so.
        return ExitCode.OK
    except Exception as error:
        if isinstance(error, OSError) and error.errno == errno.ENOSPC:
            print(f"error: {error.strerror}", file=sys.stderr)
            return ExitCode.BAD_INPUT
        import traceback

        traceback.print_exc()
        print("error: this is a bug of mockforge-tui, not of yours", file=sys.stderr)
        return ExitCode.BUG
