"""In which order Java's hash maps hold things: Kafka goes by it where nothing else decides."""

from collections.abc import Callable, Iterable
from typing import Final, TypeVar

T = TypeVar("T")

_LEAST: Final = 16


def hash_of(text: str) -> int:
    """`String.hashCode`, without a sign."""
    hashed = 0
    for at in range(0, len(units := text.encode("utf-16-be")), 2):
        hashed = (31 * hashed + int.from_bytes(units[at : at + 2], "big")) & 0xFFFFFFFF
    return hashed


def hash_of_uuid(uuid: bytes) -> int:
    """Of Kafka's `Uuid`, without a sign."""
    mixed = int.from_bytes(uuid[:8], "big") ^ int.from_bytes(uuid[8:], "big")
    return (mixed >> 32) ^ (mixed & 0xFFFFFFFF)


def place_of(hashed: int, places: int) -> int:
    return (hashed ^ hashed >> 16) & (places - 1)


def in_hash_order(
    items: Iterable[T], hashed: Callable[[T], int], places: int | None = None
) -> list[T]:
    """As a map goes through them that got them in the order given; `places` is its table's size.

    None: it began empty and grew with them.
    """
    items = list(items)
    if places is None:
        places = _LEAST
        while len(items) > places * 3 // 4:
            places *= 2
    return sorted(items, key=lambda item: place_of(hashed(item), places))


def places_of_size(count: int) -> int:
    """The table's size of a `HashMap` that was made for so many things, and got them."""
    places = 1
    while places < count:
        places *= 2
    return places * 2 if count > places * 3 // 4 else places


def places_of_copy(count: int) -> int:
    """The table's size of a `HashSet` that was made of so many things at once."""
    places = _LEAST
    while places < int(count / 0.75) + 1:
        places *= 2
    return places
