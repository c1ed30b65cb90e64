"""A command line to tokens with their places, tolerant of what is not finished.

    line    = [prefix] word {argument} ["|" filter] [">" file]
    prefix  = "every" duration ":" | "repeat" count ":"
    payload = {json} | [json] | "quoted" | word | " -- " all that follows

Braces and brackets are kept whole as they were typed: there is no shell quoting inside of JSON.
A `|` or `>` counts only as a word of its own. A line that begins with # is a comment.
"""

import re
from dataclasses import dataclass
from enum import Enum

_SPACE = re.compile(r"\s+")
_OPTION = re.compile(r"--?[A-Za-z]")
_PLAIN = re.compile(r"[^\s\"'{]+")
_PLAIN_IN_STRING = re.compile(r"[^\\\"'{]+")
_PLAIN_IN_JSON = re.compile(r"[^\"{}\[\]]+")
_QUOTE_AFTER = ":=~<>^(,"
"""A quote within a word opens a quoted part only behind one of these (`key="a b"`, not `it's`)."""


class Kind(Enum):
    WORD = "word"
    OPTION = "option"
    STRING = "string"
    JSON = "json"
    GROUP = "group"
    REST = "rest"
    PIPE = "pipe"
    REDIRECT = "redirect"
    COMMENT = "comment"


@dataclass(frozen=True, slots=True)
class Problem:
    """What is wrong with a line, and where."""

    text: str
    start: int
    end: int


class PlacedError(ValueError):
    """What is wrong within a token; the place counts from the token's first character."""

    def __init__(self, text: str, start: int, end: int) -> None:
        super().__init__(text)
        self.start = start
        self.end = end


@dataclass(frozen=True, slots=True)
class Token:
    """`text` is as typed; `open` says that its closing quote or brace is still to come."""

    kind: Kind
    text: str
    start: int
    end: int
    open: bool = False

    @property
    def value(self) -> str:
        """The text as it is meant: without quotes."""
        if self.kind is Kind.STRING:
            return unquoted(self.text)
        if self.kind in (Kind.WORD, Kind.OPTION) and ('"' in self.text or "'" in self.text):
            return _unquoted_parts(self.text)
        return self.text


@dataclass(frozen=True, slots=True)
class Prefix:
    """`every 5s:` (seconds) or `repeat 3:` (count), still as text."""

    word: Token
    value: Token

    @property
    def text(self) -> str:
        return self.value.text.removesuffix(":")


@dataclass(frozen=True, slots=True)
class Line:
    """A line in its parts; `words` are the command's name and arguments."""

    text: str
    words: tuple[Token, ...]
    prefix: Prefix | None = None
    pipe: Token | None = None
    where: Token | None = None
    redirect: Token | None = None
    into: Token | None = None
    problem: Problem | None = None


def lex(text: str) -> list[Token]:
    """Returns the tokens of a line; whatever is in it, nothing is raised."""
    if text.startswith("#"):
        return [Token(Kind.COMMENT, text, 0, len(text))]
    tokens: list[Token] = []
    at = _after_space(text, 0)
    while at < len(text):
        token = _token(text, at)
        if token.kind is Kind.REST:
            tokens.append(token)
            break
        tokens.append(token)
        at = _after_space(text, token.end)
    return tokens


def read_line(text: str) -> Line:
    """Returns the parts of a line; `problem` tells what does not fit together."""
    tokens = [token for token in lex(text) if token.kind is not Kind.COMMENT]
    prefix, tokens = _split_prefix(tokens)
    cut = next((i for i, t in enumerate(tokens) if t.kind in (Kind.PIPE, Kind.REDIRECT)), None)
    if cut is None:
        return Line(text, tuple(tokens), prefix, problem=_unclosed(tokens))
    words, rest = tuple(tokens[:cut]), tokens[cut:]
    pipe = where = redirect = into = None
    if rest[0].kind is Kind.PIPE:
        pipe = rest[0]
        end = next((i for i, t in enumerate(rest) if t.kind is Kind.REDIRECT), len(rest))
        where = _joined(text, rest[1:end])
        rest = rest[end:]
    if rest:
        redirect, into = rest[0], rest[1] if len(rest) > 1 else None
    problem = _unclosed(words) or _tail_problem(pipe, where, redirect, rest)
    return Line(text, words, prefix, pipe, where, redirect, into, problem)


