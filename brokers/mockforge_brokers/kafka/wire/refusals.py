"""The answer with an error code that any request can get, made from the two schemas alone.

What Apache Kafka writes by hand for each API (`getErrorResponse`) follows one pattern: the
response names what the request named, each with the code. Fields are paired by name, arrays by
name or place.
"""

from collections.abc import Callable, Iterable, Sequence
from typing import Any, Final, TypeVar

from ..codes import ApiKey
from .schema import Array, Field, Message, Struct, unwrap

M = TypeVar("M", bound=Message)

Chosen = Callable[[str | bytes, int | None], bool]
"""Whether a topic (by name or id) or one partition of it is refused."""

_TOPIC: Final = ("name", "topic", "topic_id")
PARTITIONS: Final = ("partitions", "partition_indexes", "partition_data")
"""The arrays of a request's topic in which its partitions are."""
INDEXES: Final = ("partition_index", "partition", "index")
"""What the number of one of them is called, where it does not stand alone."""
_SAME: Final = {
    **dict.fromkeys(INDEXES, INDEXES),
    "name": ("name", "topic"),
    "topic": ("topic", "name"),
    "group_id": ("group_id", "group"),
    "topic_name": ("topic_name", "name"),
    "user": ("user", "name"),
}
_CODES: Final = ("error_code", "partition_error_code")
_NONE: Final = frozenset(
    ("node_id", "port", "leader_id", "leader_epoch", "base_offset", "log_append_time_ms",
     "log_start_offset", "high_watermark", "last_stable_offset", "offset", "timestamp",
     "committed_offset", "committed_leader_epoch", "end_offset", "low_watermark",
     "generation_id", "num_partitions", "replication_factor")
)  # fmt: skip
"""Where there is nobody or nothing to name Kafka writes -1, whatever the request said."""
_NO_PRODUCER: Final = frozenset(("producer_id", "producer_epoch"))
"""-1 where the response hands one out; where it speaks of one, it repeats the request's."""
_BY_PART_ALONE: Final = frozenset((ApiKey.FETCH, ApiKey.METADATA))
"""The code at the top of their responses is about something else (the fetch session)."""


def refused(request: Message, response: type[M], version: int, code: int, text: str) -> M:
    """The response that gives everything the request names the same error code."""
    values = _codes(response, version, code, text)
    if request.api_key == ApiKey.JOIN_GROUP and version >= 7:
        values["protocol_name"] = None
    named = False
    for field in _arrays(response, version):
        of = _struct_of(field)
        if of is None or not _has_code(of, version):
            continue
        if "error_code" in values and not _names_topic(of, version):
            continue
        values[field.name] = _mirror(_items(request, field.name), of, version, code, text)
        named = True
    if named and request.api_key in _BY_PART_ALONE:
        values.pop("error_code", None)
    return response(**values)


def split(request: M, chosen: Chosen) -> tuple[M, M | None]:
    """The request with only what is chosen, and with only the rest (None if there is none)."""
    for name in ("topics", "topic_data"):
        topics = getattr(request, name, None)
        if topics:
            break
    else:
        return request, None
    ours: list[Any] = []
    others: list[Any] = []
    for topic in topics:
        for taken, kept in ((ours, True), (others, False)):
            part = _only(topic, chosen, kept)
            if part is not None:
                taken.append(part)
    if not ours or not others:
        return request, None
    return _with(request, **{name: ours}), _with(request, **{name: others})


def merge(response: Message, more: Message) -> None:
    """Put the topics of `more` to those of `response`, partitions of one topic together."""
    for field in response.fields:
        mine, other = getattr(response, field.name), getattr(more, field.name)
        of = _struct_of(field)
        if of is None or not other or not any(item.name in _TOPIC for item in of.fields):
            continue
        known = {_topic_of(topic): topic for topic in mine}
        for topic in other:
            same = known.get(_topic_of(topic))
            if same is None:
                mine.append(topic)
                continue
            for inner in same.fields:
                if _struct_of(inner) is not None:
                    both = [*getattr(same, inner.name), *getattr(topic, inner.name)]
                    setattr(same, inner.name, both)


