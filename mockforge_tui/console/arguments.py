"""Tokens of a line to the arguments of its command, with the place of every mistake."""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from ..filters import FilterError
from ..nearest import get_close_matches
from .language import Kind, Line, PlacedError, Problem, Token, read_line
from .registry import Arg, Command, Opt, Parameter, Registry

YES = ("-y", "--yes")
JSON = ("--json",)
_HALF = re.compile("[\ud800-\udc7f\udd00-\udfff]")
"""Surrogates that stand for no byte: a JSON text may bring them, nothing can carry them."""


@dataclass(frozen=True, slots=True)
class Piece:
    """A token and what it is: command, argument, option, value, unknown or extra."""

    token: Token
    role: str
    parameter: Parameter | None = None


@dataclass(frozen=True, slots=True)
class Call:
    """A command with its arguments, ready to run."""

    command: Command
    values: dict[str, Any]
    places: dict[str, tuple[int, int]]
    yes: bool = False
    json: bool = False


@dataclass(frozen=True, slots=True)
class Parsed:
    """A line understood as far as it goes: `call` or `problem`; neither for an empty line."""

    line: Line
    pieces: tuple[Piece, ...] = ()
    command: Command | None = None
    call: Call | None = None
    problem: Problem | None = None


Readers = Mapping[str, Callable[[Token], Any]]
"""What parses the types that name a reader."""


def parse(registry: Registry, text: str, readers: Readers | None = None) -> Parsed:
    """Returns what a line asks for, or its first mistake."""
    line = read_line(text)
    words = line.words
    half = _HALF.search(text)
    if half is not None:
        text = "this is half of a character that has two"
        return Parsed(line, problem=Problem(text, half.start(), half.end()))
    if not words:
        missing = line.prefix or line.pipe or line.redirect
        problem = Problem("a command is missing", len(text), len(text)) if missing else None
        return Parsed(line, problem=line.problem or problem)
    found = registry.find([word.text for word in words[:3]])
    if found is None:
        known = words[:1] if registry.verbs(words[0].text) else ()
        wrong = words[len(known)] if len(words) > len(known) else words[0]
        text = registry.explain_unknown([word.text for word in words[:3]])
        pieces = tuple(Piece(word, "command" if word in known else "unknown") for word in words)
        return Parsed(line, pieces, problem=Problem(text, wrong.start, wrong.end))
    command, length = found
    binder = Binder(command, line.text, readers or {})
    binder.pieces += [Piece(word, "command") for word in words[:length]]
    binder.take(words[length:])
    call = binder.finish(words[-1].end)
    problem = line.problem or binder.problem
    return Parsed(line, tuple(binder.pieces), command, None if problem else call, problem)


