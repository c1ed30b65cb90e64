"""Makes text that came from a client safe and short enough to show on a terminal."""

import json
import re
import unicodedata

_HARMFUL = re.compile(
    "[\x00-\x1f\x7f-\x9f"  # C0, DEL, C1: escape sequences begin with these
    "\xad\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b-\u200f"  # drawn with no width, or none
    "\u2028\u2029\u202a-\u202e\u2060-\u206f\u3164\ufe00-\ufe0f\ufeff\uffa0\ufff9-\ufffb"
    "\ud800-\udfff\U000e0000-\U000e0fff]"
)

_LONE = re.compile("[\ud800-\udfff]")
_OBEYED = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]")


def encodable(text: str) -> str:
    """Returns text that UTF-8 can carry, for whatever leaves the process.

    Bytes of a client's name that are no UTF-8 (surrogates in Python) become `\\xff`.
    """
    if text.isascii():
        return text
    return _LONE.sub(_escaped, text)


def _escaped(found: re.Match[str]) -> str:
    code = ord(found[0])
    return f"\\x{code - 0xDC00:02x}" if 0xDC80 <= code <= 0xDCFF else f"\\u{code:04x}"


def encodable_json(text: str) -> str:
    """Returns JSON with every character that a terminal could obey or hide as `\\u009b`.

    Such characters stand only within JSON's strings, where they may be spelled so.
    """
    if text.isascii():
        return text.replace("\x7f", "\\u007f")
    return _HARMFUL.sub(lambda found: json.dumps(found[0])[1:-1], text)


def clean(text: str, cells: int | None = None) -> str:
    """Returns `text` with every character that a terminal could obey or hide as a `·`.

    With `cells`, at most that many characters are looked at and returned: each takes at least
    one cell, so what is cut off could not have been shown.
    """
    if cells is not None and len(text) > cells:
        text = text[: max(cells, 0)]
    # isprintable() also refuses lone surrogates, but lets no control character through.
    if text.isascii() and text.isprintable():
        return text
    return _HARMFUL.sub("·", text)


def on_one_line(text: str) -> str:
    """Returns text as a line to be edited: tabs as spaces, what a terminal would obey as a `·`.

    Characters that are drawn with no width stay: emoji are made of them, and they are part of what
    the line means. Who draws it goes through `clean`, which changes no place.
    """
    if text.isascii() and text.isprintable():
        return text
    return _OBEYED.sub("·", text.replace("\t", " "))


def decode(data: bytes, cells: int | None = None) -> str:
    """Returns bytes as clean text; what is not UTF-8 shows as `�`.

    No UTF-8 character is longer than four bytes, so only `4 * cells` bytes are looked at.
    """
    if cells is not None:
        data = data[: 4 * max(cells, 0)]
    return clean(data.decode("utf-8", "replace"), cells)


def width(text: str) -> int:
    """Returns how many terminal cells clean text takes."""
    if text.isascii():
        return len(text)
    return sum(_cells(character) for character in text)


def fit(text: str, cells: int) -> str:
    """Returns clean text cut (with `…`) or padded to exactly `cells` cells."""
    if text.isascii():
        if len(text) <= cells:
            return text.ljust(cells)
        return text[: cells - 1] + "…" if cells else ""
    return _fit_wide(text, cells)


def _fit_wide(text: str, cells: int) -> str:
    total = width(text)
    if total <= cells:
        return text + " " * (cells - total)
    room, used, kept = cells - 1, 0, []
    for character in text:
        size = _cells(character)
        if used + size > room:
            break
        kept.append(character)
        used += size
    return "".join(kept) + "…" + " " * (room - used) if cells > 0 else ""


def _cells(character: str) -> int:
    if unicodedata.combining(character):
        return 0
    return 2 if unicodedata.east_asian_width(character) in "WF" else 1
