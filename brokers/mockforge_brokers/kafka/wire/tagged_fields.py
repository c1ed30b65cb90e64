"""Tagged fields (KIP-482): what a flexible struct ends with, known to a schema or not."""

from ..varints import Malformed, read_uvarint, write_uvarint


def bad_length(length: int, left: int) -> Malformed:
    if length < 0:
        return Malformed("null where the protocol has no null")
    return Malformed(f"a length or count of {length} with {left} bytes left")


def read_tags(data: bytes, at: int, count: int) -> tuple[dict[int, bytes], int]:
    """`count` tagged fields that no schema here names, raw by tag, and where they end."""
    tags = {}
    for _ in range(count):
        tag, at = read_uvarint(data, at)
        size, at = read_uvarint(data, at)
        end = at + size
        if end > len(data):
            raise bad_length(size, len(data) - at)
        tags[tag] = data[at:end]
        at = end
    return tags, at


def write_tags(tags: list[tuple[int, bytes]]) -> bytes:
    """The tagged fields at the end of a struct, from pairs in ascending order of tag."""
    pieces = [write_uvarint(len(tags))]
    for tag, value in tags:
        pieces += write_uvarint(tag), write_uvarint(len(value)), value
    return b"".join(pieces)
