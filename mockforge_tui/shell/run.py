"""Runs the line console on a runtime, as standard input and output ask for."""

import asyncio
import contextlib
import signal
import sys

from ..console.session import Session
from ..exit_codes import ExitCode
from ..runtime import Runtime
from ..state_folder import unkept
from .batch import Batch, standard_input


async def run_shell(runtime: Runtime) -> int:
    """Read lines until the input ends, `quit`, or a signal; returns the exit status."""
    stop = asyncio.Event()
    on_terminal = sys.stdin.isatty() and sys.stdout.isatty()
    # At a prompt, Ctrl-C is a key.
    signals = [signal.SIGTERM] if on_terminal else [signal.SIGTERM, signal.SIGINT]
    loop = asyncio.get_running_loop()
    for number in signals:
        with contextlib.suppress(NotImplementedError):  # Windows' loops have no signals
            loop.add_signal_handler(number, stop.set)
    _announce(runtime, on_terminal=on_terminal)
    session = Session(runtime, files=True)
    try:
        if on_terminal:
            # prompt-toolkit takes a tenth of a second to import, and a pipe needs none of it.
            from .prompt import Prompt

            return await Prompt(session).run(stop)
        batch = Batch(session, sys.stdout, sys.stderr, as_json=not sys.stdout.isatty())
        return await batch.run(standard_input(), stop)
    except BrokenPipeError:
        return ExitCode.OK
    finally:
        session.close()


def _announce(runtime: Runtime, *, on_terminal: bool) -> None:
    places = [
        f"{each.service} {runtime.brokers[each.protocol].address(each)}"
        for each in runtime.listeners
    ]
    missing = unkept("history") if on_terminal else ""
    for line in (*runtime.notices, *filter(None, [missing]), "   ".join(places)):
        sys.stderr.write(f"{line}\n")
    sys.stderr.flush()
