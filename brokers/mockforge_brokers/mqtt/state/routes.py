"""Who gets what is published to one topic name, as it follows from the subscriptions."""

from collections.abc import Callable, Sequence
from typing import Final

from ...events import MessageSeen
from .session import Session, may_read
from .subscriptions import Share, Subscription
from .verbatim import TopicCounts

Watcher = Callable[[MessageSeen], object]


class Recipient:
    """One session's overlapping subscriptions as one; `own` serves what it published itself."""

    __slots__ = ("identifiers", "own", "qos", "retain_as_published", "session")

    def __init__(self, session: Session, subscriptions: list[Subscription]) -> None:
        self.session = session
        self.qos = max(subscription.qos for subscription in subscriptions)
        self.retain_as_published = any(one.retain_as_published for one in subscriptions)
        self.identifiers = tuple(one.identifier for one in subscriptions if one.identifier)
        self.own: Recipient | None = self
        foreign = [one for one in subscriptions if not one.no_local]
        if len(foreign) < len(subscriptions):
            self.own = Recipient(session, foreign) if foreign else None


MET: Final = 1
"""Somebody published by a route to nobody."""


class Route:
    """Who gets what is published to one topic name, while subscriptions stand as they are."""

    __slots__ = ("counts", "recipients", "shares", "tried", "watchers")

    def __init__(
        self,
        counts: TopicCounts,
        recipients: Sequence[Recipient],
        shares: Sequence[Share],
        watchers: tuple[Watcher, ...],
    ) -> None:
        self.counts = counts
        self.recipients = recipients
        self.shares = shares
        self.watchers = watchers
        self.tried = 0
        """A bit for each dialect for which a verbatim route was looked for, and `MET`."""


def recipients_of(found: list[tuple[Session, Subscription]], topic_name: str) -> list[Recipient]:
    """Who gets a message once for all its subscriptions, and who once for each.

    Rights are asked here, for the route: a filter that was granted may match topics that a narrower
    rule denies, and rules may have changed since (Mosquitto asks its ACLs at delivery, too).
    """
    recipients: list[Recipient] = []
    merged: dict[Session, list[Subscription]] = {}
    for session, subscription in found:
        if session.ended or not may_read(session, topic_name):
            continue
        if session.separate:
            recipients.append(Recipient(session, [subscription]))
        else:
            merged.setdefault(session, []).append(subscription)
    recipients += [Recipient(session, several) for session, several in merged.items()]
    return recipients
