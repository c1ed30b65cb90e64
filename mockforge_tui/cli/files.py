"""The commands that open no port: they read, check and write files."""

import os
from itertools import chain, islice
from pathlib import Path
from typing import Any

import click
from mockforge_brokers.errors import InvalidInput

from ..config import resolve
from ..exit_codes import ExitCode
from .options import SettingsCommand, loaded, resolved_of


@click.command()
def schema() -> int:
    """Print the JSON Schema of fixture files, for editors.

    With `# yaml-language-server: $schema=mockforge.schema.json` as a file's first line, an editor
    completes and checks it.
    """
    import json

    from ..fixtures.schema import FILE

    click.echo(json.dumps(FILE, indent=2))
    return ExitCode.OK


def _subjects(_: click.Context, __: click.Parameter, start: str) -> list[str]:
    from ..console.commands import REGISTRY
    from ..console.manual import pages

    subjects = {*pages(), *(name.partition(" ")[0] for name in REGISTRY.names)}
    return sorted(subject for subject in subjects if subject.startswith(start))


@click.command("help")
@click.argument("words", nargs=-1, metavar="[SUBJECT]...", shell_complete=_subjects)
def explain(words: tuple[str, ...]) -> int:
    """Explain a console command or show a page of the guide; without SUBJECT, list them."""
    from ..console.commands import REGISTRY
    from ..console.lookup import BadArgument
    from ..console.manual import explained

    try:
        found = explained(REGISTRY, words)
    except BadArgument as error:
        raise click.UsageError(str(error)) from None
    click.echo_via_pager(found.text)
    return ExitCode.OK


@click.command()
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]), metavar="SHELL")
def completion(shell: str) -> int:
    """Print what makes SHELL (bash, zsh, fish) complete commands and options.

    In ~/.bashrc: eval "$(mockforge-tui completion bash)".
    """
    from click.shell_completion import get_completion_class

    from .words import main

    kind = get_completion_class(shell)
    assert kind is not None
    click.echo(kind(main, {}, "mockforge-tui", "_MOCKFORGE_TUI_COMPLETE").source())
    return ExitCode.OK


@click.command()
@click.argument("folder", default=".", metavar="[DIR]")
def init(folder: str) -> int:
    """Begin a project: a fixture file with a scenario, and a test. Writes over nothing."""
    from .starter import begin

    for path in begin(Path(folder)):
        click.echo(f"wrote {path}")
    return ExitCode.OK


@click.command()
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
    from ..rehearsal import read_fixtures

    report = read_fixtures([Path(path) for path in paths], resolve({}, os.environ).config)
    click.echo(report.render(form))
    return ExitCode.BAD_INPUT if report.failed(strict=strict) else ExitCode.OK


@click.command("sample", cls=SettingsCommand)
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
    resolved = resolved_of(words)
    config, fixtures = loaded((*paths, *resolved.config.fixtures), resolved.config)
    if fixtures is None:
        raise click.UsageError("sample needs a PATH of fixtures")
    from .sampling import lines, sample

    found = sample(fixtures, config, count, only)
    first = list(islice(found, 1))  # what is refused leaves the file as it was
    try:
        out = click.open_file(output or "-", "wb", lazy=False)
    except OSError as error:
        raise InvalidInput(f"{output}: cannot be written: {error.strerror}") from None
    with out:
        for line in lines(chain(first, found), form):
            out.write(line)
    return ExitCode.OK


@click.command()
@click.option("--both-ways", is_flag=True, help="what the broker sent, too")
@click.option("--format", "form", type=click.Choice(["text", "json"]), default="text")
@click.argument("old", metavar="OLD")
@click.argument("new", metavar="NEW")
def diff(old: str, new: str, form: str, both_ways: bool) -> int:
    """Show what clients did differently in two recordings; opens no port.

    OLD and NEW are recordings, or traffic: export (FILTER) > FILE. The status is 1 where anything
    differs.
    """
    from ..console.commands.record import DIFFERENCE_COLUMNS
    from ..console.results import table_lines, to_json
    from ..differences import compare, conversations

    sides = []
    for path in (old, new):
        try:
            content = Path(path).read_bytes()
        except OSError as error:
            raise InvalidInput(f"{path}: {error.strerror}") from None
        sides.append(conversations(content, path, both_ways=both_ways))
    found = [each.as_record() for each in compare(*sides)]
    for line in (
        map(to_json, found) if form == "json" else table_lines(DIFFERENCE_COLUMNS, found, None)
    ):
        click.echo(line.rstrip())
    return ExitCode.EXPECTATION_FAILED if found else ExitCode.OK
