"""MQTT: why a client gets no messages."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from mockforge_brokers.events import AccessDenied, Event, LimitReached
from mockforge_brokers.findings import ERROR
from mockforge_brokers.findings import Finding as Linted
from mockforge_brokers.mqtt.events import (
    ServerChose,
    SessionEnded,
    SessionTakenOver,
    Subscribed,
    Unsubscribed,
)
from mockforge_brokers.snapshots import ConnectionView, DestinationView

from ...fixtures.addresses import mqtt_matches
from ...nearest import get_close_matches
from ...units import counted
from .finding import Finding, ago

_LATELY, _JUST_NOW = 600.0, 60.0
_MOST = 20
"""Clients that are asked about one by one."""
_SHARE = "$share/"
_NEVER = 2
"""Retain Handling: no retained messages at subscribing."""
_RETAINED = {
    "mqtt_retained": "there are as many messages as may be",
    "mqtt_retained_bytes": "messages take as many bytes as may be",
}
"""Why no more is retained, by the limit that was met."""


@dataclass(frozen=True, slots=True)
class Mqtt:
    """What the broker shows: `sessions` by client id, `shares` by filter, `history` with its times,
    and now."""

    connections: Sequence[ConnectionView]
    sessions: Mapping[str, Mapping[str, Any]]
    shares: Mapping[str, Mapping[str, Any]]
    topics: Sequence[DestinationView]
    history: Sequence[tuple[float, Event]]
    lint: Sequence[Linted]
    now: float


def of_client(mqtt: Mqtt, client: str) -> list[Finding]:
    """Everything that keeps messages from a client id."""
    taken_over = list(_taken_over(mqtt, client))
    if taken_over and len(_takeovers(mqtt, client, _JUST_NOW)) > 1:
        # That each comes back without session and subscriptions is only what follows of it.
        return [*taken_over, *_lost(mqtt, client)]
    return [
        *taken_over,
        *_asleep(mqtt, client),
        *_session(mqtt, client),
        *_subscriptions(mqtt, client),
        *_lost(mqtt, client),
        *_left_out(mqtt, client),
        *_granted(mqtt, client),
        *_lint(mqtt, client),
    ]


def of_topic(mqtt: Mqtt, topic: str) -> list[Finding]:
    """Who subscribes to a topic, and what keeps its messages from them."""
    limited = list(_retained_lost(mqtt, topic))
    takers = takers_of(mqtt, topic)
    if takers:
        found = [each for client in takers[:_MOST] for each in of_client(mqtt, client)]
        if not any(each.messages_in for each in mqtt.topics if mqtt_matches(topic, each.name)):
            text = f"nothing was published to {topic} yet, which {_some(takers)} would get"
            found.append(Finding(topic, "nothing-published", text, harmless=True))
        return [*limited, *found, *_others(topic, len(takers) - _MOST)]
    text = f"nobody subscribes to {topic}"
    filters = [each for session in mqtt.sessions.values() for each in session["subscriptions"]]
    near = next((each for each in filters if _nearly(each, [topic])), None)
    if near is not None:
        text += f": {near} is near, but {_nearly(near, [topic])}"
    text = f"{text}; what is published is gone unless retained"
    return [*limited, Finding(topic, "no-subscriber", text)]


def _some(names: Sequence[str]) -> str:
    return ", ".join(names[:3]) + "…" * (len(names) > 3)


def takers_of(mqtt: Mqtt, topic: str) -> list[str]:
    """Who subscribes to a topic, or by the filter of a share."""
    return [
        client
        for client, session in mqtt.sessions.items()
        if any(topic == each or _matches(each, topic) for each in session["subscriptions"])
    ]


def wants(mqtt: Mqtt, name: str, topic: str) -> bool:
    """Whether what is published to `topic` is for a client, a share or a topic of this name."""
    filters = [name, *mqtt.sessions.get(name, {}).get("subscriptions", ())]
    return any(_matches(each, topic) for each in filters)


def of_share(mqtt: Mqtt, topic_filter: str) -> list[Finding]:
    """What keeps messages from those who share a subscription, and who gets them."""
    members = mqtt.shares[topic_filter]["members"]
    here = [each for each in members if each["connected"]]
    if not here:
        text = (
            f"no member of {topic_filter} is connected: what comes of QoS 1 and 2 waits for one of "
            f"{counted(len(members), 'session')}; start one"
        )
        return [Finding(topic_filter, "share-away", text)]
    if not any(each.messages_in and _matches(topic_filter, each.name) for each in mqtt.topics):
        return [
            each for each in _subscriptions(mqtt, here[0]["client"]) if topic_filter in each.text
        ]
    found = [each for member in here[:_MOST] for each in _lost(mqtt, member["client"])]
    slow = [each["client"] for each in here if not each["ready"]]
    if slow:
        text = (
            f"{', '.join(slow[:3])} of {topic_filter} does not read or acknowledge: the other "
            "members get what comes"
        )
        found.append(Finding(topic_filter, "share-slow", text))
    ordered = sorted(members, key=lambda each: -each["taken"])
    got = ", ".join(f"{each['client']} got {each['taken']:,}" for each in ordered[:3])
    text = f"each message of {topic_filter} goes to one of {counted(len(members), 'member')}: {got}"
    return [*found, Finding(topic_filter, "share", text, harmless=True)]


def _others(topic: str, count: int) -> Iterator[Finding]:
    """Those who were not asked: to ask thousands would hold up the broker."""
    if count > 0:
        text = f"{counted(count, 'more client')} of {topic} not looked at: why CLIENT is about one"
        yield Finding(topic, "others", text, harmless=True)


def _retained_lost(mqtt: Mqtt, topic: str) -> Iterator[Finding]:
    """That messages to be retained were not, since there are too many or too much."""
    view = next((each for each in mqtt.topics if each.name == topic), None)
    if view is None or "retained" in view.detail:
        return
    for time, event in reversed(mqtt.history):
        if isinstance(event, LimitReached) and event.limit in _RETAINED:
            text = (
                f"nothing is retained at {topic}, and no more was retained "
                f"{ago(mqtt.now - time)}, since {_RETAINED[event.limit]}: "
                f"--limit {event.limit}=N, or retained rm"
            )
            yield Finding(topic, "retained-lost", text)
            return


def _granted(mqtt: Mqtt, client: str) -> Iterator[Finding]:
    """Subscriptions of a lower QoS than was asked for."""
    chosen = {
        event.about: event.choice
        for _, event in mqtt.history
        if isinstance(event, ServerChose)
        and event.client == client
        and event.about.startswith("SUBSCRIBE")
        and event.choice.startswith("QoS")
    }
    for about, choice in chosen.items():
        text = f"{client} got less than it asked for in {about}: {choice}"
        yield Finding(client, "granted-less", text, harmless=True)


def _lint(mqtt: Mqtt, client: str) -> Iterator[Finding]:
    """What it does against the specification, and was served all the same."""
    for each in mqtt.lint:
        if each.client == client and each.severity == ERROR and each.times > each.ended:
            text = (
                f"{client} broke {each.statement} {counted(each.times, 'time')}, last "
                f"{ago(mqtt.now - each.last)}: {each.text}; other brokers end its connection"
            )
            yield Finding(client, "lint", text, harmless=True)


def _asleep(mqtt: Mqtt, client: str) -> Iterator[Finding]:
    """A client of MQTT-SN that said that it sleeps."""
    session = mqtt.sessions.get(client)
    if session is not None and session["asleep"]:
        waiting = session["queued"] + session["inflight"]
        text = (
            f"{client} sleeps, and {counted(waiting, 'message')} of QoS 1 and 2 wait for it: it "
            "gets them at its PINGREQ with its client identifier, or at CONNECT (MQTT-SN 6.14)"
        )
        yield Finding(client, "asleep", text)


def _taken_over(mqtt: Mqtt, client: str) -> Iterator[Finding]:
    times = _takeovers(mqtt, client, _LATELY)
    if not times:
        return
    often = "once" if len(times) == 1 else f"{len(times)} times"
    text = (
        f"another connection took over the client id {client} {often}, last "
        f"{ago(mqtt.now - times[-1])}: the two put each other out, give each its own client id"
    )
    yield Finding(client, "taken-over", text)


def _takeovers(mqtt: Mqtt, client: str, lately: float) -> list[float]:
    """When other connections took over a client id, as far as that is no longer ago."""
    return [
        time
        for time, event in mqtt.history
        if isinstance(event, SessionTakenOver)
        and event.client == client
        and mqtt.now - time <= lately
    ]


def _session(mqtt: Mqtt, client: str) -> Iterator[Finding]:
    """Where there is no session, or it began anew without what it had."""
    ended = _ended(mqtt, client)
    session = mqtt.sessions.get(client)
    if session is None:
        if ended:
            time, event = ended[-1]
            text = (
                f"{client} is away, and its session ended {ago(mqtt.now - time)} ({event.reason}): "
                "nothing is kept for it; connect with a clean start of false and a session expiry"
            )
            yield Finding(client, "no-session", text)
        return
    if ended and session["connected"] and not session["missed"]:
        time, event = ended[-1]
        text = (
            f"{client}'s session began anew: the one before ended {ago(mqtt.now - time)} "
            f"({event.reason}), so what came while it was away was kept for nobody; connect with "
            "a clean start of false and a session expiry"
        )
        yield Finding(client, "clean-session", text)


def _ended(mqtt: Mqtt, client: str) -> list[tuple[float, SessionEnded]]:
    return [
        (time, event)
        for time, event in mqtt.history
        if isinstance(event, SessionEnded) and event.client == client
    ]


def _subscriptions(mqtt: Mqtt, client: str) -> Iterator[Finding]:
    session = mqtt.sessions.get(client)
    if session is None:
        return
    published = [each.name for each in mqtt.topics if each.messages_in]
    if not session["subscriptions"]:
        undone = [
            f" (it unsubscribed from {event.topic_filter} {ago(mqtt.now - time)})"
            for time, event in mqtt.history
            if isinstance(event, Unsubscribed) and event.client == client
        ]
        text = (
            f"{client} subscribes to nothing{''.join(undone[-1:])}: it must send SUBSCRIBE (again, "
            "in a new session)"
        )
        yield Finding(client, "no-subscription", text)
    for topic_filter in session["subscriptions"]:
        if any(_matches(topic_filter, name) for name in published):
            yield from _shared(mqtt, client, topic_filter)
            yield from _too_late(mqtt, client, topic_filter)
            yield from _not_sent_retained(mqtt, client, topic_filter)
            continue
        hint = _nearly(topic_filter, published)
        if hint:
            text = f"{client} subscribes to {topic_filter}, which matches nothing published: {hint}"
            yield Finding(client, "filter", text)
        else:
            text = f"nothing was published yet that {client}'s filter {topic_filter} matches"
            yield Finding(client, "nothing-published", text, harmless=True)


def _shared(mqtt: Mqtt, client: str, topic_filter: str) -> Iterator[Finding]:
    if not topic_filter.startswith(_SHARE):
        return
    others = [
        name
        for name, session in mqtt.sessions.items()
        if name != client and topic_filter in session["subscriptions"]
    ]
    if others:
        text = (
            f"{topic_filter} is shared: each message goes to one of {len(others) + 1} members "
            f"(also {', '.join(others[:3])}); subscribe without $share to get all"
        )
        yield Finding(client, "shared", text)


def _not_sent_retained(mqtt: Mqtt, client: str, topic_filter: str) -> Iterator[Finding]:
    """Retained messages that its subscription does not ask for, and nothing came since."""
    sent = [each.messages_out for each in mqtt.connections if each.client == client]
    shared = topic_filter.startswith(_SHARE)
    handling = mqtt.sessions[client]["retain_handling"].get(topic_filter, 0)
    if any(sent) or not sent or not (shared or handling == _NEVER):
        return
    there = [
        each.name
        for each in mqtt.topics
        if "retained" in each.detail and _matches(topic_filter, each.name)
    ]
    if there:
        since = (
            "shared subscriptions get none [MQTT-4.8]: subscribe without $share"
            if shared
            else "it subscribed with Retain Handling 2 [MQTT-3.3.1-11]: subscribe with 0 or 1"
        )
        text = (
            f"{client} was not sent the retained message of {there[0]}"
            f"{' and others' * (len(there) > 1)}, since {since}"
        )
        yield Finding(client, "retain-handling", text)


_LOSSES = ("queued", "inflight", "missed", "dropped", "expired", "oversized", "own")


def _too_late(mqtt: Mqtt, client: str, topic_filter: str) -> Iterator[Finding]:
    """All that its filter matches was published before it subscribed, and nothing is retained.

    No broker notes when each message of a topic came. But what came since would have been sent, or
    stand among what waits or was lost: where there is none of it, all came before.
    """
    session = mqtt.sessions[client]
    sent = [each.messages_out for each in mqtt.connections if each.client == client]
    if topic_filter.startswith(_SHARE) or not sent or any(sent):
        return
    if any(session[each] for each in _LOSSES) or _ended(mqtt, client):
        return
    denied = {
        event.operation
        for _, event in mqtt.history
        if isinstance(event, AccessDenied) and event.client == client
    }
    before = [
        each
        for each in mqtt.topics
        if each.messages_in
        and "retained" not in each.detail
        and f"read {each.name}" not in denied
        and _matches(topic_filter, each.name)
    ]
    since = [
        time
        for time, event in mqtt.history
        if isinstance(event, Subscribed)
        and (event.client, event.topic_filter) == (client, topic_filter)
    ]
    if before and since:
        count = counted(sum(each.messages_in for each in before), "message")
        text = (
            f"{client} subscribed to {topic_filter} {ago(mqtt.now - since[-1])}, after the {count} "
            f"of {before[0].name}{' and others' * (len(before) > 1)}, and none is retained: "
            "subscribe first, or publish with retain"
        )
        yield Finding(client, "subscribed-too-late", text)


def _lost(mqtt: Mqtt, client: str) -> Iterator[Finding]:
    session = mqtt.sessions.get(client)
    if session is None:
        return
    if session["missed"]:
        weak = [each for each, qos in session["subscriptions"].items() if not qos]
        remedy = (
            f"subscribe to {weak[0]} with QoS 1 (and publish with QoS 1)"
            if weak
            else "publish with QoS 1"
        )
        count = counted(session["missed"], "message")
        text = f"{count} of QoS 0 came while {client} was away, which nobody keeps: {remedy}"
        yield Finding(client, "qos-0-while-away", text)
    if session["connected"] and session["queued"] and session["inflight"] >= session["window"]:
        text = (
            f"{client} has not acknowledged {counted(session['inflight'], 'message')}, all that "
            f"its Receive Maximum allows: it must send PUBACK, {session['queued']:,} wait"
        )
        yield Finding(client, "unacknowledged", text)
    if session["dropped"]:
        count = counted(session["dropped"], "message")
        text = f"{client} lost {count}, since its queue or backlog was full: see limits"
        yield Finding(client, "dropped", text)


def _left_out(mqtt: Mqtt, client: str) -> Iterator[Finding]:
    """What was rightly not sent to it."""
    session = mqtt.sessions.get(client, {})
    if session.get("expired"):
        count = counted(session["expired"], "message")
        text = (
            f"{count} for {client} expired while it was away or did not acknowledge: publish with "
            "a longer Message Expiry Interval, or come back sooner"
        )
        yield Finding(client, "expired", text)
    if session.get("oversized"):
        count = counted(session["oversized"], "message")
        text = (
            f"{client} was not sent {count} that would be larger than the Maximum Packet Size of "
            "its CONNECT: it must allow more, or publish less at once [MQTT-3.1.2-25]"
        )
        yield Finding(client, "too-large", text)
    if session.get("own"):
        count = counted(session["own"], "message")
        text = (
            f"{count} that {client} published did not come back to it, since it subscribed with "
            "No Local: subscribe without it to get its own"
        )
        yield Finding(client, "no-local", text, harmless=True)


def _nearly(topic_filter: str, published: Iterable[str]) -> str:
    """How a filter that matches nothing differs from a topic that it nearly matches."""
    wanted = _without_share(topic_filter)
    for name in published:
        if _matches(wanted.casefold(), name.casefold()):
            return f"{name} differs in case, and topics are case-sensitive; subscribe to {name}"
        if name.startswith(f"{wanted.rstrip('/')}/"):
            below = wanted.rstrip("/")
            return f"{name} lies below it, and a wildcard is missing; subscribe to {below}/#"
        if _matches(wanted.strip("/"), name.strip("/")):
            return f"{name} differs by a slash at its beginning or end, which is a level"
        if _matches(wanted.strip(), name.strip()):
            return f"{name!r} differs from {wanted!r} by spaces"
    for name in published:
        levels, names = wanted.split("/"), name.split("/")
        off = [
            (level, other)
            for level, other in zip(levels, names, strict=False)
            if level not in ("+", "#", other)
        ]
        if len(levels) == len(names) and len(off) == 1 and len(levels) > 1:
            level, other = off[0]
            # A first level that is quite another makes another topic.
            if level != levels[0] or get_close_matches(level, [other]):
                return f"{name} has {other!r} where the filter has {level!r}"
        if levels[0] == names[0] and "+" in levels and len(levels) != len(names) and not off:
            return f"{name} has {counted(len(names), 'level')}, and + stands for exactly one"
    return ""


def _matches(topic_filter: str, name: str) -> bool:
    return mqtt_matches(_without_share(topic_filter), name)


def _without_share(topic_filter: str) -> str:
    if not topic_filter.startswith(_SHARE):
        return topic_filter
    return topic_filter.removeprefix(_SHARE).partition("/")[2]
