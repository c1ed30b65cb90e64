"""Values as RabbitMQ's refusals have them, in Erlang's notation: clients show these texts."""

from typing import Any, Final

from .wire.values import Symbol

_WIDEST: Final = 80
"""Columns, after which Erlang begins another line."""


def term(value: Any) -> str:
    """A value with its type: `{utf8,<<"text">>}`, `{uint,1}`, `true`."""
    match value:
        case None:
            return "undefined"
        case bool():
            return str(value).lower()
        case bytes():
            return f"{{binary,{binary(value.decode('latin-1'))}}}"
        case str():
            kind = "symbol" if isinstance(value, Symbol) else "utf8"
            return f"{{{kind},{binary(value)}}}"
        case list():
            return f"{{list,[{','.join(map(term, value))}]}}"
    kind = {"int": "long", "float": "double"}.get(
        type(value).__name__, type(value).__name__.lower()
    )
    return f"{{{kind},{value}}}"


def binary(text: str) -> str:
    quoted = text.replace("\\", "\\\\").replace('"', '\\"')
    if not quoted:
        return "<<>>"
    return f'<<"{quoted}"{"" if quoted.isascii() else "/utf8"}>>'


def tagged(tag: str, value: str, column: int) -> str:
    """A tuple of two, which begins at that column of a text."""
    whole = f"{{{tag},{value}}}"
    return whole if column + len(whole) < _WIDEST else f"{{{tag},\n{' ' * (column + 4)}{value}}}"
