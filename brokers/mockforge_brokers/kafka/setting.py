"""Fields of requests and responses that get other values on purpose."""

import struct
from collections.abc import Mapping
from typing import Any

from ..errors import InvalidInput
from .codes import ApiKey, ErrorCode
from .wire.frames import decode_request, decode_response, encode_request, encode_response
from .wire.schema import Array, Struct, WireType, unwrap

_TRUE = {"true": True, "1": True, "false": False, "0": False}


def set_in_request(frame: bytes, values: Mapping[str, str], most: int) -> bytes:
    """Raises ProtocolError, also for what names more than `most` things and is not served."""
    header, message = decode_request(frame, most)
    _set_all(message, values, ApiKey(header.api_key).title)
    try:
        return encode_request(message, header.api_version, header.correlation_id, header.client_id)
    except (ValueError, OverflowError, struct.error) as error:
        raise InvalidInput(f"a value does not fit: {error}") from None


def set_in_response(frame: bytes, known: tuple[int, int], values: Mapping[str, str]) -> bytes:
    """`known` is the API and version that it answers."""
    api_key, version = known
    correlation_id, message = decode_response(frame, api_key, version)
    _set_all(message, values, ApiKey(api_key).title)
    try:
        return encode_response(message, version, correlation_id)
    except (ValueError, OverflowError, struct.error) as error:
        raise InvalidInput(f"a value does not fit: {error}") from None


def _set_all(message: Struct, values: Mapping[str, str], title: str) -> None:
    for name, text in values.items():
        if not _set(message, name, text):
            known = ", ".join(sorted(_names(message)))
            raise InvalidInput(f"{title} has no field {name}; it has {known}")


def _set(part: Struct, name: str, text: str) -> int:
    """Wherever a field of this name stands in it; returns how often that is."""
    count = 0
    for item in part.fields:
        value = getattr(part, item.name)
        if item.name == name:
            setattr(part, name, _converted(name, value, text))
            count += 1
        else:
            for inner in value if isinstance(value, list | tuple) else (value,):
                if isinstance(inner, Struct):
                    count += _set(inner, name, text)
    return count


def check_value(part: type[Struct], name: str, text: str) -> None:
    """Raises InvalidInput where no field of this name in a message can have this value."""
    wrong: InvalidInput | None = None
    for item in part.fields:
        found, _ = unwrap(item.annotation)
        inner = found.of if isinstance(found, Array) else found
        try:
            if item.name == name:
                _check(name, found, text)
                return
            if isinstance(inner, type) and name in field_names(inner):
                check_value(inner, name, text)
                return
        except InvalidInput as error:
            wrong = error
    if wrong is not None:
        raise wrong


def _check(name: str, found: WireType | Array | type[Struct], text: str) -> None:
    value = _converted(name, found.zero if isinstance(found, WireType) else [], text)
    if isinstance(found, WireType) and found.code:
        try:
            struct.pack(f">{found.code}", value)
        except struct.error as error:
            raise InvalidInput(f"{name} is {found.name}, not {text!r}: {error}") from None


def field_names(part: type[Struct]) -> frozenset[str]:
    """Of all that stands in a message, in any of its versions."""
    names: set[str] = set()
    for item in part.fields:
        names.add(item.name)
        found, _ = unwrap(item.annotation)
        inner = found.of if isinstance(found, Array) else found
        if isinstance(inner, type):
            names |= field_names(inner)
    return frozenset(names)


def _names(part: Struct) -> set[str]:
    names: set[str] = set()
    for item in part.fields:
        value = getattr(part, item.name)
        structs = [
            inner
            for inner in (value if isinstance(value, list | tuple) else (value,))
            if isinstance(inner, Struct)
        ]
        names |= {item.name} if not structs else _names(structs[0])
    return names


def _converted(name: str, value: Any, text: str) -> Any:
    """As the type of the value that it replaces."""
    try:
        match value:
            case bool():
                return _TRUE[text.lower()]
            case int() if name == "error_code" and text.upper() in ErrorCode.__members__:
                return int(ErrorCode[text.upper()])
            case int():
                return int(text, 0)
            case float():
                return float(text)
            case bytes():
                return text.encode()
            case str() | None:
                return text
    except (KeyError, ValueError):
        raise InvalidInput(f"{name} is {type(value).__name__}, not {text!r}") from None
    raise InvalidInput(f"{name} holds several values: name one of them")
