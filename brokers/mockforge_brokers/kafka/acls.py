"""Access control lists: the rules of `permissions` as Kafka's authorizer asks and lists them.

A rule in the short notation (`allow alice read kafka:orders.*`) stands for several ACLs; what an
ACL cannot say (a regular expression, a `*` in the midst) holds all the same, and is not listed.
KIP-11, KIP-290, KIP-430, and Kafka's StandardAuthorizer.
"""

from __future__ import annotations

from collections.abc import Callable, Container, Iterable, Iterator, Sequence
from typing import Final

from msgspec import Struct
from msgspec.structs import replace

from ..access import Access, Free, Guard
from ..fairness import Stepped, Steps, finished
from ..permissions import (
    ACL_KINDS,
    ACL_OPERATIONS,
    ANONYMOUS,
    CLUSTER,
    KAFKA_ANONYMOUS,
    LITERAL,
    OPERATIONS,
    PREFIXED,
    Rule,
    matches_name,
)
from .codes import PatternType, ResourceType

OPERATION_NUMBERS: Final = {"all": 2} | {
    # User's 13 and 14 are CREATE_TOKENS and DESCRIBE_TOKENS.
    name: number
    for number, name in enumerate(ACL_OPERATIONS, 3)
}
_OPERATION_NAMES: Final = {number: name for name, number in OPERATION_NUMBERS.items()}
_ANY: Final = 1
_DENY, _ALLOW = 2, 3
WILDCARD: Final = "*"
_LOOKS: Final = 2
"""By steps, before the last one."""
_Rules = list[tuple[int, Rule]]
"""With their numbers."""

OF_KIND: Final[dict[str, tuple[str, ...]]] = {
    "topic": ("read", "write", "create", "delete", "alter", "describe", "describe_configs",
              "alter_configs"),
    "group": ("read", "delete", "describe", "describe_configs", "alter_configs"),
    "cluster": ("create", "alter", "describe", "cluster_action", "describe_configs",
                "alter_configs", "idempotent_write"),
    "transactional_id": ("write", "describe", "two_phase_commit"),
    "delegation_token": ("describe",),
    "user": ("create_tokens", "describe_tokens"),
}  # fmt: skip
"""Which operations Kafka has for what (AclEntry.supportedOperations)."""

_DESCRIBING: Final = frozenset(("describe", "describe_configs"))
_SHORT: Final[dict[str, dict[str, tuple[str, ...]]]] = {
    "topic": {
        "read": ("read",),
        "write": ("write",),
        "configure": ("create", "delete", "alter", "alter_configs"),
    },
    "group": {"read": ("read",), "configure": ("delete", "alter_configs")},
    "cluster": {
        "write": ("idempotent_write",),
        "configure": ("create", "alter", "cluster_action", "alter_configs"),
    },
    "transactional_id": {"write": ("write", "two_phase_commit")},
    "user": {"configure": ("create_tokens",)},
}
"""What the three words of the short notation stand for; who has any of them may describe too."""
_IMPLIED: Final = {
    "describe": frozenset(("read", "write", "delete", "alter")),
    "describe_configs": frozenset(("alter_configs",)),
}
"""Who is allowed one of these is allowed this."""


def resource(kind: str, name: str) -> str:
    return f"{kind}:{name}"


def covers(rule: Rule, operation: str, of: str) -> bool:
    """Whether a rule speaks of an operation (of `ACL_OPERATIONS`) on a `resource`."""
    kind, _, name = of.partition(":")
    if not rule.is_acl:
        return operation in _meant(rule, kind) and matches_name(
            rule.pattern, "", _short(kind, name)
        )
    if rule.pattern_type == PREFIXED:
        if not of.startswith(rule.pattern):
            return False
    elif rule.pattern != of and rule.pattern != f"{kind}:{WILDCARD}":
        return False
    operations = rule.operations
    if operation in operations or "all" in operations:
        return True
    return rule.allow and not operations.isdisjoint(_IMPLIED.get(operation, ()))