def _codes(of: type[Struct], version: int, code: int, text: str) -> dict[str, Any]:
    values: dict[str, Any] = {}
    for field in of.fields:
        if version not in field.versions:
            continue
        if field.name in _CODES:
            values[field.name] = code
        elif field.name == "error_message":
            values["error_message"] = text
        elif field.name in _NONE or (field.name in _NO_PRODUCER and issubclass(of, Message)):
            values[field.name] = -1
    return values


def _mirror(
    items: Iterable[Any], of: type[Struct], version: int, code: int, text: str
) -> list[Struct]:
    made = []
    for item in items:
        values = _codes(of, version, code, text)
        for field in of.fields:
            if field.name in values or version not in field.versions:
                continue
            inner = _struct_of(field)
            if inner is not None:
                if values.keys().isdisjoint(_CODES) and _has_code(inner, version):
                    nested = _items(item, field.name)
                    values[field.name] = _mirror(nested, inner, version, code, text)
                    continue
                # Null is all: there is nothing to name.
                known = getattr(item, field.name, None) or ()
                if all(type(one) is inner for one in known):
                    # What is named is repeated as it was: a quota's entity.
                    values[field.name] = known
            elif isinstance(item, Struct):
                _copy(item, field.name, values)
        if not isinstance(item, Struct):
            values[_key_of(of, version, values)] = item
        made.append(of(**values))
    return made


def _copy(item: Struct, name: str, values: dict[str, Any]) -> None:
    for same in _SAME.get(name, (name,)):
        if hasattr(item, same):
            values[name] = getattr(item, same)
            return


def _key_of(of: type[Struct], version: int, values: dict[str, Any]) -> str:
    """The field by which a bare name or number of the request is repeated."""
    return next(f.name for f in of.fields if version in f.versions and f.name not in values)


def _items(owner: Any, name: str) -> Sequence[Any]:
    """The array of the request that an array of the response answers."""
    if not isinstance(owner, Struct):
        return ()
    if isinstance(owner, Message) and owner.api_key == ApiKey.ALTER_REPLICA_LOG_DIRS:
        return [topic for one in owner.dirs for topic in one.topics]  # type: ignore[attr-defined]
    if getattr(owner, name, None):
        return getattr(owner, name)  # type: ignore[no-any-return]
    for field in owner.fields:
        value = getattr(owner, field.name)
        if value and isinstance(unwrap(field.annotation)[0], Array):
            return value  # type: ignore[no-any-return]
    return ()


def _arrays(of: type[Struct], version: int) -> Iterable[Field]:
    return (f for f in of.fields if version in f.versions and _struct_of(f) is not None)


def _struct_of(field: Field) -> type[Struct] | None:
    wire, _ = unwrap(field.annotation)
    if isinstance(wire, Array) and isinstance(wire.of, type):
        return wire.of
    return None


def _has_code(of: type[Struct], version: int) -> bool:
    for field in of.fields:
        if field.name in _CODES and version in field.versions:
            return True
    return any(
        inner is not None and _has_code(inner, version)
        for inner in map(_struct_of, _arrays(of, version))
    )


def _names_topic(of: type[Struct], version: int) -> bool:
    return any(f.name in _TOPIC and version in f.versions for f in of.fields)


def _topic_of(topic: Struct) -> str | bytes:
    for name in _TOPIC:
        value = getattr(topic, name, None)
        if value and value != bytes(16):
            return value  # type: ignore[no-any-return]
    return ""


def _only(topic: Any, chosen: Chosen, kept: bool) -> Any | None:
    """The topic with the partitions for which `chosen` says `kept`; None if there are none."""
    if not isinstance(topic, Struct):
        return topic if chosen(topic, None) == kept else None
    name = _topic_of(topic)
    for field in topic.fields:
        partitions = getattr(topic, field.name)
        if isinstance(unwrap(field.annotation)[0], Array) and field.name.startswith("partition"):
            some = [part for part in partitions if chosen(name, partition_of(part)) == kept]
            return _with(topic, **{field.name: some}) if some else None
    return topic if chosen(name, None) == kept else None


def partition_of(part: Any) -> int:
    """The index of a partition, which a request may carry bare or in a struct."""
    if isinstance(part, int):
        return part
    return next(int(getattr(part, name)) for name in INDEXES if hasattr(part, name))


def _with(struct: Any, **changes: Any) -> Any:
    values = {field.name: getattr(struct, field.name) for field in struct.fields}
    return type(struct)(**(values | changes))
