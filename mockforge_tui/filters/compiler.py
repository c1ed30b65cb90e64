"""The tree of a filter to one Python function, cheap terms first."""

import re
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, assert_never

from mockforge_brokers.protocols import PROTOCOLS

from .. import units
from ..nearest import get_close_matches
from .addresses import address_test
from .fields import MESSAGES, Field, Subject
from .json_path import JsonReader, parse_path
from .patterns import SEARCHED, glob_regex, is_glob, is_topic_filter, regex_reach
from .syntax import And, Between, FilterError, Flag, Node, Not, Or, Term, Word, parse

_LONGEST = 4_000
_SHORT_TEXT = 1_024
"""Characters of a name that a regular expression sees."""

_OPERATORS = {
    "text": ": = != ~ ^=",
    "name": ": = != ~ ^=",
    "topic": ": = != ~ ^=",
    "bytes": ": = != ~ ^=",
    "address": ": = != ~ ^=",
    "number": ": = != > < >= <=",
    "size": ": = != > < >= <=",
    "duration": "> < >= <=",
    "flag": ": = !=",
    "any": ": = != ~ ^= > < >= <=",
}
_PROTOCOLS = {each.letter.lower(): name for name, each in PROTOCOLS.items()}
_TRUTH = {"true": True, "yes": True, "1": True, "false": False, "no": False, "0": False}


@dataclass(frozen=True, slots=True, eq=False)
class Filter:
    """A compiled filter; call it with a row. `notes` say what it does not look at.

    `fields` are the names of those that a condition asks about; None: it asks about others too.
    """

    text: str
    matches: Callable[[Any], bool]
    notes: tuple[str, ...] = ()
    fields: frozenset[str] | None = None

    def __call__(self, row: Any) -> bool:
        return self.matches(row)

    def is_about(self, fields: frozenset[str]) -> bool:
        """Whether a condition asks about these fields alone."""
        return self.fields is not None and self.fields <= fields


def compile_filter(
    text: str, subject: Subject = MESSAGES, *, wall: Callable[[], float] = time.time
) -> Filter:
    """Returns the filter of a text (an empty one matches all); raises FilterError.

    `wall` is the clock that `age` is measured by.
    """
    if len(text) > _LONGEST:
        raise FilterError(f"more than {_LONGEST} characters", _LONGEST, len(text))
    tree = parse(text)
    if tree is None:
        return Filter(text, lambda row: True)
    compiler = Compiler(subject, wall)
    return Filter(text, compiler.function(tree), tuple(compiler.notes))


@dataclass(frozen=True, slots=True)
class _Code:
    cost: int
    source: str


