"""A filter taken apart: the conditions that must all hold, and what some of them say alone."""

import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from typing import Any, Final, NamedTuple

from .compiler import Compiler, Filter
from .fields import MESSAGES, Subject
from .syntax import And, Node, Not, Or, Term, parse

_HAD: Final = {"key": "key", "payload": "body", "header": "header", "error": "error"}
"""The fields that `has:` asks for."""


class Asked(NamedTuple):
    """A term that asks about a field, and which rows are as it says.

    `denied`: the filter wants others (`-op:Fetch`, `op!=Fetch`); `matches` is of those that it
    names all the same.
    """

    field: str
    term: Term
    matches: Callable[[Any], bool]
    denied: bool


def conditions(
    text: str, subject: Subject = MESSAGES, *, wall: Callable[[], float] = time.time
) -> tuple[Filter, ...]:
    """What must all hold for a filter to match, each with its own text; raises FilterError."""
    tree = parse(text)
    parts = tree.parts if isinstance(tree, And) else (tree,) if tree is not None else ()
    protocol = Compiler(subject, wall).only_protocol(parts)
    found = []
    for part in parts:
        start, end = _span(part)
        matches = Compiler(subject, wall).function(part, protocol)
        found.append(Filter(text[start:end], matches, fields=_fields(part, subject)))
    return tuple(found)


def reduced(terms: Iterable[Filter], fields: frozenset[str]) -> Callable[[Any], bool] | None:
    """What the conditions of a filter say that are about these fields alone; None where none is.

    Where that does not match, the filter does not match either.
    """
    found = tuple(each.matches for each in terms if each.is_about(fields))
    if len(found) > 1:
        return lambda row: all(matches(row) for matches in found)
    return found[0] if found else None


def terms_about(text: str, fields: frozenset[str], subject: Subject = MESSAGES) -> Iterator[Asked]:
    """The terms of a filter that ask about one of these fields, wherever they stand in it."""
    tree = parse(text)
    for term, denied in () if tree is None else _terms(tree, denied=False):
        known = subject.find(term.field)
        if known is not None and known[0].name in fields:
            positive = replace(term, op=":") if term.op == "!=" else term
            matches = Compiler(subject, time.time).function(positive)
            yield Asked(known[0].name, term, matches, denied is not (term.op == "!="))


def _terms(node: Node, *, denied: bool) -> Iterator[tuple[Term, bool]]:
    match node:
        case And(parts) | Or(parts):
            for part in parts:
                yield from _terms(part, denied=denied)
        case Not(inner):
            yield from _terms(inner, denied=not denied)
        case Term():
            yield node, denied


def _span(node: Node) -> tuple[int, int]:
    match node:
        case And(parts) | Or(parts):
            return _span(parts[0])[0], _span(parts[-1])[1]
        case Not(inner):
            start, end = _span(inner)
            return max(0, start - 1), end
        case _:
            return node.start, node.end


def _fields(node: Node, subject: Subject) -> frozenset[str] | None:
    """The names of the fields that it asks about; None where it asks about more than these."""
    match node:
        case And(parts) | Or(parts):
            found: set[str] = set()
            for part in parts:
                fields = _fields(part, subject)
                if fields is None:
                    return None
                found |= fields
            return frozenset(found)
        case Not(inner):
            return _fields(inner, subject)
        case Term(field="has") if node.value in _HAD:
            return frozenset((_HAD[node.value],))
        case Term():
            known = subject.find(node.field)
            return None if known is None else frozenset((known[0].name,))
        case _:
            return None
