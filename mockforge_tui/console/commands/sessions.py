"""`retained` and `session`: what MQTT remembers."""

from dataclasses import replace
from typing import TYPE_CHECKING, Annotated

from ... import text as screen_text
from ...units import format_duration
from ..lookup import BadArgument, known, matching_topics, mqtt
from ..registry import Arg, command
from ..results import Column, Result, count, done, facts_table, plain, size, table
from ..types import CLIENT, text

if TYPE_CHECKING:
    from ..session import Session

_PREVIEW = 60
_RETAINED = text("topic", "retained")


@command(
    "retained ls",
    group="mqtt",
    aliases=("retained", "list retained"),
    examples=("retained ls", "retained ls sensors/#"),
)
def retained_ls(
    session: "Session", pattern: Annotated[str | None, Arg(_RETAINED, "+ and # as in MQTT")] = None
) -> Result:
    """List MQTT's retained messages."""
    found = mqtt(session).retained()
    shown = set(matching_topics((topic for topic, _, _ in found), pattern))
    rows = [
        {
            "topic": topic,
            "qos": qos,
            "size": len(payload),
            "payload": screen_text.decode(payload, _PREVIEW),
        }
        for topic, payload, qos in found
        if topic in shown
    ]
    return table(
        rows,
        Column("topic", "topic"),
        Column("qos", "qos", right=True),
        Column("size", "size", size, right=True),
        Column("payload", "payload"),
        empty="nothing is retained",
    )


@command(
    "retained rm",
    group="mqtt",
    aliases=("drop retained",),
    examples=("retained rm sensors/# -y",),
    asks="Clear the retained messages of {pattern}?",
)
def retained_rm(
    session: "Session", pattern: Annotated[str, Arg(_RETAINED, "+ and # as in MQTT")]
) -> Result:
    """Clear retained messages."""
    admin = mqtt(session)
    topics = matching_topics((topic for topic, _, _ in admin.retained()), pattern)
    if not topics:
        raise BadArgument("pattern", f"nothing is retained at {pattern}")
    gone = sum(admin.clear_retained(topic) for topic in topics)
    return done(f"{gone} retained messages cleared", {"topics": topics})


@command("session ls", group="mqtt", aliases=("sessions",), examples=("session ls",))
def session_ls(session: "Session") -> Result:
    """List MQTT's sessions, those of clients that are away too."""
    rows = [dict(each) for each in mqtt(session).sessions()]
    return table(
        rows,
        Column("client", "client"),
        Column("connected", "connected"),
        Column("subscriptions", "subscriptions", plain),
        Column("inflight", "in flight", count, right=True),
        Column("queued", "queued", count, right=True),
        Column("expiry", "ends", ending_of),
        empty="no sessions",
        fields=("asleep", "dropped", "missed", "expired", "oversized", "own", "window"),
    )


def ending_of(expiry: float | None) -> str:
    """When a session ends, in words."""
    if expiry is None:
        return "never"
    return f"{format_duration(expiry)} after its connection" if expiry else "with its connection"


@command(
    "session show",
    group="mqtt",
    aliases=("describe session",),
    examples=("session show dev-7",),
)
def session_show(session: "Session", client: Annotated[str, Arg(CLIENT, "a client id")]) -> Result:
    """Show all that an MQTT session holds: subscriptions, what is in flight, queued and lost."""
    found = {str(each["client"]): each for each in mqtt(session).sessions()}
    facts = dict(found[known("client", client, found, "session")])
    handling = facts.pop("retain_handling")
    facts["subscriptions"] = [
        f"{topic_filter} QoS {qos}"
        + (f", Retain Handling {handling[topic_filter]}" if topic_filter in handling else "")
        for topic_filter, qos in facts["subscriptions"].items()
    ]
    return replace(facts_table(facts | {"expiry": ending_of(facts["expiry"])}), data=facts)


@command(
    "session rm",
    group="mqtt",
    examples=("session rm dev-7 -y",),
    asks="Forget the session of {client}?",
)
def session_rm(session: "Session", client: Annotated[str, Arg(CLIENT, "a client id")]) -> Result:
    """Forget an MQTT session; a connected client is disconnected."""
    admin = mqtt(session)
    known("client", client, (str(each["client"]) for each in admin.sessions()), "session")
    admin.end_session(client)
    return done(f"session of {client} ended", {"client": client})


@command("session will", group="mqtt", examples=("session will dev-7",))
def session_will(session: "Session", client: Annotated[str, Arg(CLIENT, "a client id")]) -> Result:
    """Publish a client's will at once, though it is there: as a broker that takes it for dead."""
    admin = mqtt(session)
    known("client", client, (str(each["client"]) for each in admin.sessions()), "session")
    if not admin.publish_will(client):
        raise BadArgument("client", f"{client} left no will, or it was published")
    return done(f"the will of {client} is published", {"client": client})


COMMANDS = (retained_ls, retained_rm, session_ls, session_show, session_rm, session_will)
