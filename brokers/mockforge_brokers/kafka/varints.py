"""Numbers in seven bits a byte, the low ones first: in KIP-482, in records, in protobuf."""


class Malformed(ValueError):
    """Bytes that are not what the schema says; `codec` adds the place and raises ProtocolError."""


def read_uvarint(data: bytes, at: int, most: int = 5) -> tuple[int, int]:
    """A varint of at most so many bytes, and where the next field begins. Raises IndexError."""
    value = shift = 0
    while True:
        byte = data[at]
        at += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value, at
        shift += 7
        # A peer could go on for ever: no length or tag is longer.
        if shift == most * 7:
            raise Malformed(f"a varint of more than {most} bytes")


def write_uvarint(value: int) -> bytes:
    if value < 0x80:
        return UVARINTS[value]
    out = bytearray()
    append_uvarint(out, value)
    return bytes(out)


def append_uvarint(out: bytearray, value: int) -> None:
    while value > 0x7F:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    out.append(value)


UVARINTS = tuple(bytes((value,)) for value in range(0x80))


def read_varint(data: bytes, at: int) -> tuple[int, int]:
    """A signed (zigzag) number of 64 bits, and where the next field begins. Raises IndexError."""
    value = data[at]
    at += 1
    # Most lengths and deltas of a record take one byte.
    if value > 0x7F:
        value, at = read_uvarint(data, at - 1, 10)
        # Ten bytes have room for 70 bits: as Java does, those above are not looked at.
        value &= _LONG
    return (value >> 1) ^ -(value & 1), at


_LONG = 2**64 - 1


def append_varint(out: bytearray, value: int) -> None:
    """A signed number as zigzag: small ones are short, whatever their sign."""
    append_uvarint(out, (value << 1) ^ (value >> 63))
