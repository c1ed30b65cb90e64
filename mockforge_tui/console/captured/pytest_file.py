"""What clients of one protocol did, as a test that does it again: a bug that was seen, pinned.

A statement for what a client did and for each message that it got, in their order; what the broker
answers is waited for. Written line by line: a test's body may end anywhere.
"""

from collections.abc import Callable, Iterable, Mapping
from typing import Final, Protocol

from mockforge_brokers.journal import Row

from . import amqp, kafka, mqtt


class Captured(Protocol):
    """The statements of one protocol's rows, and what stands above them."""

    head: str

    def lines(self, row: Row) -> Iterable[str]: ...

    def rest(self) -> Iterable[str]:
        """What it still has to say when there are no more rows."""
        ...


_CAPTURED: Final[Mapping[str, Callable[[], Captured]]] = {
    module.__name__.rpartition(".")[2]: module.Captured for module in (kafka, mqtt, amqp)
}


class PytestFile:
    """The form: a test's lines for each row, the first ones with all that stands above them.

    A test has the clients of one protocol, that of the first row.
    """

    def __init__(self) -> None:
        self._of: dict[str, Captured] = {}
        self._protocol = ""
        self._left_out: set[str] = set()

    def __call__(self, row: Row) -> bytes:
        protocol = row.protocol
        if row.kind == "event" or protocol not in _CAPTURED:
            return b""
        captured = self._of.get(protocol)
        if captured is None:
            captured = self._of[protocol] = _CAPTURED[protocol]()
        lines = list(captured.lines(row))
        if not lines:
            return b""
        if self._protocol not in ("", protocol):
            if protocol in self._left_out:
                return b""
            self._left_out.add(protocol)
            lines = [f"# What {protocol}'s clients did is a test of its own: (proto:{protocol})"]
        return self._written(protocol, lines)

    def rest(self) -> bytes:
        """What stands behind the last row."""
        for protocol, captured in self._of.items():
            if self._protocol in ("", protocol) and (lines := list(captured.rest())):
                return self._written(protocol, lines)
        return b""

    def _written(self, protocol: str, lines: Iterable[str]) -> bytes:
        head = self._of[protocol].head if not self._protocol else ""
        self._protocol = self._protocol or protocol
        text = head + "".join(f"        {line}\n" for line in lines)
        return text.encode("utf-8", "surrogateescape")
