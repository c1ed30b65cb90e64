"""Keys that a broker has no row for: those of one listener, and those of somebody's plugin.

`listener.name.internal.ssl.keystore.type` is the listener's own ssl.keystore.type, which stays
behind it as what would hold otherwise (DynamicBrokerConfig and KafkaConfig of Apache Kafka 4.4).
"""

import re
from collections.abc import Mapping
from typing import Final

from msgspec.structs import replace

from ...codes import ConfigType
from .keys import ConfigKey

_OF_A_LISTENER: Final = re.compile(r"listener\.name\.[^.]*\.(.*)", re.DOTALL)
_OF_A_MECHANISM: Final = (
    "sasl.jaas.config",
    "sasl.login.callback.handler.class",
    "sasl.login.class",
    "sasl.server.callback.handler.class",
    "connections.max.reauth.ms",
)
"""What stands behind a mechanism's name too: listener.name.x.plain.sasl.jaas.config."""

_FOR_ALL_NODES: Final = frozenset(
    ("max.connections", "max.connection.creation.rate", "num.network.threads")
)
"""A listener's keys that need not be altered node by node."""


def plain_name(name: str) -> str:
    """The key whose place a listener's own takes; empty for one that is no listener's."""
    found = _OF_A_LISTENER.fullmatch(name)
    if found is None:
        return ""
    return next((one for one in _OF_A_MECHANISM if found[1].endswith(one)), found[1])


def key_of(name: str, keys: Mapping[str, ConfigKey]) -> ConfigKey:
    """A key of this name: as the plain one is, or of a type that nobody knows."""
    plain = keys.get(plain_name(name))
    if plain is None:
        return ConfigKey(name, ConfigType.UNKNOWN, None)
    return replace(plain, name=name, default=None, served=False)


def of_single_nodes(name: str) -> bool:
    """Whether it may not be altered for all nodes at once."""
    plain = plain_name(name)
    return bool(plain) and plain not in _FOR_ALL_NODES
