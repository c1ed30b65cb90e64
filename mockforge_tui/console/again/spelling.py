"""Bytes and texts as a shell, and whoever pastes into one, can have them."""

import re
from shlex import join
from typing import Final

_OBEYED: Final = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f]")
"""What a terminal obeys; tabs and ends of lines are text."""


class Unspeakable(ValueError):
    """A message that a program's command line cannot say; the text tells what of it."""


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
    return join(given)


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
