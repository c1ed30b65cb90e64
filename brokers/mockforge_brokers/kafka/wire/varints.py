"""Unsigned varints (KIP-482): compact lengths, tags and tagged fields."""


class Malformed(ValueError):
    """Bytes that are not what the schema says; `codec` adds the place and raises ProtocolError."""


def bad_length(length: int, left: int) -> Malformed:
    if length < 0:
        return Malformed("null where the protocol has no null")
    return Malformed(f"a length or count of {length} with {left} bytes left")


def read_uvarint(data: bytes, at: int) -> tuple[int, int]:
    """A varint of at most five bytes, and where the next field begins. Raises IndexError."""
    value = shift = 0
    while True:
        byte = data[at]
        at += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value, at
        shift += 7
        if shift > 28:
            raise Malformed("a varint of more than five bytes")


def write_uvarint(value: int) -> bytes:
    if value < 0x80:
        return UVARINTS[value]
    out = bytearray()
    while value > 0x7F:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    out.append(value)
    return bytes(out)


UVARINTS = tuple(bytes((value,)) for value in range(0x80))


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
