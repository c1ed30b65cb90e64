"""What a request says, as long as it names no more than is wise to handle in one turn."""

from typing import TypeVar

from ...environment import Environment
from ...fairness import Stepped
from ..wire.codec import TooManyItems, decode, decode_by_steps, too_many
from ..wire.schema import Message
from .caller import Caller

M = TypeVar("M", bound=Message)


def read(caller: Caller, message: type[M], version: int, frame: bytes, at: int) -> M:
    """The message that begins at `at`. Raises ProtocolError, TooManyItems among them."""
    environment = caller.environment
    try:
        return decode(message, version, frame, at, environment.limits.kafka_request_items)
    except TooManyItems as error:
        raise _counted(environment, error) from None


def read_by_steps(
    caller: Caller, message: type[M], version: int, frame: bytes, at: int
) -> Stepped[M]:
    """The same of a large frame."""
    environment = caller.environment
    most = environment.limits.kafka_request_items
    try:
        return (yield from decode_by_steps(message, version, frame, at, most))
    except TooManyItems as error:
        raise _counted(environment, error) from None


def check_meant(caller: Caller, message: type[Message], items: int) -> None:
    """Few names may stand for many items, each of which is answered. Raises TooManyItems."""
    environment = caller.environment
    most = environment.limits.kafka_request_items
    if items > most:
        raise _counted(environment, too_many(message, caller.version, most))


def _counted(environment: Environment, error: TooManyItems) -> TooManyItems:
    environment.usage.count("kafka_request_items")
    return TooManyItems(f"{error.text}: the limit kafka_request_items is met")
