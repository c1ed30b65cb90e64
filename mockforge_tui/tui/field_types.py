"""What a frame says of its fields' types, where its protocol has several for one value."""

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Final

from mockforge_brokers.amqp.rows import field_types as of_amqp
from mockforge_brokers.journal import Row

from ..console.targets import AmqpTarget

Types = Mapping[tuple[str, ...], str]
"""A type's name by the path of a field."""
NO_TYPES: Final[Types] = MappingProxyType({})

_TYPES: Final[dict[str, Callable[[bytes], Types]]] = {AmqpTarget.protocol: of_amqp}


def types_of(row: Row) -> Types:
    """Nothing where a value has but one type, or the frame is gone."""
    read = _TYPES.get(row.protocol)
    return read(row.frame) if read is not None and row.frame else NO_TYPES