def _meant(rule: Rule, kind: str) -> frozenset[str]:
    """The operations on a kind of thing that a rule in the short notation is about."""
    if len(rule.operations) == len(OPERATIONS):
        return frozenset(OF_KIND[kind])
    words = _SHORT.get(kind, {})
    meant = {each for word in rule.operations for each in words.get(word, ())}
    if rule.allow and rule.operations:
        meant |= _DESCRIBING
    return frozenset(meant)


def _short(kind: str, name: str) -> str:
    """How the short notation calls a resource."""
    return {"topic": name, "cluster": "cluster"}.get(kind, f"{kind}:{name}")


def missing(user: str, operation: str, of: str) -> Rule:
    """The rule that would allow it, in the short notation if that has a word for it."""
    kind, _, name = of.partition(":")
    for word in OPERATIONS:
        if operation in _SHORT.get(kind, {}).get(word, ()):
            return Rule(True, user, frozenset((word,)), "kafka", _short(kind, name))
    return Rule(True, user, frozenset((operation,)), "kafka", of, LITERAL)


class Unspoken(Struct, frozen=True):
    """Kafka's allow.everyone.if.no.acl.found: no ACL of anybody is for the resource."""

    rules: tuple[Rule, ...]

    def __call__(self, name: str) -> bool:
        return not any(covers(rule, each, name) for rule in self.rules for each in ACL_OPERATIONS)


def unspoken(rules: list[Rule]) -> Free:
    return Unspoken(tuple(rules))


def allows_some(guard: Guard, operation: str, kind: str) -> bool:
    """Whether there is anything of this kind that it may do this to (KIP-679)."""
    if not guard.strict or guard.free is not None:
        return True
    for rule in guard.rules:
        if rule.allow and operation in _operations_on(rule, kind):
            place = _place(rule, kind)
            if not any(covers(each, operation, place) for each in guard.rules if not each.allow):
                return True
    return False


def _operations_on(rule: Rule, kind: str) -> frozenset[str]:
    if not rule.is_acl:
        return frozenset() if _is_of_other(rule, kind) else _meant(rule, kind)
    if not rule.pattern.startswith(f"{kind}:"):
        return frozenset()
    return frozenset(OF_KIND[kind]) if "all" in rule.operations else rule.operations


def _is_of_other(rule: Rule, kind: str) -> bool:
    front, colon, _ = rule.pattern.partition(":")
    return front in ACL_KINDS and (bool(colon) or front == "cluster") and front != kind


def _place(rule: Rule, kind: str) -> str:
    """A name that only rules as wide as this one cover: no name has a NUL in it."""
    if not rule.is_acl:
        return resource(kind, rule.pattern.replace("*", "\0"))
    if rule.pattern_type == PREFIXED:
        return rule.pattern + "\0"
    return rule.pattern.replace(f":{WILDCARD}", ":\0")


class Acl(Struct, frozen=True):
    """One entry as the wire has it: `principal` is `User:alice`, `operation` one word or all."""

    kind: str
    name: str
    pattern_type: str
    principal: str
    host: str
    operation: str
    allow: bool

    @property
    def rule(self) -> Rule:
        principal_type, _, user = self.principal.partition(":")
        if user == KAFKA_ANONYMOUS:
            user = ANONYMOUS
        return Rule(
            self.allow,
            user,
            frozenset((self.operation,)),
            "kafka",
            resource(self.kind, self.name),
            self.pattern_type,
            self.host,
            principal_type,
        )


