"""How a path's function refuses."""

from __future__ import annotations

from typing import Any, Final

_OF_A_LINE: Final = 77
_LINES: Final = ",\n "

NOT_FOUND = {"error": "Object Not Found", "reason": "Not Found"}


class Refused(Exception):
    """`status` with a JSON body of `error` and `reason`."""

    def __init__(self, status: int, error: str, reason: str | list[Any]) -> None:
        super().__init__(reason)
        self.status = status
        self.body = {"error": error, "reason": reason}


def not_found() -> Refused:
    return Refused(404, NOT_FOUND["error"], NOT_FOUND["reason"])


def bad_request(reason: str) -> Refused:
    return Refused(400, "bad_request", reason)


def invalid(problem: str) -> Refused:
    """Of what RabbitMQ keeps as a parameter; clients look for these words."""
    return bad_request(f"Validation failed\n\n{problem}\n")


def missing(*names: str) -> Refused:
    """Of a body that lacks these, as Erlang prints a list: one that is long in lines."""
    terms = [f"{{key_missing,{name}}}" for name in names]
    line = ",".join(terms)
    return bad_request(f"[{line if len(line) <= _OF_A_LINE else _LINES.join(terms)}]")