def unquoted(text: str) -> str:
    """A quoted string without its quotes; a backslash escapes the quote, itself, n, t, r.

    `\\xff` is a byte: names and payloads may have those that are no UTF-8.
    """
    quote = text[0]
    body = text[1:-1] if len(text) > 1 and text.endswith(quote) else text[1:]
    return _ESCAPED.sub(_meant, body)


def quoted(text: str) -> str:
    """The text in double quotes, such that `unquoted` gives it back."""
    return '"' + _TO_ESCAPE.sub(_spelled, text) + '"'


def _meant(found: re.Match[str]) -> str:
    if found[1]:
        return _ESCAPES[found[1]]
    octets = bytes.fromhex(found[2].replace("\\x", ""))
    return octets.decode("utf-8", "surrogateescape")


def _spelled(found: re.Match[str]) -> str:
    known = _SPELLED.get(found[0])
    return known or "".join(f"\\x{each:02x}" for each in found[0].encode(errors="surrogateescape"))


_ESCAPED = re.compile(r"\\([\"'\\ntr])|((?:\\x[0-9A-Fa-f]{2})+)")
_TO_ESCAPE = re.compile('["\\\\\x00-\x1f\x7f-\x9f\udc80-\udcff]')
_SPELLED = {'"': '\\"', "\\": "\\\\", "\n": "\\n", "\t": "\\t", "\r": "\\r"}
_ESCAPES = {'"': '"', "'": "'", "\\": "\\", "n": "\n", "t": "\t", "r": "\r"}


def _token(text: str, at: int) -> Token:
    match text[at]:
        case "{" | "[" if not text.startswith("{{", at):
            end, closed = _skip_json(text, at)
            return _whole(Kind.JSON, text, at, end, closed)
        case "(":
            end, closed = _skip_group(text, at)
            return _whole(Kind.GROUP, text, at, end, closed)
        case '"' | "'":
            end, closed = _skip_string(text, at)
            return _whole(Kind.STRING, text, at, end, closed)
    end, closed = _skip_word(text, at)
    word = text[at:end]
    match word:
        case "|":
            return Token(Kind.PIPE, word, at, end)
        case ">":
            return Token(Kind.REDIRECT, word, at, end)
        case "--":
            start = end + 1 if end < len(text) else end
            return Token(Kind.REST, text[start:], at, len(text))
    kind = Kind.OPTION if _OPTION.match(word) else Kind.WORD
    return Token(kind, word, at, end, not closed)


def _whole(kind: Kind, text: str, at: int, end: int, closed: bool) -> Token:
    """A bracketed token; what is glued to its end belongs to it, as the word that it then is."""
    if closed and end < len(text) and not text[end].isspace():
        end, closed = _skip_word(text, end)
        kind = Kind.WORD
    return Token(kind, text[at:end], at, end, not closed)


def _skip_word(text: str, at: int) -> tuple[int, bool]:
    start = at
    while at < len(text) and not text[at].isspace():
        plain = _PLAIN.match(text, at)
        if plain is not None:
            at = plain.end()
        elif text.startswith("{{", at):
            at, closed = _skip_template(text, at)
            if not closed:
                return at, False
        elif text[at] in "\"'" and at > start and text[at - 1] in _QUOTE_AFTER:
            at, closed = _skip_string(text, at)
            if not closed:
                return at, False
        else:
            at += 1
    return at, True


