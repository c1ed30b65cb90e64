"""Clients that are not connected any more: why their last connection ended."""

from collections.abc import Iterator, Sequence

from mockforge_brokers.ended import EndedConnection

from . import refusals
from .finding import Finding, ago


def together(newest: EndedConnection, others: Iterator[EndedConnection]) -> list[EndedConnection]:
    """A client's connections that were open while its last one was: it may have had several."""
    return [newest, *(one for one in others if one is not newest and one.at >= newest.view.since)]


def of_ended(
    seen: refusals.Seen, ended: Sequence[EndedConnection], still: Sequence[int]
) -> list[Finding]:
    """That these connections of one client are over, and what was refused there.

    `still` are the numbers of those that it has now.
    """
    one = ended[0]
    client, number = one.view.client, f"c{one.view.id}"
    when = ago(seen.now - one.at)
    if still:
        others = ", ".join(f"c{each}" for each in still[:3])
        text = f"{number} ended {when} ({one.reason}); {client} is connected by {others}"
        return [Finding(client, "ended", text, harmless=True)]
    who = client or f"{number} (it gave no name)"
    text = f"{who} is not connected: its connection ended {when} ({one.reason}); start it again"
    numbers = frozenset(each.view.id for each in ended)
    return [
        Finding(client or number, "gone", text),
        *refusals.of_client(seen, client or number, numbers),
    ]
