"""What a queue's arguments and policies ask of it, as one value."""

from collections.abc import Mapping
from typing import Any, Final

from msgspec import Struct

from ...records import Field, Table, text_of
from ..policies import NO_DEFINITION

REJECTING: Final = ("reject-publish", "reject-publish-dlx")


class Policy(Struct, frozen=True):
    """Times are in seconds; None is no limit. RabbitMQ's pages on TTL, lengths, dead letters,
    priority and single active consumer say what each is for."""

    message_ttl: float | None = None
    expires: float | None = None
    max_length: int | None = None
    max_bytes: int | None = None
    overflow: str = "drop-head"
    dead_letter_exchange: str | None = None
    dead_letter_routing_key: str | None = None
    max_priority: int = 0
    single_active: bool = False
    delivery_limit: int | None = None
    dead_letter_strategy: str = "at-most-once"

    @property
    def bounded(self) -> bool:
        return self.max_length is not None or self.max_bytes is not None


def policy_of(arguments: Table, definition: Mapping[str, Any] = NO_DEFINITION) -> Policy | None:
    """Arguments that were checked and the definition of policies; None where a plain queue does.

    Of two limits the lower one holds, of two other values the argument.
    """
    given: dict[str, Any] = {}
    for argument, name in _FIELDS.items():
        by_policy = definition.get(argument[2:]) if argument not in _ONLY_ARGUMENTS else None
        value = _value(arguments[argument]) if argument in arguments else by_policy
        if by_policy is not None and isinstance(value, int):
            value = min(value, by_policy)
        if value is not None:
            given[name] = value
    if not given:
        return None
    for name in _MILLISECONDS:
        if name in given:
            given[name] /= 1000
    return Policy(**given)


def _value(field: Field) -> Any:
    return text_of(field) if field.type == "S" else field.value


_FIELDS: Final = {
    "x-message-ttl": "message_ttl",
    "x-expires": "expires",
    "x-max-length": "max_length",
    "x-max-length-bytes": "max_bytes",
    "x-overflow": "overflow",
    "x-dead-letter-exchange": "dead_letter_exchange",
    "x-dead-letter-routing-key": "dead_letter_routing_key",
    "x-max-priority": "max_priority",
    "x-single-active-consumer": "single_active",
    "x-delivery-limit": "delivery_limit",
    "x-dead-letter-strategy": "dead_letter_strategy",
}
_MILLISECONDS: Final = ("message_ttl", "expires")
"""Fields that arguments and policies give in milliseconds."""
_ONLY_ARGUMENTS: Final = ("x-max-priority", "x-single-active-consumer")
"""What no policy sets."""
SERVED: Final = frozenset(_FIELDS)
"""The arguments that are acted on."""
NO_POLICY: Final = Policy()
