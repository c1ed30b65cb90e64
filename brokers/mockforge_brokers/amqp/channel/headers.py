"""Properties that decide about a message: expiration, user-id, and the headers CC and BCC."""

import re
from collections.abc import Mapping
from typing import Any, Final, NamedTuple

from ...errors import RequestRefused
from ..codes import ReplyCode
from ..profiles import Profile
from ..records import Field, Headers, text_of
from ..state.direct_replies import REPLY_TO
from ..wire.content import header_payload
from ..wire.frames import HEAD_SIZE, HEADER, content_head, frame, head
from ..wire.properties import (
    FLAG_EXPIRATION,
    FLAG_HEADERS,
    FLAG_REPLY_TO,
    FLAG_USER_ID,
    check_properties,
    decode_properties,
    encode_header,
)

_MARKS: Final = (b"\x02CC", b"\x03BCC")
"""How the keys begin in a header table; where neither occurs the table is not decoded."""
_DIRECT: Final = bytes((len(REPLY_TO),)) + REPLY_TO.encode()
INTEGER: Final = re.compile(r"[+-]?[0-9]+")
"""What Erlang reads as one: an expiration may have a sign."""
_LONGEST: Final = 10 * 365 * 86_400_000
"""Milliseconds of any expiration."""
_UNUSUAL: Final = FLAG_EXPIRATION | FLAG_USER_ID
_TELLING: Final = _UNUSUAL | FLAG_HEADERS | FLAG_REPLY_TO
"""Properties that may say where a message goes, or whether it may be published."""
_MODES: Final = (1, 2)


class Extra(NamedTuple):
    """What a content header says about its message's way, beside the routing key.

    `keys` are more routing keys; `header` is the frame (without BCC, with the name for replies)
    that goes on instead of the `taken` bytes of the one that came (empty: it goes on as it is).
    `expiration` is in milliseconds, -1 for none.
    """

    headers: Mapping[str, Field]
    keys: tuple[str, ...] = ()
    expiration: int = -1
    header: bytes = b""
    taken: int = 0


def examine(
    header: bytes,
    flags: int,
    user: str | None,
    reply_to: str,
    profile: Profile,
    *,
    read_headers: bool,
) -> Extra | None:
    """Check a content header's frame; None if nothing in it matters to anyone on its way.

    `user` is whom a user-id must name; None lets it name anybody. `reply_to` is what direct
    reply-to stands for on this channel, empty if it does not.

    Raises RequestRefused (406) for values that RabbitMQ refuses, ProtocolError (541) for bytes
    that its parser fails on, whether or not anybody would ever look at them.
    """
    payload = header[HEAD_SIZE:-1]
    delivery_mode = check_properties(payload, flags)
    unknown = delivery_mode not in _MODES and profile.checks_delivery_mode
    if not (flags & _TELLING or unknown):
        # Ids, times and types are carried along: nobody on the message's way reads them.
        return None
    properties: dict[str, Any] = {}
    marked = flags & FLAG_HEADERS and any(mark in payload for mark in _MARKS)
    direct = flags & FLAG_REPLY_TO and _DIRECT in payload
    if direct or marked or flags & _UNUSUAL or (read_headers and flags & FLAG_HEADERS):
        properties = decode_properties(payload)
    headers, keys, expiration = _checked(properties, user)
    if unknown:
        raise _refused(f"invalid message: {{delivery_mode_unknown,{delivery_mode}}}")
    if not properties:
        return None
    if properties.get("reply_to") == REPLY_TO:
        if not reply_to:
            raise _refused("fast reply consumer does not exist")
        properties["reply_to"] = reply_to
    elif "BCC" not in headers:
        return Extra(headers, keys, expiration)
    return Extra(headers, keys, expiration, _rewritten(header, properties), len(header))


def _checked(properties: dict[str, Any], user: str | None) -> tuple[Headers, tuple[str, ...], int]:
    """Headers, further routing keys and expiration of properties that were looked at."""
    claimed = properties.get("user_id", user)
    if user is not None and claimed != user:
        raise _refused(f"user_id property set to '{claimed}' but authenticated user was '{user}'")
    expiration = _expiration(properties["expiration"]) if "expiration" in properties else -1
    headers = Headers(properties.get("headers", {}), properties)
    return headers, (*_keys("CC", headers), *_keys("BCC", headers)), expiration


def read_headers(content: bytes) -> Mapping[str, Field]:
    """The headers of a content's first frame, which was examined before."""
    properties = decode_properties(header_payload(content))
    return Headers(properties.get("headers", {}), properties)


def _expiration(text: str) -> int:
    number = INTEGER.match(text)
    if number is None:
        reason = "no_integer"
    elif number.end() < len(text):
        reason = f'{{leftover_string,"{text[number.end() :]}"}}'
    elif int(text) < 0:
        reason = f"{{value_negative,{int(text)}}}"
    elif int(text) > _LONGEST:
        reason = f"{{value_too_large,{int(text)}}}"
    else:
        return int(text)
    raise _refused(f"invalid expiration '{text}': {reason}")


def _keys(name: str, headers: Mapping[str, Field]) -> list[str]:
    field = headers.get(name)
    if field is None:
        return []
    if field.type != "A":
        raise _refused(
            f'invalid message: {{unacceptable_type_in_header,"{name}",{field.type_name}}}'
        )
    return [text_of(item) for item in field.value if item.type == "S"]


def _rewritten(header: bytes, properties: dict[str, Any]) -> bytes:
    """The frame with these properties, and without BCC."""
    channel = head.unpack_from(header)[1]
    size = content_head.unpack_from(header)[5]
    if "headers" in properties:
        headers = {name: field for name, field in properties["headers"].items() if name != "BCC"}
        properties = {**properties, "headers": headers}
    return frame(HEADER, channel, encode_header(size, properties))


def _refused(text: str) -> RequestRefused:
    return RequestRefused(ReplyCode.PRECONDITION_FAILED, text)