@dataclass(slots=True)
class Binder:
    """Gives tokens to parameters one by one; `pending` is an option that waits for its value."""

    command: Command
    line: str
    readers: Readers = field(default_factory=dict)
    pieces: list[Piece] = field(default_factory=list)
    values: dict[str, Any] = field(default_factory=dict)
    places: dict[str, tuple[int, int]] = field(default_factory=dict)
    problem: Problem | None = None
    pending: Parameter | None = None
    position: int = 0
    tail: list[Token] = field(default_factory=list)
    tail_done: bool = False
    yes: bool = False
    json: bool = False

    def take(self, tokens: Sequence[Token]) -> None:
        for token in tokens:
            if self.pending is not None:
                parameter, self.pending = self.pending, None
                self.give(parameter, token, "value")
            elif token.kind is Kind.OPTION and self.option(token):
                self.tail_done = bool(self.tail)
            else:
                self.positional(token)

    def next_positional(self) -> Parameter | None:
        """The parameter that the next plain token would go to."""
        positionals = self.command.positionals
        if self.tail and not self.tail_done:
            return positionals[self.position]
        after = self.position + bool(self.tail)
        return positionals[after] if after < len(positionals) else None

    def option(self, token: Token) -> bool:
        """Takes an option's token; False if it may be something else (a filter's `-op:x`)."""
        name, equals, value = token.text.partition("=")
        parameter = self.command.options.get(name)
        if parameter is None and not token.text.startswith("--") and len(token.text) > 2:
            name, equals, value = token.text[:2], "=", token.text[2:]
            parameter = self.command.options.get(name)
            if parameter is not None and parameter.spec.type is None:
                parameter = None
        if parameter is None:
            return self.common_option(token)
        if parameter.spec.type is None:
            if equals:
                self.fail(f"{name} takes no value", token.start, token.end)
            self.values[parameter.name] = True
            self.pieces.append(Piece(token, "option", parameter))
        elif equals:
            start = token.end - len(value)
            self.give(parameter, Token(_kind(value), value, start, token.end), "option")
        else:
            self.pending = parameter
            self.pieces.append(Piece(token, "option", parameter))
            self.places.setdefault(parameter.name, (token.start, token.end))
        return True

    def common_option(self, token: Token) -> bool:
        if token.text in YES:
            self.yes = True
        elif token.text in JSON:
            self.json = True
        else:
            following = self.next_positional()
            if following is not None and isinstance(following.spec, Arg) and following.spec.tail:
                return False
            known = [*self.command.options, *JSON, *(YES if self.command.asks else ())]
            close = get_close_matches(token.text, known, 1)
            hint = f"did you mean {close[0]}?" if close else f"it takes {', '.join(known)}"
            text = f"{self.command.name} has no option {token.text}; {hint}"
            self.pieces.append(Piece(token, "unknown"))
            self.fail(text, token.start, token.end)
            return True
        self.pieces.append(Piece(token, "option"))
        return True

    def positional(self, token: Token) -> None:
        parameter = self.next_positional()
        if parameter is None:
            self.pieces.append(Piece(token, "extra"))
            self.fail(self.too_much(token), token.start, token.end)
        elif isinstance(parameter.spec, Arg) and parameter.spec.tail:
            self.tail.append(token)
            self.pieces.append(Piece(token, "argument", parameter))
        else:
            self.position += 1
            self.give(parameter, token, "argument")

    def too_much(self, token: Token) -> str:
        last = self.command.positionals[-1] if self.command.positionals else None
        if last is not None and last.spec.type is not None and last.spec.type.name == "payload":
            return 'a payload is one JSON value, word or "string"; put -- before a longer text'
        if self.tail:
            last_place = f"what belongs to it stands before the first option of {self.command.name}"
            return f"{token.text} is too late: {last_place}"
        return f"too much for {self.command.name}; it is: {self.command.usage}"

    def give(self, parameter: Parameter, token: Token, role: str) -> None:
        self.pieces.append(Piece(token, role, parameter))
        spec = parameter.spec
        assert spec.type is not None
        self.places[parameter.name] = (token.start, token.end)
        try:
            value = self.readers.get(spec.type.reader, spec.type.parse)(token)
        except (FilterError, PlacedError) as error:
            self.fail(str(error), token.start + error.start, token.start + error.end)
        except ValueError as error:
            self.fail(str(error), token.start, token.end)
        else:
            if isinstance(spec, Opt) and spec.repeat:
                value = (*self.values.get(parameter.name, ()), value)
            self.values[parameter.name] = value

    def finish(self, end: int) -> Call:
        """Completes the call; `problem` tells what is missing."""
        if self.tail:
            parameter = self.command.positionals[self.position]
            self.position += 1
            start, stop = self.tail[0].start, self.tail[-1].end
            pieces = len(self.pieces)
            self.give(parameter, Token(Kind.WORD, self.line[start:stop], start, stop), "argument")
            del self.pieces[pieces:]
        if self.pending is not None:
            text = f"a value is missing: {self.pending.label}"
            self.fail(text, *self.places[self.pending.name])
        missing = next((p for p in self.command.positionals[self.position :] if p.required), None)
        if missing is not None:
            self.fail(f"{missing.label} is missing: {self.command.usage}", end, end)
        return Call(self.command, self.values, self.places, self.yes, self.json)

    def fail(self, text: str, start: int, end: int) -> None:
        if self.problem is None:
            self.problem = Problem(text, start, end)


def _kind(value: str) -> Kind:
    return Kind.STRING if value[:1] in ("'", '"') else Kind.WORD
