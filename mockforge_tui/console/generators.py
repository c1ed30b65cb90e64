"""A fixture out of what was typed at the prompt."""

import json
from typing import TYPE_CHECKING, assert_never

from .lookup import BadArgument
from .payloads import Payload, maker, text_maker
from .targets import AmqpTarget, BareTarget, KafkaTarget, MqttTarget, QueueTarget, Target

if TYPE_CHECKING:
    from ..fixtures import model


def generator_of(
    name: str,
    target: Target,
    payload: Payload,
    *,
    key: str | None,
    per_second: float,
    files: bool,
) -> "model.Generator":
    """Returns a generator that the engine can add; raises InvalidInput."""
    from ..fixtures.model import Body, Generator
    from ..fixtures.rates import Rate
    from ..fixtures.source.problems import Position

    return Generator(
        id=name,
        name=name,
        position=Position("prompt", 1, 1),
        body=Body((_target(target, key),), (), maker(payload, files=files)),
        rate=Rate(per_second),
        source=_source(target, payload, key, per_second),
    )


def _target(target: Target, key: str | None) -> "model.Target":
    from ..fixtures.model import Target as Goal

    if key is not None and not isinstance(target, KafkaTarget):
        raise BadArgument("key", "only Kafka's records have a key")
    if isinstance(target, AmqpTarget | QueueTarget) and target.vhost not in (None, "/"):
        raise BadArgument(
            "target", f"a fixture publishes in the virtual host /, not {target.vhost}"
        )
    match target:
        case KafkaTarget():
            record_key = None if key is None else text_maker(key)
            address = text_maker(target.topic)
            return Goal("kafka", target.topic, address, record_key, partition=target.partition)
        case MqttTarget():
            return Goal("mqtt", target.topic, text_maker(target.topic))
        case AmqpTarget():
            routing_key = text_maker(target.routing_key)
            return Goal("amqp", target.exchange, text_maker(target.exchange), routing_key)
        case QueueTarget():
            return Goal("amqp", target.name, text_maker(""), text_maker(target.name))
        case BareTarget():
            raise BadArgument("target", f"{target.name} is not known")
        case _:
            assert_never(target)


def _source(target: Target, payload: Payload, key: str | None, per_second: float) -> str:
    body = payload.text or payload.data.hex()
    lines = [f"to: {target}", f"value: {json.dumps(body)}", f"rate: {per_second:g}/s"]
    return "\n".join(lines if key is None else [*lines, f"key: {json.dumps(key)}"])
