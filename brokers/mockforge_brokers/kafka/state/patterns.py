"""Regular expressions of clients, as Kafka reads them: by RE2/J, in time that is bounded."""

import re
import warnings
from functools import lru_cache
from typing import Any, Final

from ... import expressions
from ...errors import RequestRefused
from ..codes import ErrorCode

SUBSCRIPTION: Final = "SubscribedTopicRegex"
"""As Kafka calls the pattern of a member of a consumer group (KIP-848)."""

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


class InvalidPattern(Exception):
    """The text says why, in the words of RE2/J where they are known."""


def compiled(pattern: str, what: str = SUBSCRIPTION) -> Any:
    """A pattern with RE2's syntax, where `re2` is installed, else Python's; bounded either way.

    Raises RequestRefused, which says `what` it is.
    """
    try:
        return _read(pattern)
    except InvalidPattern as error:
        raise RequestRefused(
            ErrorCode.INVALID_REGULAR_EXPRESSION,
            f"{what} `{pattern}` is not a valid regular expression: {error}.",
        ) from None


@lru_cache(maxsize=1024)
def _read(pattern: str) -> Any:
    try:
        import re2
    except ImportError:
        return _python(pattern)
    if _NOT_RE2J.search(pattern):
        raise InvalidPattern("invalid escape sequence")
    names = _NAMED.findall(pattern)
    if len(set(names)) < len(names):
        raise InvalidPattern("duplicate capture group name")
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
        raise InvalidPattern(text) from None


def _python(pattern: str) -> expressions.Expression:
    found = _NOT_RE2.search(pattern)
    if found:
        raise InvalidPattern(f"invalid perl operator: {found.group()}")
    if "[:^" in pattern:
        raise InvalidPattern("negated classes of characters need google-re2")
    # What both have under another name.
    said = re.sub(r"\[:(\w+):\]", lambda found: _CLASSES.get(found[1], found[0]), pattern)
    said = re.sub(_ESCAPED + "z", lambda found: found[0][:-1] + "Z", said)
    try:
        with warnings.catch_warnings():
            # Of what a later Python may read otherwise; RE2 reads it as Python does now.
            warnings.simplefilter("ignore", FutureWarning)
            return expressions.compiled(said.replace("(?<", "(?P<"))
    except re.error as error:
        raise InvalidPattern(str(error)) from None
