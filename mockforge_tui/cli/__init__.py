"""The command line: reads words and options, and starts the front end that they ask for."""

import errno
import sys
from collections.abc import Sequence

import click
from mockforge_brokers.errors import InvalidInput

from ..exit_codes import ExitCode
from .diagnosis import doctor
from .files import check, completion, diff, explain, init, sample_messages, schema
from .remote_commands import do, replay, verify, wait
from .serving import console, demo, record_to, run_scenarios, shell
from .words import main

_COMMANDS = (
    *(console, demo, shell, run_scenarios, record_to),
    *(check, diff, sample_messages, schema, init, explain, completion, doctor),
    *(wait, verify, do, replay),
)
for _command in _COMMANDS:
    main.add_command(_command)


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
    except InvalidInput as error:
        print(f"error: {error}", file=sys.stderr)
        return ExitCode.BAD_INPUT
    except (BrokenPipeError, SystemExit):
        # Who reads our output went away; click raises the second.
        return ExitCode.OK
    except Exception as error:
        if isinstance(error, OSError) and error.errno == errno.ENOSPC:
            print(f"error: {error.strerror}", file=sys.stderr)
            return ExitCode.BAD_INPUT
        import traceback

        traceback.print_exc()
        print("error: this is a bug of mockforge-tui, not of yours", file=sys.stderr)
        return ExitCode.BUG
