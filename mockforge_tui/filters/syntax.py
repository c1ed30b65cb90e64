"""Text of a filter to its tree, with the place of every term.

expr = and {"or" and} ;  and = not {["and"] not} ;  not = ("not" | "!" | "-") not | atom
atom = "(" expr ")" | field op value | "@" flag | "#" seq [".." [seq]] | "phrase" | word
"""

import re
from dataclasses import dataclass

from mockforge_brokers.errors import InvalidInput

_FIELD = re.compile(r"([A-Za-z_][\w.\-$*]*(?:\[[^\]\s]*\][\w.\-]*)*)(!=|>=|<=|\^=|[:~=<>])")
_SEQUENCE = re.compile(r"#(\d+)(?:(\.\.)(\d*))?(?=[\s)]|$)")
_FLAG = re.compile(r"@([A-Za-z_]\w*)")
_SPACE = re.compile(r"\s+")


class FilterError(InvalidInput):
    """A filter that cannot be: `start` and `end` are the place in its text."""

    def __init__(self, text: str, start: int, end: int) -> None:
        super().__init__(text)
        self.text = text
        self.start = start
        self.end = max(end, start)


_STRING = re.compile(r'"(?:[^"\\]|\\.)*"', re.DOTALL)
_BEFORE_QUOTE = re.compile(r'(\\+)(")')


def quote(text: str) -> str:
    """The text in quotes, such that a filter reads exactly it."""
    return '"' + re.sub(r'(\\*)("|$)', _doubled, text) + '"'


def _doubled(found: re.Match[str]) -> str:
    return found[1] * 2 + ('\\"' if found[2] else "")


@dataclass(frozen=True, slots=True)
class Term:
    """`field op value`; the value is unquoted, and `literal` if it was quoted (no globs)."""

    field: str
    op: str
    value: str
    literal: bool
    start: int
    end: int
    value_start: int


@dataclass(frozen=True, slots=True)
class Flag:
    name: str
    start: int
    end: int


@dataclass(frozen=True, slots=True)
class Word:
    text: str
    start: int
    end: int


@dataclass(frozen=True, slots=True)
class Between:
    """Rows by their number, both ends included; `last` None is open."""

    first: int
    last: int | None
    start: int
    end: int


@dataclass(frozen=True, slots=True)
class Not:
    inner: "Node"


@dataclass(frozen=True, slots=True)
class And:
    parts: tuple["Node", ...]


@dataclass(frozen=True, slots=True)
class Or:
    parts: tuple["Node", ...]


Node = Term | Flag | Word | Between | Not | And | Or

_DEEPEST = 50


def parse(text: str) -> Node | None:
    """Returns the tree of a filter, None for an empty one; raises FilterError."""
    return _Parser(text).whole()


class _Parser:
    def __init__(self, text: str) -> None:
        self.text = text
        self.at = 0
        self.depth = 0

    def whole(self) -> Node | None:
        self.skip_space()
        if self.done():
            return None
        tree = self.either()
        if not self.done():
            raise FilterError("a ) without its (", self.at, self.at + 1)
        return tree

    def either(self) -> Node:
        parts = [self.both()]
        while self.keyword("or"):
            parts.append(self.both())
        return parts[0] if len(parts) == 1 else Or(tuple(parts))

    def both(self) -> Node:
        parts = [self.negated()]
        while not self.done() and self.text[self.at] != ")" and not self.keyword("or", peek=True):
            self.keyword("and")
            parts.append(self.negated())
        return parts[0] if len(parts) == 1 else And(tuple(parts))

    def negated(self) -> Node:
        start = self.at
        negations = 0
        while self.keyword("not") or self.sign():
            negations += 1
        if self.done() or self.text[self.at] == ")":
            raise FilterError("a term is missing here", start if negations else self.at, self.at)
        if self.keyword("or", peek=True) or self.keyword("and", peek=True):
            raise FilterError("a term is missing before this", self.at, self.word_end(self.at))
        node = self.atom()
        self.skip_space()
        return Not(node) if negations % 2 else node

    def atom(self) -> Node:
        start, text = self.at, self.text
        match text[start]:
            case "(":
                return self.group()
            case '"':
                return Word(self.quoted(), start, self.at)
            case "@":
                return self.flag()
        found = _FIELD.match(text, start)
        if found is not None:
            return self.term(found)
        sequence = _SEQUENCE.match(text, start)
        if sequence is not None:
            return self.between(sequence)
        self.at = self.word_end(start)
        return Word(text[start : self.at], start, self.at)

    def group(self) -> Node:
        start = self.at
        self.depth += 1
        if self.depth > _DEEPEST:
            raise FilterError(f"more than {_DEEPEST} ( in each other", start, start + 1)
        self.at += 1
        self.skip_space()
        tree = self.either()
        if self.done():
            raise FilterError("this ( has no )", start, start + 1)
        self.at += 1
        self.depth -= 1
        return tree

    def term(self, found: re.Match[str]) -> Term:
        start = value_start = found.end()
        self.at = start
        literal = not self.done() and self.text[start] == '"'
        if literal:
            value = self.quoted()
        else:
            self.at = self.word_end(start)
            value = self.text[start : self.at]
        if not value and not literal:
            raise FilterError(f"{found[0]} has no value", found.start(), start)
        return Term(found[1], found[2], value, literal, found.start(), self.at, value_start)

    def between(self, found: re.Match[str]) -> Between:
        self.at = found.end()
        first = int(found[1])
        last = first if not found[2] else int(found[3]) if found[3] else None
        if last is not None and last < first:
            raise FilterError(f"{found[0]} ends before it begins", found.start(), found.end())
        return Between(first, last, found.start(), found.end())

    def flag(self) -> Flag:
        found = _FLAG.match(self.text, self.at)
        if found is None:
            raise FilterError("a flag's name is missing after @", self.at, self.at + 1)
        self.at = found.end()
        return Flag(found[1], found.start(), found.end())

    def quoted(self) -> str:
        """The string at this place.

        Backslashes are escapes only before a quote, two for one, so that a regex stays whole.
        """
        found = _STRING.match(self.text, self.at)
        if found is None:
            raise FilterError("this quote is not closed", self.at, self.at + 1)
        self.at = found.end()
        body = _BEFORE_QUOTE.sub(lambda run: run[1][: len(run[1]) // 2] + run[2], found[0][1:])
        return body[:-1]

    def word_end(self, at: int) -> int:
        """Where the word ends: at a space, or at a ) that it did not open itself."""
        text, depth = self.text, 0
        while at < len(text) and not text[at].isspace():
            if text[at] == "(":
                depth += 1
            elif text[at] == ")":
                if not depth:
                    break
                depth -= 1
            at += 1
        return at

    def keyword(self, word: str, *, peek: bool = False) -> bool:
        end = self.at + len(word)
        if self.text[self.at : end].lower() != word:
            return False
        if end < len(self.text) and not (self.text[end].isspace() or self.text[end] in "()"):
            return False
        if not peek:
            self.at = end
            self.skip_space()
        return True

    def sign(self) -> bool:
        if self.done() or self.text[self.at] not in "-!":
            return False
        self.at += 1
        self.skip_space()
        return True

    def skip_space(self) -> None:
        found = _SPACE.match(self.text, self.at)
        if found is not None:
            self.at = found.end()

    def done(self) -> bool:
        return self.at >= len(self.text)