class Compiler:
    """Writes expressions; what is not a plain literal goes by name into the function's globals.

    No text of the filter gets into the source but as the repr of a str, bytes or number.
    """

    def __init__(self, subject: Subject, wall: Callable[[], float]) -> None:
        self.subject = subject
        self.names: dict[str, Any] = {"wall": wall, "json_of": JsonReader(), **subject.helpers}
        self.notes: list[str] = []
        self.count = 0

    def function(self, node: Node, protocol: str = "") -> Callable[[Any], bool]:
        """What a row matches, of which this is the protocol if one is named."""
        source = f"def matches(r):\n    return {self.node(node, protocol).source}\n"
        exec(compile(source, "<filter>", "exec"), self.names)
        matches: Callable[[Any], bool] = self.names["matches"]
        return matches

    def node(self, node: Node, protocol: str = "") -> _Code:
        match node:
            case And(parts):
                protocol = self.only_protocol(parts) or protocol
                codes = sorted((self.node(part, protocol) for part in parts), key=_by_cost)
                return self.joined(codes, "and")
            case Or(parts):
                codes = sorted((self.node(part, protocol) for part in parts), key=_by_cost)
                return self.joined(codes, "or")
            case Not(inner):
                code = self.node(inner, protocol)
                return _Code(code.cost, f"not {code.source}")
            case Term():
                return self.term(node, protocol)
            case Flag():
                return self.flag(node)
            case Word():
                return self.word(node)
            case Between():
                return self.between(node)
            case _:
                assert_never(node)

    def joined(self, codes: list[_Code], word: str) -> _Code:
        source = f" {word} ".join(code.source for code in codes)
        return _Code(sum(code.cost for code in codes), f"({source})")

    def only_protocol(self, parts: tuple[Node, ...]) -> str:
        """The protocol that all rows of an and-list have, if one is named."""
        for part in parts:
            if isinstance(part, Term) and part.op in ":=":
                found = self.subject.find(part.field)
                if found is not None and found[0].code == "r.protocol":
                    return _PROTOCOLS.get(part.value.lower(), part.value.lower())
        return ""

    # Terms -------------------------------------------------------------------------------

    def term(self, term: Term, protocol: str) -> _Code:
        if term.field.lower() == "has" and self.subject.has:
            return self.has(term)
        found = self.subject.find(term.field)
        if found is None:
            raise self.unknown_field(term)
        field, path = found
        if field.protocol and protocol and field.protocol != protocol:
            raise FilterError(
                f"{field.name} is a field of {field.protocol}, this filter is about {protocol}",
                term.start,
                term.start + len(term.field),
            )
        if term.op not in _OPERATORS[field.kind].split():
            raise FilterError(
                f"{term.field} takes {_OPERATORS[field.kind]}, not {term.op}", term.start, term.end
            )
        if term.op == "!=":
            positive = self.compared(field, path, term, ":")
            return _Code(positive.cost, f"not {positive.source}")
        return self.compared(field, path, term, term.op)

    def compared(self, field: Field, path: str, term: Term, op: str) -> _Code:
        read = self.reader(field, path, term)
        try:
            match field.kind:
                case "text" | "name" | "topic":
                    source = self.text(read, field, term, op)
                case "address" if op in ":=":
                    source = f"{self.name(address_test(term.value))}({read})"
                case "address":
                    source = self.text(read, field, term, op)
                case "bytes":
                    source = self.bytes(read, term, op)
                case "number" | "size" | "duration":
                    source = self.number(read, field, term, op)
                case "flag":
                    source = self.truth(read, term)
                case "any":
                    source = f"{self.name(_anything(term, op))}({read})"
                case _:
                    assert_never(field.kind)
        except ValueError as error:
            raise FilterError(str(error), term.value_start, term.end) from None
        heavy = 4 if op == "~" else 0
        return _Code(field.cost + heavy, source)

    def reader(self, field: Field, path: str, term: Term) -> str:
        if not field.path:
            return field.code
        if field.name != "json":
            return field.code.format(path=repr(path))
        try:
            steps = parse_path(path)
        except ValueError as error:
            raise FilterError(str(error), term.start, term.start + len(term.field)) from None
        return field.code.format(path=self.name(steps))

    def text(self, read: str, field: Field, term: Term, op: str) -> str:
        value = term.value
        if field.kind == "name":
            value = value.lower()
            read = f"{read}.lower()"
        if field.values and op in ":=" and not is_glob(value):
            value = self.chosen(field, value, term)
        if op == "~":
            flags = re.IGNORECASE if field.kind == "name" else re.NOFLAG
            search = self.regex(term, _SHORT_TEXT, flags)
            return f"{search}({read}[:{_SHORT_TEXT}]) is not None"
        if op == "^=":
            return f"{read}.startswith({value!r})"
        topic_filter = field.kind == "topic" and is_topic_filter(value)
        if op == "=" or term.literal or not (is_glob(value) or topic_filter):
            if field.name == "op" and "." not in value and op != "=":
                # basic.nack is a nack to most people.
                short = self.fresh()
                return f"(({short} := {read}) == {value!r} or {short}.endswith({'.' + value!r}))"
            return f"{read} == {value!r}"
        simple = None if topic_filter else _simple_glob(value)
        if simple is not None:
            return simple.format(read=read)
        pattern = re.compile(glob_regex(value, topic_filter=topic_filter), re.DOTALL)
        return f"{self.name(pattern.fullmatch)}({read}) is not None"

    def chosen(self, field: Field, value: str, term: Term) -> str:
        if field.values == tuple(_PROTOCOLS.values()):
            value = _PROTOCOLS.get(value, value)
        if value not in field.values:
            raise ValueError(f"{term.field} is {_listed(field.values)}, not {value!r}")
        return value

    def bytes(self, read: str, term: Term, op: str) -> str:
        value = term.value.encode()
        short = self.fresh()
        present = f"({short} := {read}) is not None"
        if op == "~":
            reach = regex_reach(term.value)
            if reach < SEARCHED:
                self.notes.append(f"{term.field}~ looks at the first {reach} bytes")
            pattern = re.compile(value)
            return f"({present} and {self.name(pattern.search)}({short}[:{reach}]) is not None)"
        if op == "^=":
            return f"({present} and {short}.startswith({value!r}))"
        if op == "=" or term.literal or not is_glob(term.value):
            return f"{read} == {value!r}"
        glob = re.compile(glob_regex(term.value).encode(), re.DOTALL)
        return f"({present} and {self.name(glob.fullmatch)}({short}[:{SEARCHED}]) is not None)"

    def number(self, read: str, field: Field, term: Term, op: str) -> str:
        value: float
        if field.kind == "size":
            value = units.parse_size(term.value)
        elif field.kind == "duration":
            value = units.parse_duration(term.value)
        else:
            value = _number(term.value.removeprefix("c") if field.name == "conn" else term.value)
        if op in ":=":
            return f"{read} == {value!r}"
        if not read.startswith("r.detail"):
            return f"{read} {op} {value!r}"
        # Whatever a detail holds, a comparison must not raise: it runs inside the brokers.
        short = self.fresh()
        return f"(isinstance({short} := {read}, int) and {short} {op} {value!r})"

    def truth(self, read: str, term: Term) -> str:
        value = _TRUTH.get(term.value.lower())
        if value is None:
            raise ValueError(f"{term.field} is true or false, not {term.value!r}")
        return f"bool({read})" if value else f"(not {read})"

    def regex(self, term: Term, length: int, flags: re.RegexFlag) -> str:
        reach = regex_reach(term.value)
        if reach < length:
            self.notes.append(f"{term.field}~ looks at the first {reach} characters")
        search = re.compile(term.value, flags).search
        if reach >= length:
            return self.name(search)
        return self.name(lambda text: search(text[:reach]))

    def has(self, term: Term) -> _Code:
        code = self.subject.has.get(term.value.lower())
        if code is None or term.op not in (":", "=", "!="):
            raise FilterError(f"has: takes {_listed(self.subject.has)}", term.value_start, term.end)
        return _Code(1, f"(not {code})" if term.op == "!=" else f"({code})")

    # Atoms without a field ---------------------------------------------------------------

    def flag(self, flag: Flag) -> _Code:
        code = self.subject.flags.get(flag.name.lower())
        if code is None:
            known = [f"@{name}" for name in self.subject.flags]
            text = f"no flag @{flag.name}"
            hint = f"; there is {_listed(known)}" if known else f" for {self.subject.name}"
            raise FilterError(text + hint, flag.start, flag.end)
        return _Code(1, f"({code})")

    def word(self, word: Word) -> _Code:
        if not word.text:
            raise FilterError("an empty phrase", word.start, word.end)
        # A capital asks for that very case, as in vim and less.
        lower = "" if word.text != word.text.lower() else ".lower()"
        parts = [f"{word.text!r} in {text}{lower}" for text in self.subject.texts]
        for body in self.subject.bodies:
            short = self.fresh()
            parts.append(
                f"(({short} := {body}) is not None"
                f" and {word.text.encode()!r} in {short}[:{SEARCHED}]{lower})"
            )
        return _Code(12, f"({' or '.join(parts)})")

    def between(self, between: Between) -> _Code:
        number = self.subject.numbered
        if not number:
            raise FilterError(f"{self.subject.name} have no numbers", between.start, between.end)
        if between.last is None:
            return _Code(1, f"{number} >= {between.first}")
        return _Code(1, f"({between.first} <= {number} <= {between.last})")

    # Names -------------------------------------------------------------------------------

    def name(self, value: Any) -> str:
        name = self.fresh()
        self.names[name] = value
        return name

    def fresh(self) -> str:
        self.count += 1
        return f"v{self.count}"

    def unknown_field(self, term: Term) -> FilterError:
        end = term.start + len(term.field)
        head = term.field.partition(".")[0].lower()
        known = self.subject.fields.get(head)
        if known is not None and known.path:
            return FilterError(f"{head} needs a name: {head}.NAME", term.start, end)
        if head in MESSAGES.fields and self.subject is not MESSAGES:
            text = f"{term.field} does not apply to {self.subject.name}"
            return FilterError(f"{text}; they have {_listed(self.subject.fields)}", term.start, end)
        close = get_close_matches(head, [*self.subject.fields, "has"], 1)
        hint = f"; did you mean {close[0]}?" if close else '; to search text, write it in "quotes"'
        return FilterError(f"no field {term.field}{hint}", term.start, end)


