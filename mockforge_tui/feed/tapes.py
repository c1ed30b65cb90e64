"""Which connections' bytes need no decoding at all, since no row of theirs can match a filter."""

from collections.abc import Callable
from typing import Final

from mockforge_brokers.journal import IN, Row, Tape

from ..filters import Filter, conditions, reduced
from .decoder import client_of

_OF_A_TAPE: Final = frozenset(("proto", "conn", "user", "address", "listener", "vhost"))
"""Fields of a row that are the same in each row of its connection."""


def may_match(where: Filter) -> Callable[[Tape], bool]:
    """Whether a row of a tape may match, by what the filter says of connections alone."""
    terms = conditions(where.text)
    named, unnamed = reduced(terms, _OF_A_TAPE | {"client"}), reduced(terms, _OF_A_TAPE)

    def wanted(tape: Tape) -> bool:
        row = Row(tape.protocol, IN, "", tape.connection, client_of(tape), origin=tape.origin())
        # Before a connection has a name its rows may bear names of their own.
        early = named if row.client else unnamed
        return early is None or early(row)

    return wanted
