"""The commands that ask another instance, over its admin port."""

from collections.abc import Callable
from typing import Any

import click

from ..exit_codes import ExitCode


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


@click.command()
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
    from ..remote import run, wait_until_ready
    from ..units import parse_duration

    try:
        seconds = parse_duration(timeout)
    except ValueError as error:
        raise click.UsageError(f"--timeout: {error}") from None
    status = wait_until_ready(attach, token, seconds)
    if status != ExitCode.OK or not words:
        return status
    return run(f"expect {' '.join(words)}", attach, token, as_json=as_json)


@click.command()
@_attached
@click.option("--json", "as_json", is_flag=True, help="print the result as JSON")
@click.argument("words", nargs=-1, required=True, metavar="TARGET [FILTER]...")
def verify(words: tuple[str, ...], attach: str, token: str | None, as_json: bool) -> int:
    """See at once whether messages came to another instance.

    `verify kafka:orders key:o-1`, `verify none kafka:dlq`, `verify group billing`; options of the
    console's `expect` stand behind a --: `verify -- kafka:orders --count 3`. Status 1: no.
    """
    from ..remote import run

    return run(f"expect {' '.join(words)} --within 0s", attach, token, as_json=as_json)


@click.command()
@_attached
@click.option("--json", "as_json", is_flag=True, help="print the result as JSON")
@click.argument("line", metavar="COMMAND")
def do(line: str, attach: str, token: str | None, as_json: bool) -> int:
    """Run one console command in another instance."""
    from ..remote import run

    return run(line, attach, token, as_json=as_json)


@click.command()
@_attached
@click.option(
    "--speed",
    default="1",
    show_default=True,
    metavar="X",
    help="1 is as it was, 10 ten times as fast, max without waiting",
)
@click.argument("file", type=click.Path(exists=True, dir_okay=False), metavar="FILE")
def replay(file: str, attach: str, token: str | None, speed: str) -> int:
    """Publish the messages of a recording (or of `kcat -J`) in another instance."""
    from ..remote import replay as replay_there

    return replay_there(file, speed, attach, token)