def _by_cost(code: _Code) -> int:
    return code.cost


def _simple_glob(value: str) -> str | None:
    """The cheap form of `a*`, `*a` and `*a*`, as a template with {read}."""
    middle = value.strip("*")
    if "?" in value or "*" in middle or "{" in value or "}" in value:
        return None
    if not middle:
        return "True"
    starts, ends = not value.startswith("*"), not value.endswith("*")
    if starts:
        return f"{{read}}.startswith({middle!r})"
    return f"{{read}}.endswith({middle!r})" if ends else f"{middle!r} in {{read}}"


def _anything(term: Term, op: str) -> Callable[[Any], bool]:
    """A test of a value whose type is known only when it comes; a list matches by any member."""
    test = _ordered(term, op) if op in ("<", ">", "<=", ">=") else _alike(term, op)

    def matches(value: Any) -> bool:
        if value is None:
            return test("null") if op in ":=" and term.value == "null" else False
        if isinstance(value, list | tuple):
            return any(test(each) for each in value)
        return test(value)

    return matches


def _ordered(term: Term, op: str) -> Callable[[Any], bool]:
    limit = _quantity(term.value)

    def matches(value: Any) -> bool:
        if isinstance(value, str):
            try:
                value = float(value)
            except ValueError:
                return False
        if not isinstance(value, int | float):
            return False
        match op:
            case "<":
                return value < limit
            case ">":
                return value > limit
            case "<=":
                return value <= limit
            case _:
                return value >= limit

    return matches


