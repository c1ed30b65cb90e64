"""Which topics a member reads: those it names, and those that its regular expression matches."""

import re
import warnings
from collections.abc import Iterable
from functools import lru_cache
from typing import Any, Final

from .....errors import RequestRefused
from ....codes import ErrorCode

_UNESCAPED: Final = r"(?<!\\)(?:\\\\)*"
_ESCAPED: Final = _UNESCAPED + r"\\"
"""A backslash that is not one itself."""
_NOT_RE2: Final = re.compile(
    r"\(\?(?:[=!>(#]|<[=!]|P=|[a-zA-Z-]*[xuaL])|[*+?}]\+|" + _ESCAPED + r"(?:[1-9](?!\d\d)|[ZuN])"
)
"""What Python's expressions have and RE2's have not: looking around, back references, and so on."""
_NOT_RE2J: Final = re.compile(_ESCAPED + "C")
"""Any byte: of C++'s RE2, but not of Java's, which Kafka has."""
_NAMED: Final = re.compile(_UNESCAPED + r"\(\?P?<(\w+)>")
"""RE2/J takes a name once only."""
_AS_JAVA: Final = {
    "missing )": "missing closing )",
    "missing ]": "missing closing ]",
    "unexpected )": "regexp/syntax: internal error",
    "invalid character class range": "invalid character class range",
    "invalid escape sequence": "invalid escape sequence",
    "no argument for repetition operator": "missing argument to repetition operator",
    "bad repetition operator": "invalid nested repetition operator",
    "invalid repetition size": "invalid repeat count",
    "trailing \\": "trailing backslash at end of expression",
    "invalid perl operator": "invalid or unsupported Perl syntax",
    "invalid named capture group": "invalid named capture",
}
"""How an error of C++'s RE2 begins, and what RE2/J says of it."""
_CLASSES: Final = {
    "digit": "0-9", "alpha": "a-zA-Z", "alnum": "0-9a-zA-Z", "upper": "A-Z", "lower": "a-z",
    "word": r"\w", "space": r"\s", "xdigit": "0-9a-fA-F",
}  # fmt: skip


@lru_cache(maxsize=1024)
def compiled(pattern: str) -> Any:
    """A pattern with RE2's syntax and its linear time, where `re2` is installed, else Python's.

    Raises RequestRefused.
    """
    try:
        import re2
    except ImportError:
        return _python(pattern)
    if _NOT_RE2J.search(pattern):
        raise _invalid(pattern, "invalid escape sequence")
    names = _NAMED.findall(pattern)
    if len(set(names)) < len(names):
        raise _invalid(pattern, "duplicate capture group name")
    options = re2.Options()
    options.log_errors = False
    try:
        return re2.compile(pattern, options)
    except re2.error as error:
        said = error.args[0] if error.args else ""
        text = said.decode() if isinstance(said, bytes) else said
        for cpp, java in _AS_JAVA.items():
            if text.startswith(cpp):
                text = java
        raise _invalid(pattern, text) from None


def _python(pattern: str) -> re.Pattern[str]:
    found = _NOT_RE2.search(pattern)
    if found:
        raise _invalid(pattern, f"invalid perl operator: {found.group()}")
    if "[:^" in pattern:
        raise _invalid(pattern, "negated classes of characters need google-re2")
    # What both have under another name.
    said = re.sub(r"\[:(\w+):\]", lambda found: _CLASSES.get(found[1], found[0]), pattern)
    said = re.sub(_ESCAPED + "z", lambda found: found[0][:-1] + "Z", said)
    try:
        with warnings.catch_warnings():
            # Of what a later Python may read otherwise; RE2 reads it as Python does now.
            warnings.simplefilter("ignore", FutureWarning)
            return re.compile(said.replace("(?<", "(?P<"))
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
