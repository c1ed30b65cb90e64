"""Sparkplug B payloads (Eclipse Sparkplug 3.0.0, section 6.4: sparkplug_b.proto), by their schema.

A metric is `{"value": 21.5, "type": "Float", ...}` below its name, or below `alias 7` where it has
none; what is repeated of a name has #2 behind it.
"""

from collections.abc import Mapping
from struct import calcsize, iter_unpack, unpack
from typing import Any, Final

from . import protobuf
from .plain import DEEPEST, MOST, NotThis, number, octets
from .protobuf import FIXED_32, FIXED_64, LENGTH, VARINT, signed

_TYPES: Final = (
    "Unknown", "Int8", "Int16", "Int32", "Int64", "UInt8", "UInt16", "UInt32", "UInt64", "Float",
    "Double", "Boolean", "String", "DateTime", "Text", "UUID", "DataSet", "Bytes", "File",
    "Template", "PropertySet", "PropertySetList", "Int8Array", "Int16Array", "Int32Array",
    "Int64Array", "UInt8Array", "UInt16Array", "UInt32Array", "UInt64Array", "FloatArray",
    "DoubleArray", "BooleanArray", "StringArray", "DateTimeArray",
)  # fmt: skip
_SIGNED: Final = {"Int8": 8, "Int16": 16, "Int32": 32, "Int64": 64}
_ARRAYS: Final = {
    "Int8Array": "<b", "Int16Array": "<h", "Int32Array": "<i", "Int64Array": "<q",
    "UInt8Array": "<B", "UInt16Array": "<H", "UInt32Array": "<I", "UInt64Array": "<Q",
    "FloatArray": "<f", "DoubleArray": "<d", "DateTimeArray": "<Q",
}  # fmt: skip

_Schema = Mapping[int, tuple[str, str]]
"""A field's name, and its type: a scalar's, or that of another message."""

_SCALARS: Final = ("uint", "bool", "float", "double", "string", "bytes")
_WIRE: Final = {
    "uint": VARINT, "bool": VARINT, "float": FIXED_32, "double": FIXED_64,
}  # fmt: skip


def _values(first: int) -> _Schema:
    """The value's oneof, which begins at another number in each message."""
    kinds = ("uint", "uint", "float", "double", "bool", "string")
    return {first + at: ("value", kind) for at, kind in enumerate(kinds)}


_SCHEMAS: Final[Mapping[str, _Schema]] = {
    "Payload": {
        1: ("timestamp", "uint"), 2: ("metrics", "Metric*"), 3: ("seq", "uint"),
        4: ("uuid", "string"), 5: ("body", "bytes"),
    },
    "Metric": {
        1: ("name", "string"), 2: ("alias", "uint"), 3: ("timestamp", "uint"),
        4: ("datatype", "uint"), 5: ("is_historical", "bool"), 6: ("is_transient", "bool"),
        7: ("is_null", "bool"), 8: ("metadata", "MetaData"), 9: ("properties", "PropertySet"),
        **_values(10), 16: ("value", "bytes"), 17: ("value", "DataSet"), 18: ("value", "Template"),
    },
    "MetaData": {
        1: ("is_multi_part", "bool"), 2: ("content_type", "string"), 3: ("size", "uint"),
        4: ("seq", "uint"), 5: ("file_name", "string"), 6: ("file_type", "string"),
        7: ("md5", "string"), 8: ("description", "string"),
    },
    "PropertySet": {1: ("keys", "string*"), 2: ("values", "PropertyValue*")},
    "PropertySetList": {1: ("propertyset", "PropertySet*")},
    "PropertyValue": {
        1: ("datatype", "uint"), 2: ("is_null", "bool"), **_values(3),
        9: ("value", "PropertySet"), 10: ("value", "PropertySetList"),
    },
    "DataSet": {
        1: ("num_of_columns", "uint"), 2: ("columns", "string*"), 3: ("types", "uint*"),
        4: ("rows", "Row*"),
    },
    "Row": {1: ("elements", "Element*")},
    "Element": _values(1),
    "Template": {
        1: ("version", "string"), 2: ("metrics", "Metric*"), 3: ("parameters", "Parameter*"),
        4: ("template_ref", "string"), 5: ("is_definition", "bool"),
    },
    "Parameter": {1: ("name", "string"), 2: ("datatype", "uint"), **_values(3)},
}  # fmt: skip


def read(payload: bytes) -> dict[str, Any]:
    """Raises NotThis for what has a field that no Sparkplug payload has, or no metric."""
    found = _message("Payload", payload, 0, [MOST])
    metrics = found.get("metrics")
    if not metrics or not all("datatype" in each or "alias" in each for each in metrics):
        raise NotThis
    found["metrics"] = _by_name(metrics)
    return found