def _alike(term: Term, op: str) -> Callable[[Any], bool]:
    wanted = term.value
    if op == "~":
        reach = regex_reach(wanted)
        search = re.compile(wanted).search
        return lambda value: search(_spelled(value)[:reach]) is not None
    if op == "^=":
        return lambda value: _spelled(value).startswith(wanted)
    if op == ":" and is_glob(wanted) and not term.literal:
        glob = re.compile(glob_regex(wanted), re.DOTALL).fullmatch
        return lambda value: glob(_spelled(value)[:SEARCHED]) is not None
    try:
        number = float(wanted)
    except ValueError:
        return lambda value: _spelled(value) == wanted

    def equals(value: Any) -> bool:
        if isinstance(value, int | float) and not isinstance(value, bool):
            return value == number
        return _spelled(value) == wanted

    return equals


def _spelled(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    return value if isinstance(value, str) else str(value)


def _number(text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        raise ValueError(f"{text!r} is not a number") from None
    if value != value or value in (float("inf"), float("-inf")):
        raise ValueError(f"{text!r} is not a number")
    return int(value) if value == int(value) else value


def _quantity(text: str) -> float:
    """A number, a size or a duration (in seconds)."""
    for read in (_number, units.parse_duration, units.parse_size):
        try:
            return read(text)
        except ValueError:
            continue
    raise ValueError(f"{text!r} is not a number, a size or a duration")


def _listed(names: Any) -> str:
    *most, last = names
    return f"{', '.join(most)} or {last}" if most else str(last)
