"""What may stand at the cursor of a command line, and what is still to come."""

import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from mockforge_brokers.misbehaviour.actions import ActionKind, find

from ..filters import MESSAGES, Subject, complete_filter
from .arguments import Binder
from .language import Kind, Line, Token, read_line
from .language import quoted as in_quotes
from .registry import Arg, Command, Opt, Parameter, Registry

Candidates = Callable[[str], Sequence[tuple[str, str]]]
"""A completer's name to its values with notes, best first."""

_MOST = 50
_NEEDS_QUOTES = r"\s\"'\x00-\x1f\x7f-\x9f\udc80-\udcff"
_ONE_WORD = re.compile(rf"[^{{\[(|>#{_NEEDS_QUOTES}][^{_NEEDS_QUOTES}]*")


@dataclass(frozen=True, slots=True)
class Completion:
    """`text` in place of `start` to `end` of the line; `note` explains it."""

    start: int
    end: int
    text: str
    note: str = ""


def complete(
    registry: Registry, text: str, cursor: int, candidates: Candidates
) -> list[Completion]:
    """Returns what may replace the word that ends at the cursor, best first."""
    line = read_line(text[:cursor])
    if line.redirect is not None:
        return []
    if line.pipe is not None:
        start = line.where.start if line.where is not None else cursor
        return _filter_terms(text[:cursor], start, cursor, candidates)
    before, partial = _split(line, cursor)
    if partial.kind in (Kind.JSON, Kind.REST, Kind.COMMENT):
        return []
    if not before:
        return _ranked(partial, registry.typed_words if partial.text else registry.first_words)
    if len(before) == 1 and registry.verbs(before[0].text):
        verbs = _ranked(partial, _verbs(registry, before[0].text))
        if verbs or registry.find([before[0].text]) is None:
            return verbs
    found = registry.find([token.text for token in before[:3]])
    if found is None:
        return []
    command, length = found
    return _arguments(command, line, before[length:], partial, candidates)


def hint(registry: Registry, text: str) -> str:
    """Returns the parameters that a line has not given yet, as usage; empty without a command."""
    line = read_line(text)
    found = registry.find([token.text for token in line.words[:3]]) if line.words else None
    if found is None or line.pipe is not None or line.redirect is not None:
        return ""
    command, length = found
    binder = Binder(command, text)
    binder.take(line.words[length:])
    if binder.pending is not None:
        return binder.pending.label.partition(" ")[2]
    shown = []
    for parameter in command.parameters:
        if isinstance(parameter.spec, Arg):
            index = command.positionals.index(parameter)
            # What takes the rest of a line is given, also where options stand behind it.
            if index < binder.position or (binder.tail and index == binder.position):
                continue
        elif parameter.name in binder.values and not parameter.spec.repeat:
            continue
        shown.append(parameter.usage)
    return " ".join(shown)


def _split(line: Line, cursor: int) -> tuple[list[Token], Token]:
    """The tokens before the word at the cursor, and that word (perhaps an empty one)."""
    words = list(line.words)
    if words and (words[-1].end == cursor or words[-1].open):
        return words[:-1], words[-1]
    if line.prefix is None and len(words) == 1 and words[0].text in ("every", "repeat"):
        return [], Token(Kind.WORD, "", cursor, cursor)
    return words, Token(Kind.WORD, "", cursor, cursor)


def _verbs(registry: Registry, head: str) -> list[tuple[str, str]]:
    own = registry.own_verbs(head)
    others = [verb for verb in registry.verbs(head) if verb not in own]
    return [(verb, registry.names[f"{head} {verb}"].summary) for verb in (*own, *others)]


