"""`pub`: send messages into a broker as if a client had."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Annotated, Any, assert_never

from mockforge_brokers.errors import BrokerError

from ...fixtures.messages import AmqpMessage, KafkaMessage, MqttMessage, Outgoing
from ...units import counted
from ..lookup import BadArgument, resolved
from ..payloads import Payload, maker, text_maker
from ..registry import Arg, Opt, command
from ..results import Notice, Result, done
from ..targets import AmqpTarget, BareTarget, KafkaTarget, MqttTarget, QueueTarget, Target
from ..types import COUNT, DURATION, PAIR, PARTITION, PAYLOAD, RATE, TARGET, TEXT, integer
from ..why.amqp import unrouted
from ..why.views import amqp_of

if TYPE_CHECKING:
    from ...fixtures.templates import Scope
    from ..session import Session

Pair = tuple[str, str]
_SOURCE = "prompt"
_QOS = integer("qos", 0, 2)
_NUMBERS = ("delivery_mode", "priority", "timestamp", "message_expiry_interval",
            "payload_format_indicator")  # fmt: skip


@dataclass(slots=True)
class _Order:
    """What was asked for beside target and payload."""

    key: str | None = None
    headers: tuple[Pair, ...] = ()
    partition: int | None = None
    qos: int | None = None
    retain: bool = False
    properties: tuple[Pair, ...] = ()
    ttl: float | None = None
    mandatory: bool = False
    given: dict[str, bool] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.given = {
            "key": self.key is not None,
            "partition": self.partition is not None,
            "qos": self.qos is not None,
            "retain": self.retain,
            "properties": bool(self.properties),
            "ttl": self.ttl is not None,
            "mandatory": self.mandatory,
        }

    def refuse(self, protocol: str, *names: str) -> None:
        for name in names:
            if self.given[name]:
                raise BadArgument(name, f"{protocol} has nothing like this option")


@command(
    "pub",
    group="messages",
    aliases=("publish", "produce"),
    examples=(
        'pub kafka:orders {"id": {{sequence}}, "sku": "SKU-{{int 1 9}}"} -k o-{{sequence}} -n 3',
        "pub kafka:orders[0] hello -H trace=abc",
        "pub kafka:orders --null -k o-17",
        "pub kafka:orders hex:cafe00",
        "pub mqtt:sensors/room1/temp 21.5 -q 1 -r",
        "pub mqtt:sensors/room1/temp --null -r",
        'pub amqp:amq.topic/order.paid {"order": 1} --prop content-type=application/json',
        "pub queue:q.mail -- all that follows is the payload",
    ),
)
def pub(
    session: "Session",
    target: Annotated[Target, Arg(TARGET, "kafka:TOPIC, mqtt:TOPIC, amqp:EXCHANGE/KEY, queue:Q")],
    payload: Annotated[
        Payload | None, Arg(PAYLOAD, "JSON, word, string, hex:, b64:, @file, or -- text")
    ] = None,
    *,
    key: Annotated[str | None, Opt(("-k", "--key"), TEXT, "record key", "KEY")] = None,
    headers: Annotated[
        tuple[Pair, ...], Opt(("-H", "--header"), PAIR, "header or user property", repeat=True)
    ] = (),
    partition: Annotated[
        int | None, Opt(("-p", "--partition"), PARTITION, "Kafka partition", "N")
    ] = None,
    qos: Annotated[int | None, Opt(("-q", "--qos"), _QOS, "MQTT QoS", "0..2")] = None,
    retain: Annotated[bool, Opt(("-r", "--retain"), None, "MQTT: keep as retained")] = False,
    properties: Annotated[
        tuple[Pair, ...], Opt(("--prop",), PAIR, "property of AMQP or MQTT 5", repeat=True)
    ] = (),
    ttl: Annotated[float | None, Opt(("--ttl",), DURATION, "message expires after this")] = None,
    count: Annotated[int, Opt(("-n", "--count"), COUNT, "how many")] = 1,
    rate: Annotated[float, Opt(("--rate",), RATE, "how fast: 10/s, 600/m, max")] = float("inf"),
    null: Annotated[bool, Opt(("--null",), None, "no payload (a tombstone in Kafka)")] = False,
    mandatory: Annotated[bool, Opt(("--mandatory",), None, "fail if no queue takes it")] = False,
) -> Result:
    """Publish messages as if a client had sent them.

    A payload is one JSON value (no quoting needed), one word, one quoted string, or all that
    follows ` -- `. Templates work in target, key, headers and payload; a template that is all of
    a JSON string keeps its own type: "{{int 1 9}}" becomes a number. With -n and --rate the rest
    is sent by a job in the background.
    """
    if (payload is None) != null:
        missing = "a payload is missing (--null sends none)"
        raise BadArgument(
            "payload", missing if payload is None else "--null or a payload, not both"
        )
    order = _Order(key, headers, partition, qos, retain, properties, ttl, mandatory)
    body: Callable[[Scope], bytes | None]
    body = maker(payload, files=session.files) if payload is not None else lambda scope: None
    found = resolved(session, target)
    return _send(session, found, message_maker(found, order, body), order, count, rate)


def _send(
    session: "Session",
    target: Target,
    make: "Callable[[Scope], Outgoing]",
    order: _Order,
    count: int,
    rate: float,
) -> Result:
    places: list[str] = []
    nobody = 0

    def publish() -> None:
        nonlocal nobody
        session.scope.begin()
        receipt = session.runtime.publish(make(session.scope))
        if order.mandatory and receipt.reached == 0:
            raise BadArgument("target", f"no queue takes {receipt.place}")
        nobody += receipt.reached == 0
        places[:] = [receipt.place]

    def step() -> bool:
        try:
            publish()
        except BrokerError as error:
            if not places:
                raise

            session.report(Notice("problem", f"pub stopped: {error}"))
            return False
        return True

    job = session.jobs.run("pub", f"{count} messages", step, count=count, per_second=rate)
    data = {"sent": job.steps, "place": places[0], "unreached": nobody}
    if count == 1:
        return done(f"sent to {places[0]}{_for_nobody(session, target, order, nobody)}", data)
    job.what = f"{count} messages, the first to {places[0]}"
    if job.stopped:
        nobody_got = _for_nobody(session, target, order, nobody, of=job.steps)
        return done(f"{job.steps} sent, the last to {places[0]}{nobody_got}", data)
    return done(f"job {job.id} sends {counted(count, 'message')}", {**data, "job": job.id})


def _for_nobody(
    session: "Session", target: Target, order: _Order, nobody: int, *, of: int = 1
) -> str:
    """What is to be said of messages that reached no queue or session."""
    if not nobody:
        return ""
    who = "it" if of == 1 else "all of them" if nobody == of else f"{nobody} of them"
    match target:
        case MqttTarget(topic) if order.retain:
            return f"; nobody subscribes to {topic}: it is kept as its retained message"
        case MqttTarget(topic):
            return f"; {who} reached nobody: nobody subscribes to {topic}"
        case QueueTarget(name):
            return f"; {who} reached no queue: there is no queue {name}; queue add {name}"
        case AmqpTarget(exchange, key, vhost):
            amqp = amqp_of(session, vhost or "/")
            return f"; {who} reached no queue: {unrouted(amqp, exchange, key).text}"
    return ""


def message_maker(
    target: Target, order: _Order, body: "Callable[[Scope], bytes | None]"
) -> "Callable[[Scope], Outgoing]":
    """Returns what makes one message after another."""
    match target:
        case KafkaTarget():
            return _to_kafka(target, order, body)
        case MqttTarget():
            return _to_mqtt(target, order, body)
        case AmqpTarget():
            return _to_amqp(target, order, body)
        case QueueTarget():
            return _to_amqp(AmqpTarget("", target.name, target.vhost), order, body)
        case BareTarget():
            raise BadArgument("target", f"{target.name} is not known")
        case _:
            assert_never(target)


def _to_kafka(
    target: KafkaTarget, order: _Order, body: "Callable[[Scope], bytes | None]"
) -> "Callable[[Scope], Outgoing]":
    order.refuse("Kafka", "qos", "retain", "properties", "ttl", "mandatory")
    if target.offset is not None:
        raise BadArgument("target", "a record goes to the end of the log; leave the @ out")
    if order.partition is not None and target.partition not in (None, order.partition):
        raise BadArgument("partition", "the target names another partition")
    partition = target.partition if order.partition is None else order.partition
    topic = text_maker(target.topic)
    key = text_maker(order.key) if order.key is not None else None
    headers = [(text_maker(name), text_maker(value)) for name, value in order.headers]

    def make(scope: "Scope") -> Outgoing:
        return KafkaMessage(
            topic=topic(scope),
            payload=body(scope),
            source=_SOURCE,
            key=octets(key(scope)) if key is not None else None,
            headers=tuple((name(scope), octets(value(scope))) for name, value in headers),
            partition=partition,
        )

    return make


def _to_mqtt(
    target: MqttTarget, order: _Order, body: "Callable[[Scope], bytes | None]"
) -> "Callable[[Scope], Outgoing]":
    order.refuse("MQTT", "key", "partition", "mandatory")
    topic = text_maker(target.topic)
    properties = properties_of(order.properties)
    headers = [(text_maker(name), text_maker(value)) for name, value in order.headers]

    def make(scope: "Scope") -> Outgoing:
        values = {name: value(scope) for name, value in properties.items()}
        if order.ttl is not None:
            values["message_expiry_interval"] = max(1, round(order.ttl))
        if headers:
            values["user_property"] = [(name(scope), value(scope)) for name, value in headers]
        return MqttMessage(
            topic_name=topic(scope),
            payload=body(scope) or b"",
            source=_SOURCE,
            qos=order.qos or 0,
            retain=order.retain,
            properties=values,
        )

    return make


def _to_amqp(
    target: AmqpTarget, order: _Order, body: "Callable[[Scope], bytes | None]"
) -> "Callable[[Scope], Outgoing]":
    order.refuse("AMQP", "key", "partition", "qos", "retain")
    name_of, key_of = text_maker(target.exchange), text_maker(target.routing_key)
    vhost = target.vhost or "/"
    properties = properties_of(order.properties)
    headers = [(text_maker(name), text_maker(value)) for name, value in order.headers]

    def make(scope: "Scope") -> Outgoing:
        values = {name: value(scope) for name, value in properties.items()}
        if order.ttl is not None:
            # AMQP's expiration is a text of milliseconds.
            values["expiration"] = str(round(order.ttl * 1000))
        if headers:
            values["headers"] = {name(scope): value(scope) for name, value in headers}
        name, key = name_of(scope), key_of(scope)
        return AmqpMessage(
            payload=body(scope) or b"",
            source=_SOURCE,
            exchange=name,
            routing_key=key,
            properties=values,
            vhost=vhost,
        )

    return make


def octets(text: str) -> bytes:
    """`"\\xff"` was typed for a byte that is no UTF-8."""
    return text.encode(errors="surrogateescape")


def properties_of(pairs: tuple[Pair, ...]) -> "dict[str, Callable[[Scope], Any]]":
    """What renders each property, by its name with underscores; raises BadArgument."""
    found: dict[str, Callable[[Scope], Any]] = {}
    for name, value in pairs:
        name = name.replace("-", "_")
        if name in _NUMBERS:
            if not value.isdecimal():
                raise BadArgument("properties", f"{name} is a number, not {value!r}")
            found[name] = _constant(int(value))
        else:
            found[name] = text_maker(value)
    return found


def _constant(value: int) -> "Callable[[Scope], int]":
    return lambda scope: value


COMMANDS = (pub,)
