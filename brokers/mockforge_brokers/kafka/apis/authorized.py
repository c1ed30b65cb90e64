"""Which operations a client may do, as bits (KIP-430): all, unless rules say otherwise."""

from typing import Final

from .caller import Caller

NOT_ASKED: Final = -(2**31)

# Kafka's numbers of operations.
_READ, _WRITE, _CREATE, _DELETE, _ALTER, _DESCRIBE = 3, 4, 5, 6, 7, 8
_CLUSTER_ACTION, _DESCRIBE_CONFIGS, _ALTER_CONFIGS, _IDEMPOTENT_WRITE = 9, 10, 11, 12

_RIGHTS: Final[dict[str, dict[str, tuple[int, ...]]]] = {
    "topic": {
        "read": (_READ,),
        "write": (_WRITE,),
        "configure": (_CREATE, _DELETE, _ALTER, _ALTER_CONFIGS),
    },
    "group": {"read": (_READ,), "configure": (_DELETE, _ALTER_CONFIGS)},
    "cluster": {
        "write": (_IDEMPOTENT_WRITE,),
        "configure": (_CREATE, _ALTER, _CLUSTER_ACTION, _ALTER_CONFIGS),
    },
}
"""What each of our rights stands for; who has any of them may describe too."""


def authorized(caller: Caller, kind: str, name: str = "", *, asked: bool) -> int:
    """The bits for a topic, a group or the cluster; NOT_ASKED where the client did not ask."""
    if not asked:
        return NOT_ASKED
    allowed = {
        number
        for right, numbers in _RIGHTS[kind].items()
        if caller.may(right, kind, name)
        for number in numbers
    }
    if allowed:
        allowed |= {_DESCRIBE, _DESCRIBE_CONFIGS}
    return sum(1 << number for number in allowed)
