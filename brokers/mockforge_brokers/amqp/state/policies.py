"""Policies: arguments that queues and exchanges get by their names (RabbitMQ's Policies page)."""

import re
from collections.abc import Callable, Iterable, Mapping
from types import MappingProxyType
from typing import Any, Final

from msgspec import Struct

from ...errors import InvalidInput
from ...expressions import compiled

Definition = Mapping[str, Any]
"""Settings by their names, which are those of arguments without `x-`; times are milliseconds."""
NO_DEFINITION: Final[Definition] = MappingProxyType({})
EXCHANGE: Final = "exchange"

_APPLY_TO: Final[dict[str, frozenset[str]]] = {
    "all": frozenset(("classic", "quorum", "stream", EXCHANGE)),
    "queues": frozenset(("classic", "quorum", "stream")),
    "exchanges": frozenset((EXCHANGE,)),
    "classic_queues": frozenset(("classic",)),
    "quorum_queues": frozenset(("quorum",)),
    "streams": frozenset(("stream",)),
}
APPLY_TO: Final = tuple(_APPLY_TO)


class NamedPolicy(Struct, frozen=True):
    """`pattern` is a regular expression over names, searched for anywhere in them."""

    name: str
    pattern: str
    definition: Definition
    apply_to: str = "all"
    priority: int | float = 0


class Effective(Struct, frozen=True):
    """What holds for one queue or exchange: the names of the policies, and both as one."""

    policy: str = ""
    operator_policy: str = ""
    definition: Definition = NO_DEFINITION


NOTHING: Final = Effective()
_MOST_KNOWN: Final = 20_000


class Policies:
    """The policies of a virtual host: of users, and of operators, which limit those."""

    def __init__(self) -> None:
        self.of_users: Mapping[str, NamedPolicy] = {}
        self.of_operators: Mapping[str, NamedPolicy] = {}
        self._known: dict[tuple[str, str], Effective] = {}

    def table(self, operator: bool) -> Mapping[str, NamedPolicy]:
        return self.of_operators if operator else self.of_users

    def set(self, policies: Iterable[NamedPolicy], *, operator: bool) -> None:
        """Add them, or put them in place of those of their names."""
        self._become({**self.table(operator), **{each.name: each for each in policies}}, operator)

    def remove(self, name: str, *, operator: bool) -> bool:
        """False if there is none of this name."""
        left = dict(self.table(operator))
        found = left.pop(name, None)
        self._become(left, operator)
        return found is not None

    def _become(self, policies: Mapping[str, NamedPolicy], operator: bool) -> None:
        if operator:
            self.of_operators = policies
        else:
            self.of_users = policies
        self._known.clear()

    def effective(self, kind: str, name: str) -> Effective:
        """`kind` is a queue's type, or EXCHANGE."""
        if not (self.of_users or self.of_operators):
            return NOTHING
        # Whoever looks at the broker asks it of each queue, and again in a moment.
        found = self._known.get((kind, name))
        if found is None:
            if len(self._known) >= _MOST_KNOWN:
                self._known.clear()
            found = self._known[kind, name] = self._effective(kind, name)
        return found

    def _effective(self, kind: str, name: str) -> Effective:
        user = _best(self.of_users.values(), kind, name)
        operator = _best(self.of_operators.values(), kind, name)
        if user is None and operator is None:
            return NOTHING
        return Effective(
            user.name if user else "",
            operator.name if operator else "",
            _merged(user, operator),
        )

    def clear(self) -> None:
        for operator in (False, True):
            self._become({}, operator)


def _best(policies: Iterable[NamedPolicy], kind: str, name: str) -> NamedPolicy | None:
    """One policy holds, that of the highest priority; of several the last by name."""
    matching = (
        each
        for each in policies
        if kind in _APPLY_TO[each.apply_to]
        and not _NOT_APPLICABLE[kind] & each.definition.keys()
        and compiled(each.pattern).search(name)
    )
    return max(matching, key=lambda each: (each.priority, each.name), default=None)


def _merged(user: NamedPolicy | None, operator: NamedPolicy | None) -> Definition:
    """An operator's limit holds where it is lower than the user's."""
    merged = dict(user.definition) if user else {}
    for name, value in operator.definition.items() if operator else ():
        merged[name] = min(merged.get(name, value), value)
    return merged


