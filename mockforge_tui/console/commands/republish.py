"""`republish`: send messages again that were seen."""

from itertools import cycle
from typing import TYPE_CHECKING, Annotated, Any

from mockforge_brokers.errors import BrokerError
from mockforge_brokers.journal import IN, Row

from ...fixtures.messages import (
    AmqpMessage,
    KafkaMessage,
    MqttMessage,
    Outgoing,
    properties_of,
)
from ...units import counted
from ..language import Token
from ..lookup import BadArgument, numbers_of, resolved, view
from ..registry import Arg, Opt, Type, command
from ..results import Notice, Result, done
from ..targets import (
    AmqpTarget,
    BareTarget,
    KafkaTarget,
    MqttTarget,
    QueueTarget,
    Target,
    origin_of,
)
from ..types import COUNT, TARGET

if TYPE_CHECKING:
    from ..ports import View
    from ..session import Session

_SOURCE = "prompt"
_WORDS = ("@focus", "@marked")


def _which(token: Token) -> range | str:
    found = numbers_of(token.value)
    if found is None and token.value not in _WORDS:
        raise ValueError(f"{token.value!r} is none of {', '.join(_WORDS)}, #7 or #7..9")
    return token.value if found is None else found


WHICH = Type("sel", _which, "rows")


@command(
    "republish",
    group="messages",
    examples=("republish @marked -n 3", "republish --to queue:q.mail", "republish #1"),
)
def republish(
    session: "Session",
    which: Annotated[
        range | str,
        Arg(WHICH, "@focus: the one under the cursor, @marked, or rows: #7, #7..9"),
    ] = "@focus",
    *,
    to: Annotated[Target | None, Opt(("--to",), TARGET, "somewhere else")] = None,
    times: Annotated[int, Opt(("-n", "--count"), COUNT, "how often")] = 1,
) -> Result:
    """Publish the selected or the marked messages again, as they were or somewhere else.

    Of rows #7..9 those that came in, not what was delivered of them.
    """
    chosen = _chosen(view(session, "republish"), which)
    if any(row.kind != "message" for row in chosen):
        raise BadArgument("which", "only messages can be published again")
    target = None if to is None else resolved(session, to, "to")
    places: list[str] = []
    sent = 0
    rows = cycle(chosen)

    # One message each: a range may be all that the flow has.
    def step() -> bool:
        nonlocal sent
        try:
            places[:] = [session.runtime.publish(again(next(rows), target)).place]
        except BrokerError as error:
            if not places:
                raise
            session.report(Notice("problem", f"republish stopped: {error}"))
            return False
        sent += 1
        return True

    count = times * len(chosen)
    job = session.jobs.run("pub", f"{count} messages", step, count=count)
    data = {"sent": sent, "place": places[0]}
    if job.stopped:
        return done(f"{sent} sent, the last to {places[0]}", data)
    return done(f"job {job.id} sends {counted(count, 'message')}", {**data, "job": job.id})


def _chosen(screen: "View", which: range | str) -> list[Row]:
    if isinstance(which, range):
        # Rows between them that are no messages (PUBACK) were not meant, nor the deliveries of one
        # that is among them.
        rows = list(screen.numbered(which[0], which[-1]) if which else ())
        messages = [row for row in rows if row.kind == "message"]
        found = [row for row in messages if row.direction == IN] or messages or rows
        missing = f"row #{which.start} is not there (any more)"
    else:
        rows = list(screen.marked())
        found = [row for row in rows if row.marked] if which == "@marked" else rows[:1]
        missing = f"nothing is {'marked' if which == '@marked' else 'selected'}"
    if not found:
        raise BadArgument("which", missing)
    return found


def again(row: Row, target: Target | None) -> Outgoing:
    """The message of a row, for where it came from or for another target."""
    match target or origin_of(row):
        case KafkaTarget(topic, partition):
            headers = tuple((name, _bytes(value)) for name, value in row.headers)
            return KafkaMessage(topic, row.payload, _SOURCE, row.key, headers, partition=partition)
        case MqttTarget(topic):
            qos, retain = int(row.detail.get("qos", 0)), bool(row.detail.get("retain", False))
            return MqttMessage(
                topic, row.payload or b"", _SOURCE,
                qos=qos, retain=retain, properties=_mqtt_properties(row),
            )  # fmt: skip
        case AmqpTarget() as found:
            return _to_amqp(row, found)
        case QueueTarget(name, vhost):
            return _to_amqp(row, AmqpTarget("", name, vhost))
        case BareTarget(name):
            raise BadArgument("to", f"{name} is not known")


def _to_amqp(row: Row, to: AmqpTarget) -> Outgoing:
    properties: dict[str, Any] = {}
    if row.protocol == AmqpMessage.protocol:
        properties |= row.detail.get("properties") or {}
        if row.headers:
            properties["headers"] = dict(row.headers)
    return AmqpMessage(
        to.exchange, to.routing_key, row.payload or b"", _SOURCE,
        properties=properties, vhost=to.vhost or "/",
    )  # fmt: skip


def _mqtt_properties(row: Row) -> dict[str, Any]:
    if row.protocol != MqttMessage.protocol:
        return {}
    properties = properties_of(row.protocol, row.detail)
    if row.headers:
        properties["user_property"] = list(row.headers)
    return properties


def _bytes(value: Any) -> bytes | None:
    return (
        value
        if value is None or isinstance(value, bytes)
        else str(value).encode(errors="surrogateescape")
    )


COMMANDS = (republish,)
