"""The words of Kafka that a rule may ask for: what its frames are called, and the codes in them."""

from collections.abc import Collection, Iterator
from functools import cache, partial
from typing import Any, Final

from msgspec.structs import replace

from ..journal import IN, OUT
from ..misbehaviour.possible import NOTHING_NAMED, FrameKind, kinds_of
from .codes import ApiKey, ErrorCode

OPERATIONS: Final = (*(key.title for key in ApiKey), "request", "response")
"""The last two are too short to say of which API they are, or answer what is no longer known."""
NUMBERED: Final = ("API {} v{}", *(f"{key.title} v{{}}" for key in ApiKey))
"""What a request is called that cannot be read."""
CODES: Final = tuple(code.name for code in ErrorCode if code)
"""Without NONE: what bears it says nothing of a code."""
_OF_CONTROLLERS: Final = (
    *(ApiKey.VOTE, ApiKey.BEGIN_QUORUM_EPOCH, ApiKey.END_QUORUM_EPOCH, ApiKey.ALTER_PARTITION),
    *(ApiKey.ENVELOPE, ApiKey.FETCH_SNAPSHOT, ApiKey.BROKER_REGISTRATION, ApiKey.BROKER_HEARTBEAT),
    *(ApiKey.ALLOCATE_PRODUCER_IDS, ApiKey.CONTROLLER_REGISTRATION, ApiKey.UPDATE_RAFT_VOTER),
    ApiKey.ASSIGN_REPLICAS_TO_DIRS,
)
UNSERVED: Final = frozenset(
    (*_OF_CONTROLLERS, *(key for key in ApiKey if "SHARE" in key.name or "STREAMS" in key.name))
)
"""What clients may ask for and is never answered; here, since a rule need not know what is."""

_CARRIERS: Final = (ApiKey.PRODUCE, ApiKey.FETCH)
"""What has records in it, by direction."""
_TOPICS: Final = ("topics", "topic_data", "responses", "v3_and_below_topics")
_NAMES: Final = frozenset(("topic", "name", "topic_id"))


def frame_kinds() -> Iterator[FrameKind]:
    """What rules can do to its frames: an answer is called as its request."""
    for key in ApiKey:
        for kind in kinds_of("kafka", key.title, sender=IN if key in UNSERVED else None):
            yield replace(
                kind,
                fields=partial(_fields, key, kind.direction),
                check=partial(_check, key, kind.direction),
                refusable=partial(_refusable, key),
                lacks=partial(_lacks, key, kind.direction),
            )
    for name in OPERATIONS[len(ApiKey) :]:
        for kind in kinds_of("kafka", name):
            yield replace(kind, refusable=_no_code, lacks=lambda: NOTHING_NAMED)


@cache
def _lacks(key: ApiKey, direction: int) -> Collection[str]:
    """What `rows` and `misbehaviour.parts` find in no version of it."""
    from .wire.refusals import PARTITIONS

    if key is _CARRIERS[direction]:
        # Records say more than the schema, and only a log knows offsets.
        without = ("group", "offset") if direction == IN else ("group", "txn")
        return ("redelivered", *without)
    message = _message(key, direction)
    names = {} if message is None else {each.name: each for each in message.fields}
    found: set[str] = set()
    for owner in (names, _inner(names.get("groups"))):
        for name in _TOPICS:
            inner = _inner(owner.get(name))
            # Answers are not taken apart: one code may be about a part of what they name.
            if _NAMES & inner.keys() and (owner is names or direction == IN):
                found |= {"topic", "queue"}
                found |= {"partition"} if direction == IN and inner.keys() & PARTITIONS else set()
        found |= {"group"} if "group_id" in owner else set()
    if "topic_names" in names:
        found |= {"topic", "queue"}
    if names.keys() & {"transactional_id", "v3_and_below_transactional_id"}:
        found.add("txn")
    if "key_type" in names:
        found |= {"group", "txn"}
    return [name for name in NOTHING_NAMED if name not in found]


def _inner(item: Any) -> dict[str, Any]:
    """The fields of what is in an array."""
    from .wire.schema import Array, unwrap

    wire = None if item is None else unwrap(item.annotation)[0]
    of = wire.of if isinstance(wire, Array) else None
    return {each.name: each for each in of.fields} if isinstance(of, type) else {}


def _message(key: ApiKey, direction: int) -> Any:
    from .wire.catalog import REQUESTS, RESPONSES  # where somebody asks: it needs all messages

    return (REQUESTS if direction == IN else RESPONSES).get(key)


def _no_code(code: int) -> bool:
    """Of what cannot be read."""
    return False


def _fields(key: ApiKey, direction: int) -> Collection[str]:
    from .setting import field_names  # where somebody sets one

    message = _message(key, direction)
    return () if message is None else field_names(message)


def _check(key: ApiKey, direction: int, name: str, text: str) -> None:
    """Raises InvalidInput."""
    from .setting import check_value

    message = _message(key, direction)
    if message is not None:
        check_value(message, name, text)


def _refusable(key: ApiKey, code: int) -> bool:
    """What has no field for a code cannot say it."""
    return "error_code" in _fields(key, OUT)