def _message(kind: str, data: bytes, depth: int, left: list[int]) -> dict[str, Any]:
    if depth > DEEPEST:
        raise NotThis
    schema = _SCHEMAS[kind]
    found: dict[str, Any] = {}
    for field, wire, value in protobuf.fields(data):
        left[0] -= 1
        name, of = schema.get(field, ("", ""))
        if not name or not left[0]:
            raise NotThis
        if of.endswith("*"):
            many = found.setdefault(name, [])
            many += _several(of[:-1], wire, value, depth, left)
        else:
            found[name] = _one(of, wire, value, depth, left)
    return found


def _several(of: str, wire: int, value: Any, depth: int, left: list[int]) -> list[Any]:
    if of == "uint" and wire == LENGTH:
        # Packed: numbers without their keys.
        numbers, at = [], 0
        while at < len(value):
            left[0] -= 1
            if left[0] <= 0:
                raise NotThis
            each, at = protobuf.varint(value, at)
            numbers.append(each)
        return numbers
    return [_one(of, wire, value, depth, left)]


def _one(of: str, wire: int, value: Any, depth: int, left: list[int]) -> Any:
    if wire != _WIRE.get(of, LENGTH):
        raise NotThis
    match of:
        case "uint":
            return value
        case "bool":
            return value != 0
        case "float":
            return number(float(f"{unpack('<f', value)[0]:.7g}"))
        case "double":
            return number(unpack("<d", value)[0])
        case "string":
            try:
                return value.decode()
            except UnicodeDecodeError:
                raise NotThis from None
        case "bytes":
            return value
    return _shown(of, _message(of, value, depth + 1, left))


def _shown(of: str, found: dict[str, Any]) -> Any:
    """A message as people want it."""
    match of:
        case "Row":
            return [each.get("value") for each in found.get("elements", [])]
        case "PropertySet":
            keys, values = found.get("keys", []), found.get("values", [])
            return dict(zip(keys, values, strict=False))
        case "PropertySetList":
            return found.get("propertyset", [])
        case "DataSet":
            columns = found.get("columns", [])
            kinds = [_type(each) for each in found.get("types", [])]
            return {
                "columns": dict(zip(columns, kinds, strict=False)),
                "rows": found.get("rows", []),
            }
        case "Template":
            for name in ("metrics", "parameters"):
                if name in found:
                    found[name] = _by_name(found[name])
            return found
        case "PropertyValue":
            return _typed(found).get("value")
    return found


def _by_name(metrics: list[dict[str, Any]]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for metric in metrics:
        alias = metric.get("alias")
        name = plain_name = metric.get("name") or ("" if alias is None else f"alias {alias}")
        again = 1
        while name in found:
            again += 1
            name = f"{plain_name} #{again}"
        found[name] = _typed(metric)
    return found


def _typed(found: dict[str, Any]) -> dict[str, Any]:
    """A metric, parameter or property with its value in front, read by its data type."""
    kind = _type(found.get("datatype", 0))
    shown: dict[str, Any] = {}
    if found.get("is_null"):
        shown["value"] = None
    elif "value" in found:
        shown["value"] = _value(kind, found["value"])
    if "datatype" in found:
        shown["type"] = kind
    left_out = ("name", "value", "datatype", "is_null")
    return shown | {key: each for key, each in found.items() if key not in left_out}


def _type(number: int) -> str:
    return _TYPES[number] if number < len(_TYPES) else f"type {number}"


def _value(kind: str, value: Any) -> Any:
    if kind in _SIGNED and isinstance(value, int):
        return signed(value, _SIGNED[kind])
    if isinstance(value, bytes):
        return _array(kind, value)
    return value


def _array(kind: str, data: bytes) -> Any:
    """The array types are bytes: numbers one after the other, or their own packing."""
    if kind == "StringArray" and data.endswith(b"\0") and data.count(b"\0") <= MOST:
        return data[:-1].decode("utf-8", "replace").split("\0")
    if kind == "BooleanArray" and len(data) >= 4:
        count = int.from_bytes(data[:4], "little")
        bits = [bool(byte >> (7 - bit) & 1) for byte in data[4:][: MOST // 8] for bit in range(8)]
        return bits[:count] if min(count, 8 * len(data[4:])) <= len(bits) else octets(data)
    form = _ARRAYS.get(kind)
    if form is None:
        return octets(data)
    if len(data) % calcsize(form) or len(data) // calcsize(form) > MOST:
        return octets(data)
    return [number(each) for (each,) in iter_unpack(form, data)]
