"""What the two requests about SCRAM credentials have in common (KIP-554)."""

from typing import Final

from ....access import Access, User
from ....scram import ITERATIONS, may_prove

MECHANISMS: Final = {1: "SCRAM-SHA-256", 2: "SCRAM-SHA-512"}
"""By their numbers on the wire."""


def credential_infos(user: User) -> list[tuple[int, int]]:
    """(mechanism, iterations) of all that SCRAM can prove of a user."""
    infos = []
    for number, mechanism in MECHANISMS.items():
        if "kafka" in user.protocols and may_prove(user, mechanism):
            own = user.scram.get(mechanism)
            infos.append((number, ITERATIONS if own is None else own.iterations))
    return infos


def has(access: Access, name: str, number: int) -> bool:
    user = access.user("kafka", name)
    return user is not None and may_prove(user, MECHANISMS[number])
