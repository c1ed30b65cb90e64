"""Properties that decide about a message: expiration, user-id, and the headers CC and BCC."""

import re
from collections.abc import Mapping
from typing import Any, Final, NamedTuple

from ...errors import RequestRefused
from ..codes import ReplyCode
from ..records import Field
from ..wire.content import body, header_payload, make_content
from ..wire.frames import head
from ..wire.properties import FLAG_EXPIRATION, FLAG_USER_ID, decode_properties

_MARKS: Final = (b"\x02CC", b"\x03BCC")
"""How the keys begin in a header table; where neither occurs the table is not decoded."""
_INTEGER: Final = re.compile(r"[+-]?[0-9]+")
_LONGEST: Final = 2**32 - 1
"""Milliseconds of any expiration."""
_UNUSUAL: Final = FLAG_EXPIRATION | FLAG_USER_ID


class Extra(NamedTuple):
    """What the headers say: themselves, more routing keys, and the content without BCC."""

    headers: Mapping[str, Field]
    keys: tuple[str, ...]
    content: bytes


def examine(content: bytes, flags: int, user: str, *, read_headers: bool) -> Extra | None:
    """Check the properties; None if nothing in them matters. Raises RequestRefused (406)."""
    payload = header_payload(content)
    marked = any(mark in payload for mark in _MARKS)
    if not (read_headers or marked or flags & _UNUSUAL):
        return None
    properties = decode_properties(payload)
    if "expiration" in properties:
        _check_expiration(properties["expiration"])
    claimed = properties.get("user_id", user)
    if claimed != user:
        raise _refused(f"user_id property set to '{claimed}' but authenticated user was '{user}'")
    headers: dict[str, Field] = properties.get("headers", {})
    keys = (*_keys("CC", headers), *_keys("BCC", headers))
    if "BCC" in headers:
        content = _without_bcc(content, properties)
    return Extra(headers, keys, content)


def _check_expiration(text: str) -> None:
    number = _INTEGER.match(text)
    if number is None:
        reason = "no_integer"
    elif number.end() < len(text):
        reason = f'{{leftover_string,"{text[number.end() :]}"}}'
    elif int(text) < 0:
        reason = f"{{value_negative,{int(text)}}}"
    elif int(text) > _LONGEST:
        reason = f"{{value_too_large,{int(text)}}}"
    else:
        return
    raise _refused(f"invalid expiration '{text}': {reason}")


def _keys(name: str, headers: Mapping[str, Field]) -> list[str]:
    field = headers.get(name)
    if field is None:
        return []
    if field.type != "A":
        raise _refused(
            f'invalid message: {{unacceptable_type_in_header,"{name}",{field.type_name}}}'
        )
    return [str(item.value) for item in field.value if item.type == "S"]


def _without_bcc(content: bytes, properties: dict[str, Any]) -> bytes:
    headers = {name: field for name, field in properties["headers"].items() if name != "BCC"}
    channel = head.unpack_from(content)[1]
    # One body frame: a consumer with a smaller frame-max has it split again on delivery.
    return make_content(channel, body(content), {**properties, "headers": headers}, 0)


def _refused(text: str) -> RequestRefused:
    return RequestRefused(ReplyCode.PRECONDITION_FAILED, text)
