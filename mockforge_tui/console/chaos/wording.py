"""A client's verdict in words, with its messages named and in short."""

import re
from collections.abc import Sequence
from typing import Final

CLEAN: Final = "nothing lost, doubled or out of order"
RESENT: Final = "nothing lost or out of order"
NOTHING: Final = "sent nothing"
_KEPT: Final = "kept all"
_AGAIN: Final = "sent again on a new connection"
_SHOWN: Final = 5


def in_words(wrong: Sequence[str], resent: Sequence[str], more: str = "", *, sent: bool) -> str:
    """`wrong` is what was not as it should be; `resent` is as MQTT and AMQP ask for.

    `more` is neither right nor wrong.
    """
    if not wrong and not sent:
        # A broker does not see what a consumer makes of what it got.
        return NOTHING
    parts = wrong or [RESENT if resent else CLEAN]
    parts = [*parts, named(_AGAIN, resent)] if resent else parts
    return "; ".join([*parts, more] if more else parts)


def named(what: str, names: Sequence[str]) -> str:
    """`doubled 7: o-1, o-2, o-3, o-4, o-5, ...`."""
    more = ", ..." if len(names) > _SHOWN else ""
    return f"{what} {len(names)}: {', '.join(names[:_SHOWN])}{more}"


def in_short(verdict: str) -> str:
    """A verdict without the names of messages, for a table."""
    short = verdict.replace(CLEAN, _KEPT).replace(RESENT, _KEPT).replace(_AGAIN, "sent again")
    return re.sub(r" ([0-9]+): .*?(?=; |\Z)", r" \1", short, flags=re.DOTALL)
