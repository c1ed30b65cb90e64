"""What a refusal says beside its code: a reason string, and user properties for programs (MQTT 5).

A device's test can look at the user properties, which have no prose in them: `statement` is what
the client broke, `setting` is the broker's option that refuses, `topic` is where it may not
publish, and in SUBACK and UNSUBACK each refused filter is one, with the reason as its value.
"""

import re
from collections.abc import Iterator, Sequence
from typing import Final

from ..errors import ProtocolError
from .wire.properties import Properties

Facts = Sequence[tuple[str, str]]
"""User properties, in order."""

_STATEMENT: Final = re.compile(r"\[(MQTT-[\d.]+-\d+|MQTT(?:-SN)?[ -][\d.]+)\]")

_MOST: Final = 20
"""Refused filters that are named each: a client may send thousands in one packet."""


def statement_in(text: str) -> str:
    """What of the specification a text names, the last thing if it names several; or ""."""
    found = _STATEMENT.findall(text)
    return found[-1] if found else ""


def explanations(text: str, facts: Facts = ()) -> Iterator[Properties]:
    """The same in ever fewer words: a client may take no packet so large [MQTT-3.1.2-24].

    The reason string stays longest, since a person reads it.
    """
    statement = statement_in(text)
    pairs = [*([("statement", statement)] if statement else ()), *facts]
    if pairs:
        yield {"reason_string": text, "user_property": pairs}
    yield {"reason_string": text}


class Explained(ProtocolError):
    """A refusal with facts of its own, such as the setting that decided."""

    def __init__(self, text: str, code: int, facts: Facts = ()) -> None:
        super().__init__(text, code)
        self.facts = facts


def limited(text: str, code: int, setting: str) -> Explained:
    """What a setting of the broker (a field of MqttOptions) refuses."""
    return Explained(text, code, [("setting", setting)])


def facts_of(error: ProtocolError) -> Facts:
    return error.facts if isinstance(error, Explained) else ()


class Refusals:
    """Why filters of one SUBSCRIBE or UNSUBSCRIBE are refused."""

    __slots__ = ("_more", "facts")

    def __init__(self) -> None:
        self.facts: list[tuple[str, str]] = []
        self._more = 0

    def add(self, topic_filter: str, why: str) -> None:
        if len(self.facts) < _MOST:
            self.facts.append((topic_filter, why))
        else:
            self._more += 1

    @property
    def text(self) -> str:
        """The first, and how many more there are; empty for none."""
        if not self.facts:
            return ""
        (topic_filter, why), *others = self.facts
        more = len(others) + self._more
        return f"{topic_filter}: {why}" + (f", and {more} more" if more else "")
