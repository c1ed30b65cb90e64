"""A filter taken apart: the conditions that must all hold, and what some of them say alone."""

import time
from collections.abc import Callable, Iterable
from typing import Any

from .compiler import Compiler, Filter
from .fields import MESSAGES, Subject
from .syntax import And, Node, Not, Or, Term, parse


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
        case Term():
            known = subject.find(node.field)
            return None if known is None else frozenset((known[0].name,))
        case _:
            return None
