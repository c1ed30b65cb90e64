"""The text of a filter expression as tokens: operators, keywords, literals, names."""

import re
from enum import StrEnum
from typing import Final, NamedTuple

MOST_CHARACTERS: Final = 4096
MOST_TOKENS: Final = 200
"""Both from chapter 7.1 and RabbitMQ: a longer expression is not in force."""


class Malformed(Exception):
    """A text that is no filter expression; its words say where."""


class Kind(StrEnum):
    """`SYMBOL` is an operator, a bracket or a keyword: its value is its text."""

    SYMBOL = "symbol"
    NUMBER = "number"
    TEXT = "text"
    BINARY = "binary"
    BOOLEAN = "boolean"
    FIELD = "field"
    PROPERTY = "property"
    END = "end"


class Token(NamedTuple):
    """`FIELD`: a field of header or properties; `PROPERTY`: the name of an application property."""

    kind: Kind
    value: str | bytes | int | float | bool


_KEYWORDS: Final = frozenset(("AND", "OR", "NOT", "LIKE", "IN", "IS", "NULL", "ESCAPE", "UTC"))
_RESERVED: Final = frozenset(
    (
        *("and", "or", "not", "like", "in", "is", "null", "escape", "true", "false", "utc"),
        *("exists", "nan", "inf", "lower", "upper", "left", "right", "substring", "date"),
    )
)
"""What no name may be, however it is written. Names in brackets may."""
_PROPERTIES: Final = frozenset(
    (
        *("message_id", "user_id", "to", "subject", "reply_to", "correlation_id"),
        *("content_type", "content_encoding", "absolute_expiry_time", "creation_time"),
        *("group_id", "group_sequence", "reply_to_group_id"),
    )
)
_HEADER: Final = frozenset({"priority"})
_SECTIONS: Final[dict[str, tuple[Kind, frozenset[str] | None]]] = {
    "header": (Kind.FIELD, _HEADER),
    "h": (Kind.FIELD, _HEADER),
    "properties": (Kind.FIELD, _PROPERTIES),
    "p": (Kind.FIELD, _PROPERTIES),
    "application_properties": (Kind.PROPERTY, None),
    "a": (Kind.PROPERTY, None),
}
_NAME: Final = "[a-zA-Z][a-zA-Z0-9_]*"
# In this order: where two take as many characters, the first one counts. A section's name may hold
# a hyphen, so that `a-p.to` is one name, of a section that there is not.
_PATTERNS: Final = tuple(
    (name, re.compile(pattern))
    for name, pattern in {
        "space": r"[ \t\f\n\r]+",
        "symbol": r"<>|!=|>=|<=|[=<>+\-*/%(),]",
        "float": r"[0-9]+\.[0-9]+(?:E[+-]?[0-9]+)?",
        "integer": r"[0-9]+",
        "text": r"'(?:[^']|'')*'|\"(?:[^\"]|\"\")*\"",
        "binary": r"0x(?:[0-9A-F][0-9A-F])+",
        "section": rf"[a-zA-Z][a-zA-Z_-]*\.{_NAME}",
        "brackets": r"\[(?:[^\[\]]|\[\[|\]\])*\]",
        "name": _NAME,
    }.items()
)


def tokens(text: str) -> list[Token]:
    """What the text consists of, with END behind it; raises Malformed."""
    if len(text) > MOST_CHARACTERS:
        raise Malformed(f"it has more than {MOST_CHARACTERS} characters")
    found: list[Token] = []
    at = 0
    while at < len(text):
        matches = [(name, match) for name, one in _PATTERNS if (match := one.match(text, at))]
        if not matches:
            raise Malformed(f"'{text[at]}' stands for nothing")
        # max() keeps the first of equally long ones.
        name, longest = max(matches, key=lambda each: each[1].end())
        at = longest.end()
        if name != "space":
            found.append(_token(name, longest.group()))
    if len(found) > MOST_TOKENS:
        raise Malformed(f"it has more than {MOST_TOKENS} tokens")
    return [*found, Token(Kind.END, "")]


def _token(name: str, text: str) -> Token:
    match name:
        case "symbol":
            return Token(Kind.SYMBOL, "<>" if text == "!=" else text)
        case "float" | "integer":
            return Token(Kind.NUMBER, _number(text))
        case "text":
            quote = text[0]
            return Token(Kind.TEXT, text[1:-1].replace(quote * 2, quote))
        case "binary":
            return Token(Kind.BINARY, bytes.fromhex(text[2:]))
        case "section":
            return _of_section(text)
        case "brackets":
            return _in_brackets(text[1:-1])
    return _name(text)


def _number(text: str) -> int | float:
    if "." not in text:
        return int(text)
    value = float(text)
    if value == float("inf"):
        raise Malformed(f"{text} is too large")
    return value


def _of_section(text: str) -> Token:
    section, _, name = text.partition(".")
    kind, fields = _SECTIONS.get(section, (Kind.FIELD, frozenset[str]()))
    if fields is not None and name not in fields:
        raise Malformed(f"there is no field {text}")
    return Token(kind, name)


def _in_brackets(text: str) -> Token:
    if any(is_control(each) for each in text):
        raise Malformed("a name holds a control character")
    return Token(Kind.PROPERTY, text.replace("[[", "[").replace("]]", "]"))


def _name(text: str) -> Token:
    if text in _KEYWORDS:
        return Token(Kind.SYMBOL, text)
    if text in ("TRUE", "FALSE"):
        return Token(Kind.BOOLEAN, text == "TRUE")
    if text.lower() in _RESERVED:
        raise Malformed(f"'{text}' is reserved: write keywords in capitals, such a name in [ ]")
    return Token(Kind.PROPERTY, text)


def is_control(character: str) -> bool:
    return character < " " or character == "\x7f"
