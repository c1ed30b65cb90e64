"""`mockforge-tui doctor`: looks at this machine before something fails on it."""

import sys
from typing import Any

import click

from ..colours import page
from .options import SettingsCommand, resolved_of


@click.command(cls=SettingsCommand)
@click.option(
    "--format",
    "form",
    type=click.Choice(["text", "json"]),
    default="text",
    show_default=True,
    help="json: for programs",
)
@click.argument("paths", nargs=-1, metavar="[PATH]...")
def doctor(paths: tuple[str, ...], form: str, **words: Any) -> int:
    """See whether a start with these options and paths would work here, and what to change.

    Python and packages, the terminal, files that are read and written, ports and who holds them,
    localhost. Status as a start's: 3, a file or package cannot be used; 4, a port is taken.
    """
    from ..doctor import diagnose, rendered, status_of

    config = resolved_of(words).config
    findings = diagnose(config, (*paths, *config.fixtures))
    text = rendered(findings, form)
    click.echo(page(text, sys.stdout) if form == "text" else text, color=True)
    return status_of(findings)
