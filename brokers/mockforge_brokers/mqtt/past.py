"""How the journal cuts and reads an MQTT connection's bytes, also once the connection is over."""

from collections.abc import Callable
from functools import cache, partial
from typing import Final

from ..journal import IN, Past, Row, Splitter
from .rows import read_rows
from .wire.frames import PacketSplitter

_NO_ALIASES: Final[dict[int, str]] = {}


def splitter(limit: int, direction: int) -> Splitter:
    """`limit` is our Maximum Packet Size, which a client's packet may not exceed."""
    return PacketSplitter(limit) if direction == IN else PacketSplitter()


# Of thousands of tapes whose connections ended nearly all are read alike: they share these two.
@cache
def _reader(version: int) -> Callable[[int, bytes], list[Row]]:
    return partial(read_rows, version=version, aliases=_NO_ALIASES)


@cache
def _cutter(limit: int) -> Callable[[int], Splitter]:
    return partial(splitter, limit)


def past_of(client: str, limit: int, version: int, aliases: dict[int, str]) -> Past:
    """What is kept of a connection; it weighs what its aliases hold beside the shared parts."""
    if not aliases:
        return Past(client, _cutter(limit), _reader(version))
    reader = partial(read_rows, version=version, aliases=aliases)
    return Past(client, _cutter(limit), reader, sum(map(len, aliases.values())))
