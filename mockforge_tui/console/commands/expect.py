"""`expect`: wait until the brokers have seen what they should, or say what is missing."""

from typing import TYPE_CHECKING, Annotated

from ...filters import Filter
from ...fixtures.expected.conditions import ANYTHING, Conditions, of_predicate
from ...fixtures.expected.model import (
    DEFAULT_WITHIN,
    Came,
    Client,
    Consumers,
    Drained,
    FaultHit,
    Frames,
    GroupAt,
    LintClean,
    Settled,
    Settlement,
)
from ...fixtures.messages import Watch
from ..expecting import begin
from ..lookup import BadArgument, resolved
from ..registry import Arg, Opt, command
from ..results import Result
from ..targets import AmqpTarget, BareTarget, KafkaTarget, MqttTarget, QueueTarget, Target
from ..types import (
    CLIENT,
    COUNT,
    DURATION,
    FILTER,
    GROUP,
    QUEUE,
    TARGET,
    TEXT,
    TOPIC,
    choice,
    integer,
)
from .faults import match_of

if TYPE_CHECKING:
    from ..session import Session

_TARGET = Arg(TARGET, "kafka:TOPIC, mqtt:FILTER, amqp:EXCHANGE/KEY, queue:Q")
_WHERE = Arg(FILTER, "only what matches", tail=True)
_WITHIN = Opt(("--within",), DURATION, "how long to wait")
_EXACTLY = Opt(("-n", "--count"), COUNT, "so many, no more")
_LEAST = Opt(("--least",), COUNT, "so many or more")
_SETTLE = Opt(("--settle",), DURATION, "then wait for one too many")
_NUMBER = Opt(("-n", "--count"), integer("n"), "so many, no more")
_DIR = Opt(("--dir",), choice("dir", "in", "out"), "in: from the client, out: to it")
_LAG = Opt(("--lag",), integer("lag"), "messages behind, at most")


def _fewest(exactly: int | None, least: int | None) -> int:
    if exactly is not None and least is not None:
        raise BadArgument("least", "--count or --least, not both")
    return exactly if exactly is not None else least or 1


@command(
    "expect",
    group="expectations",
    streams=True,
    aliases=("verify", "wait"),
    examples=(
        "expect kafka:orders -n 7",
        "expect kafka:orders --least 2 key:o-1",
        "expect mqtt:sensors/+/temp --within 10s",
        "expect amqp:events/order.* json.order:1",
        "expect queue:q.inv",
    ),
)
def expect(
    session: "Session",
    target: Annotated[Target, _TARGET],
    where: Annotated[Filter | None, _WHERE] = None,
    *,
    exactly: Annotated[int | None, _EXACTLY] = None,
    least: Annotated[int | None, _LEAST] = None,
    within: Annotated[float, _WITHIN] = DEFAULT_WITHIN,
    settle: Annotated[float, _SETTLE] = 0.0,
) -> Result:
    """Wait until messages came to a destination.

    Counts what came since the last `reset`, or since the first `expect` of this run (start with
    --keep-messages to count from the beginning). A Kafka topic and an exchange may be globs, a
    routing key has AMQP's * and #, an MQTT topic + and #. What is missing is shown with the
    nearest message, where messages went instead, who is connected, and what to try.
    """
    fewest = _fewest(exactly, least)
    came = Came(_watch(session, target), _conditions(where), fewest, exactly, within, settle)
    return begin(session, came)


@command(
    "expect none",
    group="expectations",
    streams=True,
    examples=("expect none kafka:orders.dlq --within 300ms",),
)
def expect_none(
    session: "Session",
    target: Annotated[Target, _TARGET],
    where: Annotated[Filter | None, _WHERE] = None,
    *,
    within: Annotated[float, _WITHIN] = 1.0,
) -> Result:
    """See that no message came to a destination, nor comes for a while."""
    came = Came(_watch(session, target), _conditions(where), 0, 0, within)
    return begin(session, came)


