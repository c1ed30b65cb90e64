"""Keys of one listener (`listener.name.x.`) and keys of nobody, altered and shown by Apache Kafka.

`python -m tests.brokers.kafka.listener_keys HOST:PORT` keeps what Apache Kafka answers in
`recorded/listener_keys.json`.
"""

from collections.abc import Callable
from pathlib import Path
from typing import Any

from mockforge_brokers.kafka.wire.messages.configs import (
    IncrementalAlterableConfig,
    IncrementalAlterConfigsRequest,
    IncrementalAlterConfigsResource,
)
from mockforge_brokers.kafka.wire.schema import Message

from .asked import described, until

RECORDED = Path(__file__).parent / "recorded" / "listener_keys.json"
NODE, ALL = "1", ""
ASKED = (
    ("listener.name.internal.ssl.keystore.location", "/nowhere"),
    ("listener.name.internal.ssl.keystore.type", "PKCS12"),
    ("listener.name.internal.ssl.key.password", "a secret"),
    ("listener.name.internal.ssl.protocol", "TLSv1.2"),
    ("listener.name.internal.sasl.jaas.config", "a secret"),
    ("listener.name.internal.plain.sasl.jaas.config", "a secret"),
    ("listener.name.internal.sasl.enabled.mechanisms", "PLAIN"),
    ("listener.name.internal.max.connections", "7"),
    ("listener.name.internal.max.connections", "many"),
    ("listener.name.internal.max.connection.creation.rate", "9"),
    ("listener.name.internal.num.network.threads", "2"),
    ("listener.name.internal.no.such.key", "5"),
    ("listener.nam.internal.max.connections", "5"),
    ("my.own.key", "5"),
    ("log.retention.ms", "5000"),
)
"""The last one is a key as any, for comparison."""

Call = Callable[[Message, int], Any]


def alter(node: str, name: str, value: str | None) -> Message:
    change = IncrementalAlterableConfig(
        name=name, config_operation=0 if value is not None else 1, value=value
    )
    resource = IncrementalAlterConfigsResource(
        resource_type=4, resource_name=node, configs=[change]
    )
    return IncrementalAlterConfigsRequest(resources=[resource], validate_only=False)


def shown(call: Call, node: str, name: str, *, named: bool = True) -> dict[str, Any] | None:
    """How a key is described, asked by its name or among all; None: it is not."""
    request = described(4, node, [name] if named else None)
    request.include_synonyms = True
    for one in call(request, 4).results[0].configs:
        if one.name == name:
            return {
                "value": one.value,
                "type": one.config_type,
                "read_only": one.read_only,
                "is_sensitive": one.is_sensitive,
                "source": one.config_source,
                "synonyms": [[each.name, each.value, each.source] for each in one.synonyms],
            }
    return None


def play(call: Call) -> dict[str, Any]:
    """By key, value and node: whether it is taken, and how node and all nodes show it then."""
    said = {}
    for name, value in ASKED:
        for node in (NODE, ALL):
            before = shown(call, node, name)
            answer = call(alter(node, name, value), 1).responses[0]
            found = {"error_code": answer.error_code, "error_message": answer.error_message}
            if not answer.error_code:
                # A broker hears from the controller a little later what was altered.
                until(lambda name=name, node=node, old=before: shown(call, node, name) != old)
                for where in (NODE, ALL):
                    found[where] = shown(call, where, name)
                    assert shown(call, where, name, named=False) == found[where]
                call(alter(node, name, None), 1)
                until(lambda name=name, node=node, old=before: shown(call, node, name) == old)
            said[f"{name}={value} of {node or 'all'}"] = found
    return said


if __name__ == "__main__":
    from .asking import record

    record(play, RECORDED)
