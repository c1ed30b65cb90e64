"""The parts of a line with their roles, for front ends that colour them."""

import re
from dataclasses import dataclass

from .arguments import Parsed
from .language import Kind

_TEMPLATE = re.compile(r"\{\{.*?(?:\}\}|$)")


@dataclass(frozen=True, slots=True)
class Span:
    """`role`: prefix, command, target, argument, option, value, payload, template, filter,
    operator, file, error, comment."""

    start: int
    end: int
    role: str


def spans(parsed: Parsed) -> list[Span]:
    """Returns spans in order that do not overlap."""
    line = parsed.line
    if line.text.startswith("#"):
        return [Span(0, len(line.text), "comment")]
    found: list[Span] = []
    if line.prefix is not None:
        found.append(Span(line.prefix.word.start, line.prefix.value.end, "prefix"))
    for piece in parsed.pieces:
        role = _role(piece.role, piece.parameter.spec.type.name if piece.parameter
                     and piece.parameter.spec.type else "", piece.token.kind)  # fmt: skip
        found += _with_templates(piece.token.start, piece.token.text, piece.token.end, role)
    for token, role in (
        (line.pipe, "operator"),
        (line.where, "filter"),
        (line.redirect, "operator"),
        (line.into, "file"),
    ):
        if token is not None:
            found.append(Span(token.start, token.end, role))
    problem = parsed.problem
    if problem is None or problem.start >= problem.end:
        return found
    return _marked(found, problem.start, problem.end)


def _role(role: str, kind: str, token: Kind) -> str:
    if role in ("unknown", "extra"):
        return "error"
    if token is Kind.JSON or kind == "payload":
        return "payload"
    if kind in ("target", "filter") and role == "argument":
        return kind
    return role


def _with_templates(start: int, text: str, end: int, role: str) -> list[Span]:
    if "{{" not in text or end - start != len(text):
        return [Span(start, end, role)]
    found, at = [], start
    for match in _TEMPLATE.finditer(text):
        if start + match.start() > at:
            found.append(Span(at, start + match.start(), role))
        found.append(Span(start + match.start(), start + match.end(), "template"))
        at = start + match.end()
    if at < end:
        found.append(Span(at, end, role))
    return found


def _marked(found: list[Span], start: int, end: int) -> list[Span]:
    """The same spans with an error over some of them."""
    kept = []
    for span in found:
        if span.start < start:
            kept.append(Span(span.start, min(span.end, start), span.role))
        if span.end > end:
            kept.append(Span(max(span.start, end), span.end, span.role))
    kept.append(Span(start, end, "error"))
    return sorted(kept, key=lambda span: span.start)