def _skip_string(text: str, at: int) -> tuple[int, bool]:
    quote = text[at]
    at += 1
    while at < len(text):
        plain = _PLAIN_IN_STRING.match(text, at)
        if plain is not None:
            at = plain.end()
        elif text[at] == "\\":
            at += 2
        elif text[at] == quote:
            return at + 1, True
        elif text.startswith("{{", at):
            # Quotes in a template are its own: "{{choice "a" "b"}}".
            end, closed = _skip_template(text, at)
            at = end if closed else at + 2
        else:
            at += 1
    return len(text), False


def _skip_template(text: str, at: int) -> tuple[int, bool]:
    end = text.find("}}", at + 2)
    return (len(text), False) if end < 0 else (end + 2, True)


def _skip_json(text: str, at: int) -> tuple[int, bool]:
    depth = 0
    while at < len(text):
        plain = _PLAIN_IN_JSON.match(text, at)
        if plain is not None:
            at = plain.end()
            continue
        character = text[at]
        if character == '"':
            at, closed = _skip_string(text, at)
            if not closed:
                break
            continue
        if text.startswith("{{", at) and text[at + 2 : at + 3] not in ("", '"', "{", "}"):
            at, closed = _skip_template(text, at)
            if not closed:
                break
            continue
        if character in "{[":
            depth += 1
        elif character in "}]":
            depth -= 1
            if depth == 0:
                return at + 1, True
        at += 1
    return len(text), False


def _skip_group(text: str, at: int) -> tuple[int, bool]:
    depth = 0
    while at < len(text):
        match text[at]:
            case '"':
                at, closed = _skip_string(text, at)
                if not closed:
                    break
                continue
            case "(":
                depth += 1
            case ")":
                depth -= 1
                if depth == 0:
                    return at + 1, True
        at += 1
    return len(text), False


def _unquoted_parts(text: str) -> str:
    parts, at = [], 0
    while at < len(text):
        if text.startswith("{{", at):
            end, _ = _skip_template(text, at)
        elif text[at] in "\"'" and at and text[at - 1] in _QUOTE_AFTER:
            end, _ = _skip_string(text, at)
            parts.append(unquoted(text[at:end]))
            at = end
            continue
        else:
            end = at + 1
        parts.append(text[at:end])
        at = end
    return "".join(parts)


def _after_space(text: str, at: int) -> int:
    found = _SPACE.match(text, at)
    return found.end() if found is not None else at


def _split_prefix(tokens: list[Token]) -> tuple[Prefix | None, list[Token]]:
    if (
        len(tokens) > 1
        and tokens[0].text in ("every", "repeat")
        and tokens[1].kind is Kind.WORD
        and tokens[1].text.endswith(":")
    ):
        return Prefix(tokens[0], tokens[1]), tokens[2:]
    return None, tokens


def _joined(text: str, tokens: list[Token]) -> Token | None:
    if not tokens:
        return None
    start, end = tokens[0].start, tokens[-1].end
    return Token(Kind.WORD, text[start:end], start, end)


_UNCLOSED = {
    Kind.JSON: "a brace or bracket is not closed",
    Kind.STRING: "this quote is not closed",
    Kind.GROUP: "this ( has no )",
}


def _unclosed(tokens: list[Token] | tuple[Token, ...]) -> Problem | None:
    for token in tokens:
        if token.open:
            text = _UNCLOSED.get(token.kind, "a quote or {{ is not closed")
            return Problem(text, token.start, token.end)
    return None


def _tail_problem(
    pipe: Token | None, where: Token | None, redirect: Token | None, rest: list[Token]
) -> Problem | None:
    if pipe is not None and where is None:
        return Problem("a filter is missing behind the |", pipe.start, pipe.end)
    if redirect is None:
        return None
    if len(rest) < 2:
        return Problem("a file is missing behind the >", redirect.start, redirect.end)
    if len(rest) > 2:
        text = "one file goes behind the > (a comparison has no spaces: size>1k)"
        return Problem(text, rest[2].start, rest[-1].end)
    return None
