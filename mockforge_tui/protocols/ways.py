"""Where a protocol is served beside its one port."""

from collections.abc import Callable, Iterator

from mockforge_brokers.listener import Listener
from msgspec import Struct

from ..config import Config


def _one(config: Config) -> int:
    return 1


def _never(config: Config) -> bool:
    return False


def _none(config: Config) -> Iterator[Listener]:
    return iter(())


class Ways(Struct, frozen=True):
    """What a config asks for of one protocol."""

    protocol: str
    nodes: Callable[[Config], int] = _one
    """How many brokers it has, each at ports of its own."""
    websocket: Callable[[Config], bool] = _never
    others: Callable[[Config], Iterator[Listener]] = _none
    """Listeners that are neither TCP nor TLS, in the order in which they are shown."""
