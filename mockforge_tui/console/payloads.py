"""Payloads as people type them: JSON, text, bytes or a file, with templates inside."""

import base64
import binascii
import json
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from mockforge_brokers.errors import InvalidInput

from .language import Kind, PlacedError, Token
from .paths import opened

if TYPE_CHECKING:
    from ..fixtures.templates import Render, Scope

_TEMPLATE = re.compile(r"\{\{.*?\}\}", re.DOTALL)
_STRING_OR_TEMPLATE = re.compile(r'"(?:\{\{.*?\}\}|\\.|[^"\\])*"|\{\{.*?\}\}', re.DOTALL)
_LARGEST_FILE = 64 * 1024 * 1024

Maker = Callable[["Scope"], bytes]
"""Renders one message's bytes."""


@dataclass(frozen=True, slots=True)
class Payload:
    """`text` as typed for json, text and file (its path); `data` for bytes."""

    kind: Literal["json", "text", "bytes", "file"]
    text: str = ""
    data: bytes = b""


def parse_payload(token: Token) -> Payload:
    """Returns what a payload's token means; raises ValueError (PlacedError within JSON)."""
    match token.kind:
        case Kind.JSON:
            _check_json(token.text)
            return Payload("json", token.text)
        case Kind.WORD:
            return _word(token.value)
    return Payload("text", token.value)


def maker(payload: Payload, *, files: bool = True) -> Maker:
    """Returns what makes the bytes of one message after another; raises InvalidInput.

    JSON whose templates all stand inside of strings is typed: `"{{int 1 9}}"` is a number.
    """
    match payload.kind:
        case "bytes":
            return _constant(payload.data)
        case "file":
            return _constant(_read(payload.text, files=files))
    if "{{" not in payload.text:
        return _constant(payload.text.encode(errors="surrogateescape"))
    return _rendered(payload)


def as_it_is(payload: Payload, *, files: bool = True) -> bytes:
    """The bytes of what is a document and no message: its templates stay. Raises InvalidInput."""
    match payload.kind:
        case "bytes":
            return payload.data
        case "file":
            return _read(payload.text, files=files)
    return payload.text.encode(errors="surrogateescape")


def text_maker(text: str) -> Callable[["Scope"], str]:
    """Returns what renders a name, key or header."""
    if "{{" not in text:
        return lambda scope: text
    from ..fixtures.templates.text import text_of

    render = _checked(_compiled(text))
    return lambda scope: text_of(render(scope))


def _word(text: str) -> Payload:
    try:
        if text.startswith("hex:"):
            return Payload("bytes", data=bytes.fromhex(text[4:]))
        if text.startswith("b64:"):
            return Payload("bytes", data=base64.b64decode(text[4:], validate=True))
    except (ValueError, binascii.Error):
        raise ValueError(f"{text!r} does not hold what its beginning says") from None
    if text.startswith("@") and len(text) > 1:
        return Payload("file", text[1:])
    return Payload("text", text)


def _check_json(text: str) -> None:
    # A template outside of strings stands for any value; its length is kept for the place.
    spelled = _STRING_OR_TEMPLATE.sub(_stand_in, text)
    try:
        json.loads(spelled)
    except json.JSONDecodeError as error:
        advice = "put -- before it to send it as it is"
        raise PlacedError(f"not JSON: {error.msg}; {advice}", error.pos, error.pos + 1) from None
    except RecursionError:
        raise ValueError("not JSON: too deep") from None


def _stand_in(found: re.Match[str]) -> str:
    if found[0].startswith("{{"):
        return "0".ljust(len(found[0]))
    return _TEMPLATE.sub(lambda inner: "x" * len(inner[0]), found[0])


def _rendered(payload: Payload) -> Maker:
    if payload.kind == "json":
        outside = _STRING_OR_TEMPLATE.finditer(payload.text)
        if not any(found[0].startswith("{{") for found in outside):
            return _typed(payload.text)
    render = text_maker(payload.text)
    return lambda scope: render(scope).encode(errors="surrogateescape")


def _typed(text: str) -> Maker:
    from ..fixtures.templates import Names, compile_value
    from ..fixtures.templates.text import encode_json

    render = _checked(compile_value(json.loads(text), Names()))
    return lambda scope: encode_json(render(scope)).encode(errors="surrogateescape")


def _compiled(text: str) -> "Render":
    # The template engine is imported when the first template is typed, not with the console.
    from ..fixtures.templates import Names, compile_text

    return compile_text(text, Names())


def _checked(render: "Render") -> "Render":
    """The same; a number that is too big is a mistake of who typed it, as it is in a file."""
    from ..fixtures.source.problems import RenderError

    def rendered(scope: "Scope") -> object:
        try:
            return render(scope)
        except ArithmeticError as error:
            raise RenderError(f"a number is too big: {error}") from None

    return rendered


def _constant(data: bytes) -> Maker:
    return lambda scope: data


def _read(path: str, *, files: bool) -> bytes:
    if not files:
        raise InvalidInput(f"@{path}: files are not read for commands that come over the network")
    with opened(path, "@") as place:
        if place.stat().st_size > _LARGEST_FILE:
            raise InvalidInput(f"@{path}: larger than {_LARGEST_FILE} bytes")
        return place.read_bytes()
