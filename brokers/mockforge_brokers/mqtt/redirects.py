"""Clients that are sent to another server (MQTT 5, 4.11): those who are here, and who comes."""

from fnmatch import fnmatchcase

from msgspec import Struct

from .codes import Reason
from .handshake import Refused


class Redirect(Struct, frozen=True):
    """`clients` is a glob of client identifiers; `moved`: they are to stay there (0x9D)."""

    number: int
    clients: str
    server: str
    moved: bool

    @property
    def code(self) -> Reason:
        return Reason.SERVER_MOVED if self.moved else Reason.USE_ANOTHER_SERVER

    @property
    def text(self) -> str:
        return f"{'from now on ' if self.moved else ''}use {self.server}"


class SentElsewhere(Refused):
    """A CONNECT of a client that is to use `server`."""

    def __init__(self, redirect: Redirect) -> None:
        super().__init__(redirect.text, redirect.code)
        self.server = redirect.server


class Redirects:
    """In the order in which they were added; the first that names a client counts."""

    def __init__(self) -> None:
        self.active: dict[int, Redirect] = {}
        self._last = 0

    def add(self, clients: str, server: str, *, moved: bool) -> Redirect:
        self._last += 1
        redirect = self.active[self._last] = Redirect(self._last, clients, server, moved)
        return redirect

    def check(self, client: str) -> None:
        """Raise SentElsewhere for a client that is to go."""
        for redirect in self.active.values():
            if fnmatchcase(client, redirect.clients):
                raise SentElsewhere(redirect)
