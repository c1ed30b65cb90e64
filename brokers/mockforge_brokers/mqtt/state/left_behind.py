"""What a session that ends had got by a shared subscription and did not acknowledge."""

from ..records import Message
from .session import Session
from .subscriptions import SubscriptionTrie
from .topics import SHARE, split_share


def left_behind(session: Session, subscriptions: SubscriptionTrie) -> list[tuple[str, Message]]:
    """Share and message, oldest first, of what another member is to get (MQTT 5, 4.8.2).

    QoS 1 that was sent or waits; QoS 2 that waits, since what was sent may have been taken
    [MQTT-4.8.2-5]. What a subscription of the session's own matches too may have come by that, and
    stays with it.
    """
    if not session.inflight and not session.queue:
        return []
    held = {split_share(each)[0] for each in session.subscriptions if each.startswith(SHARE)}
    if not held:
        return []
    sent = [each for each in session.inflight.values() if each is not None and each.qos == 1]
    found = []
    # Most messages have the topic of many others, and nothing changes meanwhile.
    shares_of: dict[str, str] = {}
    for message in [*sent, *(each for each in session.queue if each.qos)]:
        topic_name = message.topic_name
        share = shares_of.get(topic_name)
        if share is None:
            own, shares = subscriptions.of_session(session, topic_name, held)
            # A message by each of two shares cannot be told apart either.
            share = shares_of[topic_name] = shares[0] if len(shares) == 1 and not own else ""
        if share:
            found.append((share, message))
    return found
