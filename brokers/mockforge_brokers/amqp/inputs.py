"""What people give as properties and names, made ready for the wire."""

from collections.abc import Mapping
from typing import Any

from ..errors import InvalidInput
from .records import field
from .wire.properties import NAMES


def properties(values: Mapping[str, Any]) -> dict[str, Any]:
    """Properties by name, ready for the wire; raises InvalidInput."""
    return {property_name(name): property_value(name, value) for name, value in values.items()}


def property_name(name: str) -> str:
    """`content-type` and `content_type` are one; raises InvalidInput."""
    known = name.replace("-", "_")
    if known not in NAMES:
        raise InvalidInput(f"property {name!r} is none of {', '.join(sorted(NAMES))}")
    return known


def property_value(name: str, value: Any) -> Any:
    """A property's value as it goes on the wire (None stays None); raises InvalidInput."""
    known = property_name(name)
    if value is None:
        return None
    if known == "headers":
        if not isinstance(value, Mapping):
            raise InvalidInput(f"headers are names with values, not {value!r}")
        return field(dict(value), "headers").value
    if known in ("delivery_mode", "priority", "timestamp"):
        return _number(known, value)
    text = str(value)
    check_short(f"property {name!r}", text)
    return text


def check_short(what: str, text: str) -> None:
    """Raise InvalidInput unless the text fits into a short string (AMQP 4.2.5.3)."""
    try:
        size = len(text.encode("utf-8", "surrogateescape"))
    except UnicodeEncodeError:
        raise InvalidInput(f"{what} {text!r} is no legal text") from None
    if size > 255:
        raise InvalidInput(f"{what} has {size} bytes, it is longer than 255 bytes")


def _number(name: str, value: Any) -> int:
    most = 2**64 - 1 if name == "timestamp" else 255
    try:
        number = int(value)
    except (TypeError, ValueError):
        raise InvalidInput(f"property {name!r} is a number, not {value!r}") from None
    if not 0 <= number <= most:
        raise InvalidInput(f"property {name!r} is 0 to {most}, not {number}")
    return number
