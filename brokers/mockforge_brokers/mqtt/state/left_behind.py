"""What a session that ends had got by a shared subscription and did not acknowledge."""

from ..records import Message
from .session import Session
from .topics import SHARE, matches, split_share


def left_behind(session: Session) -> list[tuple[str, Message]]:
    """Share and message, oldest first, of what another member is to get (MQTT 5, 4.8.2).

    QoS 1 that was sent or waits; QoS 2 that waits, since what was sent may have been taken
    [MQTT-4.8.2-5]. What a subscription of the session's own matches too may have come by that, and
    stays with it.
    """
    if not session.inflight and not session.queue:
        return []
    shares = [each for each in session.subscriptions if each.startswith(SHARE)]
    if not shares:
        return []
    own = [each for each in session.subscriptions if not each.startswith(SHARE)]
    sent = [each for each in session.inflight.values() if each is not None and each.qos == 1]
    found = []
    for message in [*sent, *(each for each in session.queue if each.qos)]:
        name = message.topic_name
        by = [each for each in shares if matches(split_share(each)[1], name)]
        # A message by each of two shares cannot be told apart either.
        if len(by) == 1 and not any(matches(each, name) for each in own):
            found.append((by[0], message))
    return found
