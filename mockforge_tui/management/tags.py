"""What a user's tags let it ask of the management interface (asked of RabbitMQ 3.10.8)."""

from collections.abc import Collection
from typing import Final

_ADMINISTRATOR: Final = "administrator"
_LOOKING: Final = frozenset((_ADMINISTRATOR, "monitoring", "policymaker", "management"))
_ADMINISTRATORS_ALONE: Final = frozenset(
    (
        "all-configuration",
        "definitions",
        "feature-flags",
        "permissions",
        "rebalance",
        "topic-permissions",
        "users",
    )
)
_OF_ADMINISTRATORS: Final = frozenset(
    ("queues/*/*/actions", "vhosts/*", "vhosts/*/permissions", "vhosts/*/topic-permissions")
)
_CHANGED_BY_ADMINISTRATORS: Final = frozenset(
    ("vhosts", "vhost-limits", "user-limits", "operator-policies", "cluster-name")
)
_MONITORED: Final = frozenset(("nodes", "auth"))
"""What only those see who watch the nodes."""


def problem(tags: Collection[str], method: str, path: str) -> str:
    """Why a user with these tags may not, in RabbitMQ's words; empty where it may."""
    if _LOOKING.isdisjoint(tags):
        return "Not management user"
    if _ADMINISTRATOR in tags:
        return ""
    what = path.partition("/")[0]
    changes = method != "GET"
    if (
        what in _ADMINISTRATORS_ALONE
        or path in _OF_ADMINISTRATORS
        or (changes and what in _CHANGED_BY_ADMINISTRATORS)
    ):
        return "Not administrator user"
    if what in _MONITORED and "monitoring" not in tags:
        return "Not monitor user"
    of_policies = what in ("parameters", "global-parameters") or (changes and what == "policies")
    if of_policies and "policymaker" not in tags:
        return "User not authorised to access object"
    return ""