class AclFilter(Struct, frozen=True):
    """Which entries are meant: numbers as on the wire, 1 for any; None for any text.

    `pattern_type` 2 (MATCH) is every pattern that covers the name.
    """

    resource_type: int
    name: str | None
    pattern_type: int
    principal: str | None
    host: str | None
    operation: int
    permission: int

    @classmethod
    def of(cls, acl: Acl) -> AclFilter:
        """The one that means this entry alone."""
        return cls(
            ResourceType[acl.kind.upper()],
            acl.name,
            PatternType[acl.pattern_type.upper()],
            acl.principal,
            acl.host,
            OPERATION_NUMBERS[acl.operation],
            permission_of(acl),
        )

    @property
    def is_exact(self) -> bool:
        """Whether it can mean one entry alone."""
        numbers = (self.resource_type, self.pattern_type, self.operation, self.permission)
        return (
            _ANY not in numbers
            and self.pattern_type != PatternType.MATCH
            and None not in (self.name, self.principal, self.host)
        )

    def matches(self, acl: Acl) -> bool:
        return (
            self.resource_type in (_ANY, ResourceType[acl.kind.upper()])
            and self.operation in (_ANY, OPERATION_NUMBERS[acl.operation])
            and self.permission in (_ANY, permission_of(acl))
            and self.principal in (None, acl.principal)
            and self.host in (None, acl.host)
            and self._matches_pattern(acl)
        )

    def _matches_pattern(self, acl: Acl) -> bool:
        name, wanted = self.name, self.pattern_type
        if wanted not in (_ANY, PatternType.MATCH, PatternType[acl.pattern_type.upper()]):
            return False
        if name is None or name == acl.name:
            return True
        if wanted != PatternType.MATCH:
            return False
        if acl.pattern_type == PREFIXED:
            return name.startswith(acl.name)
        return acl.name == WILDCARD


def permission_of(acl: Acl) -> int:
    return _ALLOW if acl.allow else _DENY


def operation_of(number: int) -> str | None:
    return _OPERATION_NAMES.get(number)


def is_on(access: Access) -> bool:
    """Whether there is an authorizer: it was asked for, or there is a rule for it to keep."""
    return "kafka" in access.strict or any(r.protocol == "kafka" for r in access.rules.values())


def listed(access: Access) -> Iterator[tuple[int, Acl]]:
    """Every entry with the number of the rule that it comes from."""
    for number, rule in tuple(access.rules.items()):
        if rule.protocol == "kafka":
            for acl in _entries(rule):
                yield number, acl


def _entries(rule: Rule) -> Iterator[Acl]:
    user = KAFKA_ANONYMOUS if rule.user == ANONYMOUS else rule.user
    principal = f"{rule.principal_type}:{user}"
    for kind, name, pattern_type, operations in _patterns(rule):
        for operation in operations:
            yield Acl(kind, name, pattern_type, principal, rule.host, operation, rule.allow)


def _patterns(rule: Rule) -> Iterator[tuple[str, str, str, Iterable[str]]]:
    kind, _, name = rule.pattern.partition(":")
    if rule.is_acl:
        yield kind, name, rule.pattern_type, sorted(rule.operations)
        return
    if rule.pattern == WILDCARD:
        for each in ACL_KINDS:
            yield each, CLUSTER if each == "cluster" else WILDCARD, LITERAL, _words(rule, each)
        return
    if rule.pattern == "cluster":
        kind, name = "cluster", CLUSTER
    elif kind not in ACL_KINDS or not name:
        kind, name = "topic", rule.pattern
    if name.startswith("/") or WILDCARD in name[:-1] or "?" in name:
        return
    if name.endswith(WILDCARD) and name != WILDCARD:
        yield kind, name[:-1], PREFIXED, _words(rule, kind)
    else:
        yield kind, name, LITERAL, _words(rule, kind)


def _words(rule: Rule, kind: str) -> list[str]:
    """The fewest operations that say the same."""
    meant = _meant(rule, kind)
    if meant == frozenset(OF_KIND[kind]):
        return ["all"]
    if rule.allow:
        # What one of the others implies need not be said.
        meant = frozenset(each for each in meant if not meant & _IMPLIED.get(each, frozenset()))
    return [each for each in OF_KIND[kind] if each in meant]


