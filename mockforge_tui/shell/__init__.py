"""The line console: a prompt on a terminal, or one command after another from a pipe."""

from .run import run_shell

__all__ = ["run_shell"]
