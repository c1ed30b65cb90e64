"""The words of Kafka that a rule may ask for: what its frames are called, and the codes in them."""

from collections.abc import Collection, Iterator
from functools import partial
from typing import Final

from msgspec.structs import replace

from ..journal import IN, OUT
from ..misbehaviour.possible import FrameKind, kinds_of
from .codes import ApiKey, ErrorCode

OPERATIONS: Final = (*(key.title for key in ApiKey), "request", "response")
"""The last two are too short to say of which API they are, or answer what is no longer known."""
NUMBERED: Final = ("API {} v{}", *(f"{key.title} v{{}}" for key in ApiKey))
"""What a request is called that cannot be read."""
CODES: Final = tuple(code.name for code in ErrorCode if code)
"""Without NONE: what bears it says nothing of a code."""


_CARRIERS: Final = (ApiKey.PRODUCE, ApiKey.FETCH)
"""What has records in it, by direction."""
_OF_RECORDS: Final = ("key", "body", "json", "header")


def frame_kinds() -> Iterator[FrameKind]:
    """What rules can do to its frames: an answer is called as its request."""
    for key in ApiKey:
        for kind in kinds_of("kafka", key.title):
            yield replace(
                kind,
                fields=partial(_fields, key, kind.direction),
                check=partial(_check, key, kind.direction),
                refusable=partial(_refusable, key),
                lacks=() if key is _CARRIERS[kind.direction] else _OF_RECORDS,
            )
    for name in OPERATIONS[len(ApiKey) :]:
        yield from kinds_of("kafka", name)


def _fields(key: ApiKey, direction: int) -> Collection[str]:
    from .setting import field_names  # where somebody sets one: it needs all messages
    from .wire.catalog import REQUESTS, RESPONSES

    message = (REQUESTS if direction == IN else RESPONSES).get(key)
    return () if message is None else field_names(message)


def _check(key: ApiKey, direction: int, name: str, text: str) -> None:
    """Raises InvalidInput."""
    from .setting import check_value
    from .wire.catalog import REQUESTS, RESPONSES

    message = (REQUESTS if direction == IN else RESPONSES).get(key)
    if message is not None:
        check_value(message, name, text)


def _refusable(key: ApiKey, code: int) -> bool:
    """What has no field for a code cannot say it."""
    return "error_code" in _fields(key, OUT)