@command(
    "expect frames",
    group="expectations",
    streams=True,
    examples=(
        "expect frames op:CONNACK client:dev-7 --dir out --within 1s",
        "expect frames proto:amqp op:basic.nack -n 0",
    ),
)
def expect_frames(
    session: "Session",
    where: Annotated[Filter, Arg(FILTER, "what fits: op:PUBACK client:dev-7", tail=True)],
    *,
    exactly: Annotated[int | None, _NUMBER] = None,
    least: Annotated[int | None, _LEAST] = None,
    direction: Annotated[str | None, _DIR] = None,
    within: Annotated[float | None, _WITHIN] = None,
    settle: Annotated[float, _SETTLE] = 0.0,
) -> Result:
    """Wait until packets, requests or methods went over the wire.

    Counts what the journal has since the start or the last `reset`, so that what came before counts
    too. What is missing is shown with the frame that came nearest.
    """
    match = match_of(session, "where", where.text, direction, journaled=True)
    fewest = _fewest(exactly, least)
    waits = (1.0 if exactly == 0 else DEFAULT_WITHIN) if within is None else within
    return begin(session, Frames(match, fewest, exactly, waits, settle))


@command(
    "expect group",
    group="expectations",
    streams=True,
    examples=("expect group billing --lag 20 --within 5s",),
)
def expect_group(
    session: "Session",
    name: Annotated[str, Arg(GROUP, "a Kafka group")],
    *,
    topic: Annotated[str, Opt(("--topic",), TOPIC, "in this topic only")] = "",
    lag: Annotated[int, _LAG] = 0,
    within: Annotated[float, _WITHIN] = DEFAULT_WITHIN,
) -> Result:
    """Wait until a consumer group has committed all but so many messages."""
    return begin(session, GroupAt(name, lag, topic, within))


@command(
    "expect drained",
    group="expectations",
    streams=True,
    examples=("expect drained q.mail",),
)
def expect_drained(
    session: "Session",
    name: Annotated[str, Arg(QUEUE, "a queue")],
    *,
    within: Annotated[float, _WITHIN] = DEFAULT_WITHIN,
) -> Result:
    """Wait until a queue holds nothing, neither ready nor unacknowledged."""
    return begin(session, Drained(name, within))


@command(
    "expect consumers",
    group="expectations",
    streams=True,
    examples=("expect consumers q.mail",),
)
def expect_consumers(
    session: "Session",
    name: Annotated[str, Arg(QUEUE, "a queue")],
    *,
    exactly: Annotated[int | None, _NUMBER] = None,
    least: Annotated[int | None, _LEAST] = None,
    within: Annotated[float, _WITHIN] = DEFAULT_WITHIN,
) -> Result:
    """Wait until a queue has consumers: one or more, or so many."""
    fewest = _fewest(exactly, least)
    return begin(session, Consumers(name, fewest, exactly, within))


_BY = Opt(("--client",), CLIENT, "by these clients only, a name or a glob", "NAME")


def _settled(
    session: "Session",
    settlement: Settlement,
    name: str,
    client: str,
    exactly: int | None,
    least: int | None,
    within: float | None,
    settle: float,
) -> Result:
    fewest = _fewest(exactly, least)
    if within is None:
        within = 1.0 if exactly == 0 else DEFAULT_WITHIN
    return begin(session, Settled(name, settlement, client, fewest, exactly, within, settle))


@command(
    "expect acked",
    group="expectations",
    streams=True,
    examples=("expect acked q.mail -n 0 --within 100ms",),
)
def expect_acked(
    session: "Session",
    name: Annotated[str, Arg(QUEUE, "a queue")],
    *,
    client: Annotated[str, _BY] = "*",
    exactly: Annotated[int | None, _NUMBER] = None,
    least: Annotated[int | None, _LEAST] = None,
    within: Annotated[float | None, _WITHIN] = None,
    settle: Annotated[float, _SETTLE] = 0.0,
) -> Result:
    """Wait until AMQP clients acknowledged messages of a queue: one or more, or so many."""
    return _settled(session, "acknowledged", name, client, exactly, least, within, settle)


