"""Which operations a client may do, as bits (KIP-430)."""

from typing import Final

from ...permissions import CLUSTER
from ..acls import OF_KIND, OPERATION_NUMBERS
from .caller import Caller

NOT_ASKED: Final = -(2**31)


def authorized(caller: Caller, kind: str, name: str = CLUSTER, *, asked: bool) -> int:
    """The bits for a topic, a group or the cluster; NOT_ASKED where the client did not ask.

    Kafka says nothing of the cluster to who may not describe it.
    """
    if not asked:
        return NOT_ASKED
    if kind == "cluster" and not caller.may("describe", kind):
        return 0
    return sum(1 << OPERATION_NUMBERS[one] for one in OF_KIND[kind] if caller.may(one, kind, name))
