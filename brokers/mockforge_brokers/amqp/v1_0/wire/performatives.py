"""The composite types of AMQP 1.0 as one table: performatives, termini, states, SASL, sections.

Parts 2.7, 2.8, 3.2 to 3.5 and 5.3 of the specification. A field's kind is its primitive type; `*`
is any value, `+` behind a symbol says that there may be several.
"""

from collections.abc import Callable
from typing import Any, Final, NamedTuple

from . import values
from .values import (
    Array,
    DecodeError,
    Described,
    Symbol,
    Timestamp,
    UByte,
    UInt,
    ULong,
    UShort,
    array_of_symbols,
)


class Shape(NamedTuple):
    """One composite type: its descriptor's number, and name and kind of each field."""

    name: str
    code: int
    fields: tuple[tuple[str, str], ...]


class Composite(NamedTuple):
    """A composite value: the name of its type, and those of its fields that are set."""

    name: str
    fields: dict[str, Any]

    def get(self, field: str, default: Any = None) -> Any:
        return self.fields.get(field, default)


_TABLE: Final = """
open 10: container_id string, hostname string, max_frame_size uint, channel_max ushort,
    idle_time_out uint, outgoing_locales symbol+, incoming_locales symbol+,
    offered_capabilities symbol+, desired_capabilities symbol+, properties map
begin 11: remote_channel ushort, next_outgoing_id uint, incoming_window uint, outgoing_window uint,
    handle_max uint, offered_capabilities symbol+, desired_capabilities symbol+, properties map
attach 12: name string, handle uint, role boolean, snd_settle_mode ubyte, rcv_settle_mode ubyte,
    source *, target *, unsettled map, incomplete_unsettled boolean, initial_delivery_count uint,
    max_message_size ulong, offered_capabilities symbol+, desired_capabilities symbol+,
    properties map
flow 13: next_incoming_id uint, incoming_window uint, next_outgoing_id uint, outgoing_window uint,
    handle uint, delivery_count uint, link_credit uint, available uint, drain boolean,
    echo boolean, properties map
transfer 14: handle uint, delivery_id uint, delivery_tag binary, message_format uint,
    settled boolean, more boolean, rcv_settle_mode ubyte, state *, resume boolean,
    aborted boolean, batchable boolean
disposition 15: role boolean, first uint, last uint, settled boolean, state *, batchable boolean
detach 16: handle uint, closed boolean, error *
end 17: error *
close 18: error *
error 1d: condition symbol, description string, info map
received 23: section_number uint, section_offset ulong
accepted 24:
rejected 25: error *
released 26:
modified 27: delivery_failed boolean, undeliverable_here boolean, message_annotations map
source 28: address *, durable uint, expiry_policy symbol, timeout uint, dynamic boolean,
    dynamic_node_properties map, distribution_mode symbol, filter map, default_outcome *,
    outcomes symbol+, capabilities symbol+
target 29: address *, durable uint, expiry_policy symbol, timeout uint, dynamic boolean,
    dynamic_node_properties map, capabilities symbol+
coordinator 30: capabilities symbol+
sasl-mechanisms 40: sasl_server_mechanisms symbol+
sasl-init 41: mechanism symbol, initial_response binary, hostname string
sasl-challenge 42: challenge binary
sasl-response 43: response binary
sasl-outcome 44: code ubyte, additional_data binary
header 70: durable boolean, priority ubyte, ttl uint, first_acquirer boolean, delivery_count uint
properties 73: message_id *, user_id binary, to *, subject string, reply_to *, correlation_id *,
    content_type symbol, content_encoding symbol, absolute_expiry_time timestamp,
    creation_time timestamp, group_id string, group_sequence uint, reply_to_group_id string
"""

REQUIRED: Final = {
    "open": ("container_id",),
    "begin": ("next_outgoing_id", "incoming_window", "outgoing_window"),
    "attach": ("name", "handle", "role"),
    "flow": ("incoming_window", "next_outgoing_id", "outgoing_window"),
    "transfer": ("handle",),
    "disposition": ("role", "first"),
    "detach": ("handle",),
    "error": ("condition",),
    "sasl-init": ("mechanism",),
    "sasl-response": ("response",),
}


def _shapes() -> dict[str, Shape]:
    found = {}
    for line in _TABLE.replace("\n    ", " ").strip().splitlines():
        head, _, fields = line.partition(":")
        name, code = head.split()
        pairs = tuple(
            (field.split()[0], field.split()[1]) for field in fields.split(",") if field.strip()
        )
        found[name] = Shape(name, int(code, 16), pairs)
    return found


SHAPES: Final = _shapes()
_BY_CODE: Final = {shape.code: shape for shape in SHAPES.values()}
_BY_SYMBOL: Final = {
    f"amqp:{shape.name}:list": shape for shape in SHAPES.values() if shape.name != "error"
} | {"amqp:error:list": SHAPES["error"]}