@command(
    "expect rejected",
    group="expectations",
    streams=True,
    examples=("expect rejected q.mail -n 0 --within 100ms",),
)
def expect_rejected(
    session: "Session",
    name: Annotated[str, Arg(QUEUE, "a queue")],
    *,
    client: Annotated[str, _BY] = "*",
    exactly: Annotated[int | None, _NUMBER] = None,
    least: Annotated[int | None, _LEAST] = None,
    within: Annotated[float | None, _WITHIN] = None,
    settle: Annotated[float, _SETTLE] = 0.0,
) -> Result:
    """Wait until AMQP clients rejected messages of a queue for good (basic.nack, basic.reject)."""
    return _settled(session, "rejected", name, client, exactly, least, within, settle)


@command(
    "expect requeued",
    group="expectations",
    streams=True,
    examples=("expect requeued q.mail -n 0 --within 100ms",),
)
def expect_requeued(
    session: "Session",
    name: Annotated[str, Arg(QUEUE, "a queue")],
    *,
    client: Annotated[str, _BY] = "*",
    exactly: Annotated[int | None, _NUMBER] = None,
    least: Annotated[int | None, _LEAST] = None,
    within: Annotated[float | None, _WITHIN] = None,
    settle: Annotated[float, _SETTLE] = 0.0,
) -> Result:
    """Wait until messages of a queue came back: by their clients' word, or as these were gone."""
    return _settled(session, "requeued", name, client, exactly, least, within, settle)


@command(
    "expect client",
    group="expectations",
    streams=True,
    examples=("expect client dev-*",),
)
def expect_client(
    session: "Session",
    name: Annotated[str, Arg(CLIENT, "a client's name or a glob")],
    *,
    within: Annotated[float, _WITHIN] = DEFAULT_WITHIN,
) -> Result:
    """Wait until a client is connected."""
    return begin(session, Client(name, True, "", within))


@command("expect gone", group="expectations", streams=True, examples=("expect gone dev-8",))
def expect_gone(
    session: "Session",
    name: Annotated[str, Arg(CLIENT, "a client's name or a glob")],
    *,
    within: Annotated[float, _WITHIN] = DEFAULT_WITHIN,
) -> Result:
    """Wait until no such client is connected."""
    return begin(session, Client(name, False, "", within))


@command(
    "expect fault",
    group="expectations",
    streams=True,
    examples=("expect fault 1 --within 100ms",),
)
def expect_fault(
    session: "Session",
    name: Annotated[str, Arg(TEXT, "a fault's number or name", "FAULT")],
    *,
    hits: Annotated[int, Opt(("--hits",), COUNT, "how often at least")] = 1,
    within: Annotated[float, _WITHIN] = DEFAULT_WITHIN,
) -> Result:
    """Wait until a fault has fired."""
    return begin(session, FaultHit(name, hits, within))


@command("expect lint", group="expectations", streams=True, examples=("expect lint",))
def expect_lint(
    session: "Session",
    *,
    warnings: Annotated[bool, Opt(("--warnings",), None, "what is risky counts too")] = False,
) -> Result:
    """See that no client broke its protocol."""
    return begin(session, LintClean(warnings))


def _conditions(where: Filter | None) -> Conditions:
    if where is None:
        return ANYTHING
    matches = where.matches
    return of_predicate(where.text, lambda view: matches(view["row"]))


def _watch(session: "Session", target: Target) -> Watch:
    found = resolved(session, target)
    match found:
        case KafkaTarget(topic):
            return Watch("kafka", topic, "topic")
        case MqttTarget(topic):
            return Watch("mqtt", topic, "filter")
        case AmqpTarget(exchange, routing_key):
            return Watch("amqp", exchange, "exchange", routing_key or "#")
        case QueueTarget(name):
            return Watch("amqp", name, "queue")
        case BareTarget():
            raise BadArgument("target", f"{found.name} is not known")


COMMANDS = (
    expect,
    expect_none,
    expect_frames,
    expect_group,
    expect_drained,
    expect_consumers,
    expect_acked,
    expect_rejected,
    expect_requeued,
    expect_client,
    expect_gone,
    expect_fault,
    expect_lint,
)
