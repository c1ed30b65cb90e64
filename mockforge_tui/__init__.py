"""A console over three message brokers: Kafka, MQTT and AMQP."""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .embedded import MockForge as MockForge

__all__ = ["MockForge"]


def __getattr__(name: str) -> Any:
    # Imported when asked for: the command line has no use for it.
    if name == "MockForge":
        from .embedded import MockForge

        return MockForge
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