SECTIONS: Final = {
    0x70: "header",
    0x71: "delivery-annotations",
    0x72: "message-annotations",
    0x73: "properties",
    0x74: "application-properties",
    0x75: "data",
    0x76: "amqp-sequence",
    0x77: "amqp-value",
    0x78: "footer",
}
"""The sections of a message (part 3.2) by their descriptors."""
_SECTION_TYPES: Final = {
    "header": "list",
    "properties": "list",
    "data": "binary",
    "amqp-sequence": "list",
    "amqp-value": "*",
}
_SECTIONS_BY_SYMBOL: Final = {
    f"amqp:{name}:{_SECTION_TYPES.get(name, 'map')}": code for code, name in SECTIONS.items()
}

_TYPES: Final[dict[str, type | tuple[type, ...]]] = {
    "string": str,
    "symbol": Symbol,
    "uint": UInt,
    "ulong": ULong,
    "ushort": UShort,
    "ubyte": UByte,
    "boolean": bool,
    "binary": bytes,
    "timestamp": Timestamp,
    "map": dict,
}
_WRITERS: Final[dict[str, Callable[[Any], bytes]]] = {
    "string": values.write_string,
    "symbol": values.write_symbol,
    "uint": values.write_uint,
    "ulong": values.write_ulong,
    "ushort": lambda value: values.write(UShort(value)),
    "ubyte": lambda value: values.write(UByte(value)),
    "boolean": lambda value: b"\x41" if value else b"\x42",
    "binary": values.write_binary,
    "timestamp": lambda value: values.write(Timestamp(value)),
    "map": values.write_map,
    "symbol+": lambda names: values.write(array_of_symbols(names)),
}


def section_code(descriptor: Any) -> int:
    """Which section of a message a descriptor announces; 0 if none."""
    if isinstance(descriptor, Symbol):
        return _SECTIONS_BY_SYMBOL.get(descriptor, 0)
    return descriptor if isinstance(descriptor, ULong) and descriptor in SECTIONS else 0


def read(data: bytes, at: int = 0) -> tuple[Composite, int]:
    """The composite value at `at`, and where it ends; raises DecodeError."""
    value, end = values.read(data, at)
    if not isinstance(value, Described):
        raise DecodeError("a frame's body begins with no performative")
    found = composite(value)
    if not isinstance(found, Composite):
        raise DecodeError(f"{value.descriptor!r} describes nothing that AMQP 1.0 knows")
    return found, end


def composite(value: Any) -> Any:
    """A described list as the composite that it is; any other value as it is."""
    if not isinstance(value, Described):
        return value
    shape = (
        _BY_CODE.get(value.descriptor)
        if isinstance(value.descriptor, ULong)
        else _BY_SYMBOL.get(str(value.descriptor))
    )
    if shape is None:
        return value
    if not isinstance(value.value, list):
        raise DecodeError(f"{shape.name} is no list of fields")
    if len(value.value) > len(shape.fields):
        raise DecodeError(f"{shape.name} has {len(value.value)} fields")
    fields: dict[str, Any] = {}
    for (name, kind), item in zip(shape.fields, value.value, strict=False):
        if item is not None:
            fields[name] = _checked(shape.name, name, kind, item)
    for name in REQUIRED.get(shape.name, ()):
        if name not in fields:
            raise DecodeError(f"{shape.name} lacks its field {name.replace('_', '-')}")
    return Composite(shape.name, fields)


def _checked(shape: str, name: str, kind: str, item: Any) -> Any:
    if kind == "*":
        return composite(item)
    if kind == "symbol+":
        # A single value may stand for an array of one (1.4).
        items = item.items if isinstance(item, Array) else (item,)
        if all(isinstance(each, Symbol) for each in items):
            return tuple(items)
    elif isinstance(item, _TYPES[kind]) and (kind != "string" or not isinstance(item, Symbol)):
        return item
    raise DecodeError(f"{name.replace('_', '-')} of {shape} is no {kind.rstrip('+')}")


def write(name: str, /, **fields: Any) -> bytes:
    """A composite value; fields that are None, or missing, are null."""
    shape = SHAPES[name]
    items = []
    for field, kind in shape.fields:
        value = fields.get(field)
        if value is None:
            items.append(b"\x40")
        elif kind == "*":
            items.append(write_value(value))
        else:
            items.append(_WRITERS[kind](value))
    while items and items[-1] == b"\x40":
        items.pop()
    return values.described(shape.code, values.write_list(items))


def write_value(value: Any) -> bytes:
    """Any value, composites too."""
    if isinstance(value, Composite):
        return write(value.name, **value.fields)
    return values.write(value)