# What may be set.

Check = Callable[[Any], bool]
_MAX_AGE: Final = re.compile(r"(\d+)([YMDhms])", re.ASCII)
_MOST: Final = 2**63 - 1
"""Milliseconds of a time: more could not be made seconds."""
_SECONDS: Final = {
    "Y": 365 * 86_400,
    "M": 30 * 86_400,
    "D": 86_400,
    "h": 3600,
    "m": 60,
    "s": 1,
}


def max_age(text: str) -> float | None:
    """A stream's `7D` or `12h` in seconds; None if it is nothing of the kind.

    RabbitMQ's numbers have no end: of more digits than a number of ours may have it is for ever.
    """
    found = _MAX_AGE.fullmatch(text)
    return float(found[1]) * _SECONDS[found[2]] if found else None


def _at_least(least: int) -> Check:
    return lambda value: type(value) is int and value >= least


def _milliseconds(least: int) -> Check:
    return lambda value: type(value) is int and least <= value <= _MOST


def _one_of(*known: object) -> Check:
    return lambda value: type(value) in (str, int) and value in known


def _is_text(value: object) -> bool:
    return isinstance(value, str)


def _is_age(value: object) -> bool:
    return isinstance(value, str) and max_age(value) is not None


def _with_the_others(value: object) -> bool:
    """`_mirrors_problem` looks at it."""
    return True


_BESIDE_A_MODE: Final = (
    "ha-params",
    "ha-sync-mode",
    "ha-sync-batch-size",
    "ha-promote-on-shutdown",
    "ha-promote-on-failure",
)
_ABSENT: Final = object()

_LIMITS: Final[dict[str, tuple[Check, str]]] = {
    "message-ttl": (_milliseconds(0), "message TTL"),
    "expires": (_milliseconds(1), "queue expiry"),
    "max-length": (_at_least(0), "maximum length"),
    "max-length-bytes": (_at_least(0), "maximum length in bytes"),
    "max-in-memory-length": (_at_least(0), "maximum memory in length"),
    "max-in-memory-bytes": (_at_least(0), "maximum memory in bytes"),
    "delivery-limit": (_at_least(0), "delivery limit"),
}
"""What an operator's policy may set too."""

_SETTINGS: Final[dict[str, tuple[Check, str]]] = {
    **_LIMITS,
    "alternate-exchange": (_is_text, "alternate exchange name"),
    "consumer-timeout": (_milliseconds(0), "consumer timeout"),
    "dead-letter-exchange": (_is_text, "dead letter exchange name"),
    "dead-letter-routing-key": (_is_text, "dead letter routing key"),
    "dead-letter-strategy": (_one_of("at-most-once", "at-least-once"), "dead letter strategy"),
    "overflow": (_one_of("drop-head", "reject-publish", "reject-publish-dlx"), "overflow value"),
    "max-age": (_is_age, "max age"),
    "stream-max-segment-size-bytes": (_at_least(0), "segment size"),
    "queue-mode": (_one_of("default", "lazy"), "queue-mode value"),
    "queue-version": (_one_of(1, 2), "queue-version value"),
    "queue-leader-locator": (
        _one_of("client-local", "balanced", "random", "least-leaders"),
        "queue leader locator value",
    ),
    "queue-master-locator": (
        _one_of("min-masters", "client-local", "random"),
        "queue master locator value",
    ),
    "initial-cluster-size": (_at_least(1), "cluster size"),
    **dict.fromkeys(("ha-mode", *_BESIDE_A_MODE), (_with_the_others, "")),
}
"""By name: the check, and what RabbitMQ calls it where it refuses a value."""
SETTINGS: Final = tuple(_SETTINGS)
OPERATOR_SETTINGS: Final = tuple(_LIMITS)

