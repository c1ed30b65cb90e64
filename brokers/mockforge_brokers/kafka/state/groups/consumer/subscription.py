"""Which topics a member reads: those it names, and those that its regular expression matches."""

import re
from collections.abc import Iterable
from functools import lru_cache
from typing import Any, Final

from .....errors import RequestRefused
from ....codes import ErrorCode

_NOT_RE2: Final = re.compile(r"\(\?(?:[=!>(]|<[=!]|P=)|\\[1-9]|[*+?}]\+")
"""What Python's expressions have and RE2's have not: looking around, back references, and so on."""


@lru_cache(maxsize=1024)
def compiled(pattern: str) -> Any:
    """A pattern with RE2's syntax and its linear time, where `re2` is installed, else Python's.

    Raises RequestRefused.
    """
    try:
        import re2
    except ImportError:
        return _python(pattern)
    options = re2.Options()
    options.log_errors = False
    try:
        return re2.compile(pattern, options)
    except re2.error as error:
        said = error.args[0] if error.args else ""
        raise _invalid(pattern, said.decode() if isinstance(said, bytes) else said) from None


def _python(pattern: str) -> re.Pattern[str]:
    found = _NOT_RE2.search(pattern)
    if found:
        raise _invalid(pattern, f"invalid perl operator: {found.group()}")
    try:
        return re.compile(pattern)
    except (re.error, RecursionError, OverflowError) as error:
        raise _invalid(pattern, str(error)) from None


def _invalid(pattern: str, why: str) -> RequestRefused:
    return RequestRefused(
        ErrorCode.INVALID_REGULAR_EXPRESSION,
        f"SubscribedTopicRegex `{pattern}` is not a valid regular expression: {why}.",
    )


def matching(pattern: str, names: Iterable[str]) -> frozenset[str]:
    """The topics that a pattern matches from their first character to their last one."""
    if not pattern:
        return frozenset()
    matches = compiled(pattern).fullmatch
    return frozenset(name for name in names if matches(name))
