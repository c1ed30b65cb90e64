"""Bytes and texts as a shell, and whoever pastes into one, can have them."""

import re
from collections.abc import Mapping
from decimal import Decimal
from math import isfinite
from shlex import join
from typing import Any, Final

from mockforge_brokers.journal import Row

from ...text import clean

_OBEYED: Final = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f]")
"""What a terminal obeys; tabs and ends of lines are text."""
_LONGEST: Final = 128 * 1024 - 1
"""Linux takes words of 128 KiB with the byte behind them; what a shell does itself has no limit."""


class Unspeakable(ValueError):
    """A message that a program's command line cannot say; the text tells what of it."""


def left_out(row: Row, why: Unspeakable) -> str:
    """The comment that stands where a message would."""
    which = f"#{row.seq}" if row.seq else clean(row.destination, 80)
    return f"# left out: {which}, {clean(str(why), 200)}"


def typed_text(data: bytes) -> str | None:
    """All of some bytes as the text that stands for exactly them; None where it is none."""
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError:
        return None
    return None if _OBEYED.search(text) else text


def words(*given: str) -> str:
    """Words of a command line. Raises Unspeakable."""
    for each in given:
        if _OBEYED.search(each) or not is_encodable(each):
            raise Unspeakable(f"a shell cannot be given {each!r:.80}")
        if not is_word(each):
            raise Unspeakable(f"a command line has no word of 128 KiB: {each:.40}")
    return join(given)


def is_word(text: str) -> bool:
    """Whether a program can be given all of this text as one word."""
    return len(text) * 4 <= _LONGEST or len(text.encode()) <= _LONGEST


def printed(text: str) -> str:
    """What writes a text, however long, to be read by a program."""
    return join(("printf", "%s", text))


def is_encodable(text: str) -> bool:
    """False where bytes that are no UTF-8 stand in it."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def plain_text(value: object, what: str) -> str:
    """A value as a text. Raises Unspeakable, which says what it is of."""
    if isinstance(value, bytes):
        text = typed_text(value)
        if text is None:
            raise Unspeakable(f"{what} has bytes that are no text")
        return text
    return "" if value is None else str(value)


def plain_value(value: object, what: str) -> Any:
    """A value as JSON has it, below lists and tables too. Raises Unspeakable as `plain_text`."""
    match value:
        case bytes():
            return plain_text(value, what)
        case str() if not is_encodable(value):
            raise Unspeakable(f"{what} has bytes that are no text")
        case Decimal():
            raise Unspeakable(f"{what} has a decimal, which JSON has not")
        case float() if not isfinite(value):
            raise Unspeakable(f"{what} has the number {value}, which JSON has not")
        case Mapping():
            return {
                plain_value(name, what): plain_value(each, what) for name, each in value.items()
            }
        case list() | tuple():
            return [plain_value(each, what) for each in value]
    return value
