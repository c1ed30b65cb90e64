"""AMQP's delivery tags: which publish a confirm is of, and which delivery an acknowledgement."""

from collections.abc import Iterator
from typing import Final

from mockforge_brokers.journal import IN, OUT, Row

from .ring import Ring

_BACK: Final = 20_000
"""Rows among which a channel's confirm.select is looked for."""
_SETTLES: Final = frozenset(("basic.ack", "basic.nack", "basic.reject"))
_DELIVERS: Final = frozenset(("basic.deliver", "basic.get-ok"))


def settles(row: Row) -> bool:
    """It acknowledges by number."""
    return row.operation in _SETTLES


def has_tag(row: Row) -> bool:
    """It can be acknowledged by number."""
    return row.operation in _DELIVERS or _is_publish(row)


def tag_of(ring: Ring, row: Row) -> int | None:
    """The number; publishes are counted from confirm.select on.

    None where that has left, or where rows since then are but a sample.
    """
    if not _is_publish(row):
        return row.detail.get("delivery_tag")
    publishes = _published(ring, row)
    return None if publishes is None else len(publishes) + 1


def settled_by(row: Row, tag: int, acknowledgement: Row) -> bool:
    """`multiple` settles all up to its tag, and 0 all there are."""
    if acknowledgement.detail.get("channel") != row.detail.get("channel"):
        return False
    named = acknowledgement.detail.get("delivery_tag", 0)
    multiple = acknowledgement.detail.get("multiple", False)
    return bool(named == tag or (multiple and (tag <= named or not named)))


def asked_by(ring: Ring, acknowledgement: Row) -> list[Row]:
    """What an acknowledgement settles: of several the one that its tag names."""
    tag = acknowledgement.detail.get("delivery_tag")
    if acknowledgement.direction == IN:
        for each in _earlier(ring, acknowledgement):
            if each.operation in _DELIVERS and each.detail.get("delivery_tag") == tag:
                return [each]
        return []
    publishes = _published(ring, acknowledgement) or []
    return publishes[tag - 1 : tag] if isinstance(tag, int) and tag else []


def _published(ring: Ring, row: Row) -> list[Row] | None:
    """The channel's publishes before a row in confirm mode, oldest first."""
    found: list[Row] = []
    for each in _earlier(ring, row):
        if each.operation == "confirm.select":
            # The broker counted those publishes, too, that no sample has.
            return found[::-1] if ring.is_whole(each.seq, row.seq) else None
        if each.operation == "channel.open":
            return None
        if _is_publish(each):
            found.append(each)
    return None


def _earlier(ring: Ring, row: Row) -> Iterator[Row]:
    for number in range(row.seq - 1, max(ring.oldest, row.seq - _BACK) - 1, -1):
        each = ring.row(number)
        if (
            each is not None
            and each.connection == row.connection
            and each.detail.get("channel") == row.detail.get("channel")
        ):
            yield each


def _is_publish(row: Row) -> bool:
    return row.operation == "basic.publish" and row.direction != OUT
