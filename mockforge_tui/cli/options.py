"""The options that settings make, and what a command gets from them: config and fixtures."""

import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import click

from ..config import Config, Resolved, resolve
from ..config.setting import Setting
from ..config.table import SETTINGS, has_option, parse_limit
from ..exit_codes import ExitCode

if TYPE_CHECKING:
    from ..fixtures.model import FixtureSet


_GIVEN: Final = f"{__name__}.given"
_SETTINGS: Final = {each.flag: each for each in SETTINGS if has_option(each)}


def _limits(ctx: click.Context, parameter: click.Parameter, value: Any) -> dict[str, int]:
    try:
        return dict(parse_limit(text) for text in value)
    except ValueError as error:
        raise click.BadParameter(str(error)) from None


_BESIDE: Final = (
    click.Option(
        ["--limit"],
        metavar="NAME=N",
        multiple=True,
        callback=_limits,
        help="set a limit; the command `limits` names all [MOCKFORGE_LIMIT_NAME]",
    ),
    click.Option(
        ["--config"],
        metavar="FILE",
        help="config file (default: ./mockforge-tui.yaml if there)",
    ),
    click.Option(
        ["--print-config"], is_flag=True, help="print each setting with its origin, and end"
    ),
)


class SettingsCommand(click.Command):
    """A command with the options of the settings before its own."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        # More than a hundred options take as long to make and to look through as a broker. Where
        # a word is none of them, all are there to be listed or to be the nearest one.
        given = {word.partition("=")[0] for word in args if word.startswith("-")}
        others = {flag for each in (*_BESIDE, *self.params) for flag in each.opts}
        if not ctx.resilient_parsing and given <= others | _SETTINGS.keys():
            ctx.meta[_GIVEN] = given
        return super().parse_args(ctx, args)

    def get_params(self, ctx: click.Context) -> list[click.Parameter]:
        given = ctx.meta.get(_GIVEN, _SETTINGS)
        made = [_option_of(each) for flag, each in _SETTINGS.items() if flag in given]
        return [*made, *_BESIDE, *super().get_params(ctx)]


def _option_of(setting: Setting) -> click.Option:
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
        shared |= {"metavar": setting.metavar, "multiple": setting.many}
    else:
        shared |= {"is_flag": True, "flag_value": True}
    return click.Option([setting.flag, setting.name], **shared)


def resolved_of(words: dict[str, Any]) -> Resolved:
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


def load(paths: Sequence[str], config: Config) -> "FixtureSet | None":
    if not paths:
        return None
    from ..rehearsal import read_fixtures

    report = read_fixtures([Path(path) for path in paths], config)
    for problem in report.problems:
        print(f"{problem.severity}: {problem}", file=sys.stderr)
    if report.errors:
        raise click.exceptions.Exit(ExitCode.BAD_INPUT)
    return report.fixtures


def loaded(paths: Sequence[str], config: Config) -> "tuple[Config, FixtureSet | None]":
    """The fixtures, and the config with what they set."""
    fixtures = load(paths, config)
    return (config, None) if fixtures is None else (fixtures.complete(config), fixtures)