def _arguments(
    command: Command,
    line: Line,
    before: Sequence[Token],
    partial: Token,
    candidates: Candidates,
) -> list[Completion]:
    binder = Binder(command, line.text)
    binder.take(before)
    if binder.pending is not None:
        return _values(binder.pending, partial, partial.start, line.text, candidates)
    following = binder.next_positional()
    name, equals, _ = partial.text.partition("=")
    if equals and name in command.options:
        start = partial.start + len(name) + 1
        value = Token(Kind.WORD, line.text[start : partial.end], start, partial.end)
        return _values(command.options[name], value, start, line.text, candidates)
    if partial.text.startswith("-"):
        options = _ranked(partial, _options(command, binder))
        if options:
            return options
    if following is None:
        return [] if partial.text else _ranked(partial, _options(command, binder))
    start = binder.tail[0].start if binder.tail and not binder.tail_done else partial.start
    found = _values(following, partial, start, line.text, candidates)
    kind = find(str(binder.values.get("kind", ""))) if command.name == "fault add" else None
    if kind is not None and partial.text:
        found += _behind_scope(kind, line, partial, candidates)
    if not partial.text and not following.required:
        found += _ranked(partial, _options(command, binder))
    return found


def _behind_scope(
    kind: ActionKind, line: Line, partial: Token, candidates: Candidates
) -> list[Completion]:
    """What the action of a fault needs, where that has names."""
    leading = next((each.kind for each in kind.parameters if each.leading), None)
    if leading == "code":
        return _ranked(partial, candidates(f"codes:{line.text[: partial.start]}"))
    return _ranked(partial, candidates("malformed")) if leading == "packet" else []


def _options(command: Command, binder: Binder) -> list[tuple[str, str]]:
    found = []
    for parameter in command.parameters:
        spec = parameter.spec
        if isinstance(spec, Opt) and (spec.repeat or parameter.name not in binder.values):
            found.append((spec.names[-1], spec.help))
            found += [(name, spec.help) for name in spec.names[:-1]]
    if command.asks:
        found.append(("-y", "do not ask"))
    return [*found, ("--json", "as JSON")]


def _values(
    parameter: Parameter, partial: Token, start: int, line: str, candidates: Candidates
) -> list[Completion]:
    kind = parameter.spec.type
    if kind is None:
        return []
    if kind.completer.endswith("filter"):
        return _filter_terms(line, start, partial.end, candidates)
    if kind.values:
        return _ranked(partial, [(value, kind.notes.get(value, "")) for value in kind.values])
    if kind.completer in ("codes", "configured", "config-keys"):
        # Which ones depends on what the line is about.
        return _ranked(partial, candidates(f"{kind.completer}:{line[:start]}"))
    return _ranked(partial, candidates(kind.completer)) if kind.completer else []


def _filter_terms(
    line: str, start: int, end: int, candidates: Candidates, subject: Subject = MESSAGES
) -> list[Completion]:
    def seen(field: str) -> Iterable[tuple[str, str]]:
        return candidates(f"field:{field}")

    typed = line[start:end]
    saved = [
        Completion(start, end, f"@{name}", text)
        for name, text in candidates("filters")
        if typed and f"@{name}".startswith(typed)
    ]
    return saved + [
        Completion(start + each.start, start + each.end, each.text, each.help)
        for each in complete_filter(typed, end - start, subject, seen)
    ]


def _ranked(partial: Token, found: Sequence[tuple[str, str]]) -> list[Completion]:
    """Those that begin with what was typed, then those that have it inside."""
    typed = partial.text.lstrip("\"'")
    first = [each for each in found if each[0].startswith(typed)]
    if len(first) < _MOST:
        typed = typed.lower()
        lowered = [(each[0].lower(), each) for each in found]
        first = [each for low, each in lowered if low.startswith(typed)]
        first += [each for low, each in lowered if low.find(typed, 1) > 0] if typed else []
    return [
        Completion(partial.start, partial.end, quoted(text), note) for text, note in first[:_MOST]
    ]


def quoted(text: str) -> str:
    """A value as it is typed: in quotes if it would not be one word."""
    if _ONE_WORD.fullmatch(text) or text.startswith("-"):
        return text
    return in_quotes(text)