def create(access: Access, wanted: Sequence[Acl]) -> Stepped[None]:
    """Those that are there already are kept. All that are new come at once, in the last step."""
    rules: dict[Acl, Rule] = {}
    there: dict[Acl, list[int]] = {}
    for acl in wanted:
        rules[acl] = acl.rule
        there[acl] = []
        yield

    def look(at: _Rules) -> Stepped[None]:
        for number, rule in at:
            for acl in _entries(rule):
                if acl in there:
                    there[acl].append(number)
                yield

    yield from _looking(access, look)
    with access.together():
        for acl, rule in rules.items():
            # A rule that said it may have gone meanwhile.
            if not any(number in access.rules for number in there[acl]):
                access.add_rule(rule)


def delete(access: Access, wanted: Sequence[AclFilter]) -> Stepped[list[list[Acl]]]:
    """Take back what each filter matches of what is there; what else a rule said stays, as ACLs.

    All goes at once, in the last step.
    """
    found: list[list[tuple[int, Acl]]] = [[] for _ in wanted]
    left: dict[int, list[Rule]] = {}

    def look(at: _Rules) -> Stepped[None]:
        matched = yield from _matching(at, wanted)
        gone: dict[int, set[Acl]] = {}
        for so_far, more in zip(found, matched, strict=True):
            for number, acl in more:
                gone.setdefault(number, set()).add(acl)
                yield
            so_far.extend(more)
        for number, rule in at:
            if number in gone:
                left[number] = list(_left_of(rule, gone[number]))
                yield

    yield from _looking(access, look)
    # Others may have taken some back meanwhile.
    goes = left.keys() & access.rules.keys()
    with access.together():
        for number, rules in left.items():
            if number in goes:
                access.remove_rule(number)
                for rule in rules:
                    access.add_rule(rule)
    return [[acl for number, acl in each if number in goes] for each in found]


def _looking(access: Access, look: Callable[[_Rules], Stepped[None]]) -> Steps:
    """`look` at all rules of Kafka by steps, then at those that came meanwhile, each one once.

    The last look, and what is done when this ends, are one step: nothing comes in between, and
    however many change rules, nobody looks for ever.
    """
    newest = 0
    for _ in range(_LOOKS):
        rules = access.rules_after(newest)
        newest = rules[0][0] if rules else newest
        yield from look(_of_kafka(rules))
    finished(look(_of_kafka(access.rules_after(newest))))


def _of_kafka(newest_first: _Rules) -> _Rules:
    return [one for one in reversed(newest_first) if one[1].protocol == "kafka"]


def _matching(rules: _Rules, wanted: Sequence[AclFilter]) -> Stepped[list[list[tuple[int, Acl]]]]:
    """What these rules say of each filter, each with the number of its rule."""
    entries = []
    # Programs list what is there and name each of it: thousands by thousands to compare.
    exact: dict[AclFilter, list[tuple[int, Acl]]] = {}
    for number, rule in rules:
        for acl in _entries(rule):
            each = number, acl
            entries.append(each)
            exact.setdefault(AclFilter.of(acl), []).append(each)
            yield
    if not entries:
        return [[] for _ in wanted]
    found = []
    for one in wanted:
        if one.is_exact:
            found.append(exact.get(one, []))
        else:
            matched = []
            for each in entries:
                if one.matches(each[1]):
                    matched.append(each)
                yield
            found.append(matched)
        yield
    return found


def _left_of(rule: Rule, gone: Container[Acl]) -> Iterator[Rule]:
    for acl in _entries(rule):
        if acl not in gone:
            yield acl.rule if not rule.is_acl else _only(rule, acl)


def _only(rule: Rule, acl: Acl) -> Rule:
    return replace(rule, operations=frozenset((acl.operation,)))
