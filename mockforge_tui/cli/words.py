"""The words of a command line: which of them is the command, and where no command is meant."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import click
from mockforge_brokers import __version__

from ..config.table import SETTINGS
from ..nearest import get_close_matches


class _Words(click.Group):
    """The first word that is a command wins; without one the words are fixture paths."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        if ctx.resilient_parsing and not args:
            # A shell completes the first word: commands are offered, too.
            return super().parse_args(ctx, args)
        at = _command_at(args, self.commands)
        if at is not None:
            args = [args[at], *args[:at], *args[at + 1 :]]
        elif args[:1] != ["--help"] and "--version" not in args:
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


@click.group(cls=_Words, context_settings={"max_content_width": 100})
@click.version_option(__version__, prog_name="mockforge-tui")
def main() -> None:
    """Kafka, MQTT and AMQP brokers with a live console, for debugging their clients.

    Without a command: the console, with the fixtures at PATH loaded (none: empty brokers).
    `--headless` serves without a screen. `mockforge-tui console --help` lists all options.
    """


def check_paths(paths: Sequence[str]) -> None:
    """A word that is no file looks like a command that there is not. Raises UsageError."""
    for path in paths:
        if path.replace("-", "").replace("_", "").isalpha() and not Path(path).exists():
            close = get_close_matches(path, main.commands, 1)
            hint = f"did you mean {close[0]}?" if close else "mockforge-tui --help lists commands"
            raise click.UsageError(f"no command, file or folder is called {path}; {hint}")
