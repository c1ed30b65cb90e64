"""In whose name what is declared changes: RabbitMQ's `user_who_performed_action`."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

CLI: Final = "rmq-cli"
"""RabbitMQ's name for its command line; here prompt and fixtures."""
NOBODY: Final = "rmq-internal"
"""Nobody asked for it: what expired, or went with something else."""


class Acting:
    """Shared by all of a broker; `user` is read while a change is made, never later.

    It goes beside the calls, not through them: whoever lets somebody in says once who that is, and
    only what listens to changes wants to know.
    """

    __slots__ = ("user",)

    def __init__(self) -> None:
        self.user = CLI

    @contextmanager
    def in_name_of(self, user: str) -> Iterator[None]:
        before, self.user = self.user, user
        try:
            yield
        finally:
            self.user = before
