"""What users may do in virtual hosts as RabbitMQ has it: three expressions each, kept as rules.

As long as no rule is about AMQP, everybody may do everything. The first one that is made here
leaves all others what they had, by rules of their own.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from typing import Any, Final

from ..access import Access, Rule
from ..errors import InvalidInput
from ..expressions import compiled
from ..permissions import escaped, is_about, place

Row = Mapping[str, Any]
"""`user` and `vhost`, and an expression for each operation."""
OPERATIONS: Final = ("configure", "write", "read")
EVERYTHING: Final = ".*"
_AMQP: Final = "amqp"
_NOTHING: Final = "(?!)"
"""RabbitMQ's empty expression allows nothing, where an expression would match any name."""


class BadExpression(InvalidInput):
    """`expression` is no regular expression, as `problem` says."""

    def __init__(self, expression: str, problem: re.error) -> None:
        super().__init__(f"{expression!r} is no regular expression: {problem}")
        self.expression = expression
        self.problem = problem


def ruled(access: Access) -> bool:
    return access.has_rules(_AMQP)


def rows(access: Access, vhosts: Collection[str]) -> Iterator[Row]:
    """By user, then by virtual host. Who has no rule where there are some has no row."""
    rules = [rule for rule in access.rules.values() if rule.protocol == _AMQP and rule.allow]
    # By user first: to ask each rule for each user and virtual host takes the product of all three.
    common = [rule for rule in rules if rule.user == "*"]
    own: dict[str, list[Rule]] = {}
    for rule in rules:
        own.setdefault(rule.user, []).append(rule)
    for user in access.users.values():
        if _AMQP not in user.protocols:
            continue
        places = _by_place([*own.get(user.name, ()), *common])
        for vhost in vhosts:
            found = [
                *places.get(vhost, ()),
                *(each for each in places.get(None, ()) if is_about(each.pattern, vhost)),
            ]
            if not rules or found:
                allowed = {each: _expression(found, each) for each in OPERATIONS}
                if not rules:
                    allowed = dict.fromkeys(OPERATIONS, EVERYTHING)
                yield {"user": user.name, "vhost": vhost, **allowed}


def _by_place(rules: Iterable[Rule]) -> dict[str | None, list[Rule]]:
    """By virtual host; None has those with wildcards."""
    found: dict[str | None, list[Rule]] = {}
    for rule in rules:
        found.setdefault(place(rule.pattern), []).append(rule)
    return found


def _expression(rules: Iterable[Rule], operation: str) -> str:
    """One for all that these rules allow; empty is nothing."""
    found = []
    for rule in rules:
        if operation in rule.operations:
            name = rule.pattern.partition(":")[2]
            if len(name) > 1 and name.startswith("/") and name.endswith("/"):
                found.append("" if name[1:-1] == _NOTHING else name[1:-1])
            else:
                text = re.escape(name).replace(r"\*", ".*").replace(r"\?", ".")
                found.append(f"^{text}$")
    return "|".join(each for each in dict.fromkeys(found) if each)


def grant(
    access: Access, vhosts: Collection[str], user: str, vhost: str, expressions: Mapping[str, str]
) -> bool:
    """In place of what the user had there; True if it had nothing. Raises BadExpression.

    `expressions` are of all three operations.
    """
    rules = _rules(user, vhost, expressions)
    with access.together():
        if not ruled(access):
            leave_others(access, vhosts, (user,))
        return _replace(access, user, vhost, rules)


def put(access: Access, user: str, vhost: str, expressions: Mapping[str, str]) -> bool:
    """As `grant`, and others are left nothing: as long as there is no rule, they lose all."""
    return _replace(access, user, vhost, _rules(user, vhost, expressions))


def _replace(access: Access, user: str, vhost: str, rules: Iterable[Rule]) -> bool:
    with access.together():
        had = revoke(access, user, vhost)
        for rule in rules:
            access.add_rule(rule)
    return not had


def _rules(user: str, vhost: str, expressions: Mapping[str, str]) -> list[Rule]:
    return [_rule(user, vhost, each, expressions[each]) for each in OPERATIONS]


def _rule(user: str, vhost: str, operation: str, expression: str) -> Rule:
    try:
        compiled(expression, re.DOTALL)
    except re.error as problem:
        raise BadExpression(expression, problem) from None
    pattern = f"{escaped(vhost)}:/{expression or _NOTHING}/"
    return Rule(True, user, frozenset((operation,)), _AMQP, pattern)


def leave_others(access: Access, vhosts: Collection[str], users: Collection[str]) -> None:
    """Rules come: who is none of these users may do everything still."""
    with access.together():
        for other in tuple(access.users.values()):
            if other.name not in users and _AMQP in other.protocols:
                for vhost in vhosts:
                    for operation in OPERATIONS:
                        access.add_rule(_rule(other.name, vhost, operation, EVERYTHING))


def revoke(access: Access, user: str, vhost: str) -> bool:
    """Take back what a user was granted there; False if there is nothing."""
    own = access.rules_of(_AMQP, user)
    return _remove(access, own, lambda rule: place(rule.pattern) == vhost)


def forget_user(access: Access, user: str) -> None:
    """One of this name who comes later has no rights by those of this one."""
    _remove(access, access.rules_of(_AMQP, user), lambda rule: True)


def forget_vhost(access: Access, vhost: str) -> None:
    def is_there(rule: Rule) -> bool:
        return rule.protocol == _AMQP and rule.user != "*" and place(rule.pattern) == vhost

    _remove(access, access.rules, is_there)


def _remove(access: Access, rules: Mapping[int, Rule], which: Callable[[Rule], bool]) -> bool:
    found = [number for number, rule in rules.items() if rule.allow and which(rule)]
    with access.together():
        for number in found:
            access.remove_rule(number)
    return bool(found)