_OF_STREAMS: Final = frozenset(("max-age", "stream-max-segment-size-bytes"))
_OF_MIRRORS: Final = frozenset(name for name in _SETTINGS if name.startswith("ha-"))
_WITHOUT_MIRRORS: Final = {
    name: check for name, check in _SETTINGS.items() if name not in _OF_MIRRORS
}
_NOT_APPLICABLE: Final[dict[str, frozenset[str]]] = {
    "classic": _OF_STREAMS
    | {"delivery-limit", "dead-letter-strategy", "initial-cluster-size", "queue-leader-locator"},
    "quorum": _OF_STREAMS
    | _OF_MIRRORS
    | {"queue-mode", "initial-cluster-size", "queue-master-locator"},
    "stream": (frozenset(_LIMITS) - {"max-length-bytes"})
    | _OF_MIRRORS
    | {
        "overflow",
        "dead-letter-exchange",
        "dead-letter-routing-key",
        "dead-letter-strategy",
        "queue-mode",
        "queue-master-locator",
    },
    EXCHANGE: frozenset(),
}
"""A policy that sets one of these does not hold at all for such a queue (asked of 3.10.8)."""


def check_policy(policy: NamedPolicy, *, operator: bool, mirrors: bool) -> None:
    """Raises InvalidInput, in RabbitMQ's words where it has words for people.

    `mirrors`: queues may be mirrored.
    """
    what = f"policy {policy.name!r}"
    if not policy.name:
        raise InvalidInput("a policy needs a name")
    try:
        compiled(policy.pattern)
    except re.error as error:
        raise InvalidInput(f"{what}: its pattern is no regular expression: {error}") from None
    if type(policy.priority) not in (int, float):
        raise InvalidInput(f"{what}: priority should be a number, actually was {policy.priority!r}")
    if policy.apply_to not in APPLY_TO:
        raise InvalidInput(
            f"{what}: apply-to '{policy.apply_to}' unrecognised; it is one of {', '.join(APPLY_TO)}"
        )
    if not policy.definition:
        raise InvalidInput(f"{what} sets nothing: give it a definition, as max-length=1000")
    known = _LIMITS if operator else _SETTINGS if mirrors else _WITHOUT_MIRRORS
    for name, value in policy.definition.items():
        if name not in known:
            kind = "an operator policy" if operator else "a policy"
            raise InvalidInput(
                f"{what}: {name} is not recognised; {kind} sets {', '.join(sorted(known))}"
            )
        check, wording = known[name]
        if not check(value):
            raise InvalidInput(f"{what}: {value!r} is not a valid {wording} ({name})")
    if problem := _mirrors_problem(policy.definition):
        raise InvalidInput(f"{what}: {problem}")


def _mirrors_problem(definition: Definition) -> str:
    """What is wrong with the settings of mirrored queues, which depend on each other."""
    if "ha-mode" not in definition:
        if definition.keys().isdisjoint(_BESIDE_A_MODE):
            return ""
        others = "ha-params, ha-sync-mode or ha-promote-on-shutdown"
        return f"ha-mode must be specified to specify {others}"
    if problem := _parameters_problem(definition["ha-mode"], definition.get("ha-params", _ABSENT)):
        return problem
    if (mode := definition.get("ha-sync-mode", "manual")) not in ("manual", "automatic"):
        return f'ha-sync-mode must be "manual" or "automatic", got {mode!r}'
    if not _at_least(1)(size := definition.get("ha-sync-batch-size", 1)):
        return f"ha-sync-batch-size takes an integer greater than 0, {size!r} given"
    for name in ("ha-promote-on-shutdown", "ha-promote-on-failure"):
        if (when := definition.get(name, "always")) not in ("always", "when-synced"):
            return f'{name} must be "always" or "when-synced", got {when!r}'
    return ""


def _parameters_problem(mode: Any, given: Any) -> str:
    if mode not in ("all", "exactly", "nodes"):
        return f"{mode!r} is not a valid ha-mode value"
    shown = "none" if given is _ABSENT else repr(given)
    if mode == "all" and given is not _ABSENT:
        return 'ha-mode="all" does not take parameters'
    if mode == "exactly" and not _at_least(1)(given):
        return f'ha-mode="exactly" takes an integer, {shown} given'
    if mode == "nodes":
        if not isinstance(given, (list, tuple)):
            return f'ha-mode="nodes" takes a list, {shown} given'
        if not given:
            return 'ha-mode="nodes" list must be non-empty'
        if others := [each for each in given if not isinstance(each, str)]:
            return f'ha-mode="nodes" takes a list of strings, {others!r} was not a string'
    return ""
