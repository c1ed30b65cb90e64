"""What scripts are made of."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Final

from mockforge_brokers.amqp.v1_0.wire import message
from mockforge_brokers.amqp.v1_0.wire.values import (
    Described,
    Symbol,
)

if TYPE_CHECKING:
    from ..amqp_1_0 import Talk

SCRIPTS: Final[dict[str, Callable[[Talk], None]]] = {}
QUORUM: Final = "quorum"


def script(play: Callable[[Talk], None]) -> Callable[[Talk], None]:
    SCRIPTS[play.__name__] = play
    return play


def whole(
    body: bytes | None = b"x",
    header: dict[str, Any] | None = None,
    annotations: dict[str, Any] | None = None,
    application: dict[str, Any] | None = None,
    **properties: Any,
) -> bytes:
    """A message; a body of None is left out."""
    named = {Symbol(name): value for name, value in (annotations or {}).items()}
    section = b"" if body is None else message.data_section(body)
    return (
        (message.header(**header) if header else b"")
        + message.annotations(named)
        + message.bare_message(properties, application or {}, section)
    )


def fill(talk: Talk, queue: str, count: int = 3, **properties: Any) -> None:
    for number in range(count):
        talk.old.publish("", queue, b"%d" % number, **properties)


def described(name: str, value: Any) -> dict[Any, Any]:
    return {Symbol(name): Described(Symbol(name), value)}
