"""Who hears what changed that outlives the process."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from ...storage.facts import Kept, LogRows
    from .bindings import Bindings
    from .exchanges import Binding, Exchange
    from .queues.queue import Queue
    from .topology import Topology
    from .virtual_host import VirtualHost


class Keeper:
    """Where nothing is kept. `host` is the virtual host in which something changed."""

    @property
    def failing(self) -> bool:
        """Whether nothing can be written now, so that no queue takes what it is to keep."""
        return False

    def adopt(self, host: Topology, queue: Queue) -> None:
        """A queue was made, which is still empty: let it keep its messages if it is to."""

    def adopt_exchange(self, exchange: Exchange) -> None:
        """One was made: let it keep what it holds, if it holds anything that is kept."""

    def logs_in(self, kept: Kept) -> Iterable[LogRows]:
        """What its logs are to people; takes nothing out."""
        return ()

    def take_up(self, found: Kept, make: Callable[[str], VirtualHost]) -> None:
        """Begin with what is on disk; `make` makes the virtual hosts that are not there."""

    def cluster_changed(self) -> None:
        """What is of no virtual host is other: users' limits, global parameters."""

    def host_changed(self, name: str) -> None:
        """A virtual host is new, gone, or has other policies or limits."""

    def host_cleared(self, host: Topology) -> None:
        """All exchanges of a virtual host go, and its policies."""

    def exchange_changed(self, host: Topology, name: str) -> None: ...

    def queue_changed(self, host: Topology, name: str) -> None: ...

    def binding_changed(self, host: Bindings, exchange: str, binding: Binding) -> None: ...


FORGETFUL = Keeper()
