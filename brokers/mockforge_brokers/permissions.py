"""What users may do: rules, how they are written, and which names their patterns cover."""

import re
from functools import lru_cache
from typing import Final
from urllib.parse import unquote

from msgspec import Struct

from .errors import InvalidInput
from .expressions import Expression, compiled
from .protocols import PROTOCOLS

OPERATIONS: Final = ("read", "write", "configure")
GLOB: Final = "glob"
LITERAL, PREFIXED = "literal", "prefixed"

ACL_OPERATIONS: Final = (
    "read", "write", "create", "delete", "alter", "describe", "cluster_action",
    "describe_configs", "alter_configs", "idempotent_write", "create_tokens", "describe_tokens",
    "two_phase_commit",
)  # fmt: skip
"""Kafka's finer words for what may be done (AclOperation)."""
ACL_KINDS: Final = ("topic", "group", "cluster", "transactional_id", "delegation_token", "user")
"""What Kafka keeps ACLs of (ResourceType)."""
ANONYMOUS: Final = "anonymous"
"""How rules speak of somebody who did not log in."""
KAFKA_ANONYMOUS: Final = "ANONYMOUS"
"""The name that Kafka's principals give the same (`KafkaPrincipal.ANONYMOUS`)."""
CLUSTER: Final = "kafka-cluster"
"""The one name that the cluster has as a resource."""

_ALSO: Final = {
    "consume": "read",
    "subscribe": "read",
    "publish": "write",
    "produce": "write",
    "create": "configure",
}


class Rule(Struct, frozen=True):
    """Whether a user may do operations on what a pattern names; deny wins over allow.

    `resource` is `PROTOCOL:PATTERN`. Patterns are a Kafka topic (`orders.*`), `group:NAME`,
    `transactional_id:NAME` or `cluster`; an MQTT topic filter, where %c is the client id and %u
    the user; an AMQP queue or exchange, `VHOST:NAME` outside of the virtual host `/`. But for
    MQTT `*` is any text, and `/.../` a regular expression. Of a virtual host's name `:`, `*`, `?`
    and `%` are written as in a URL (`escaped`).

    A Kafka ACL (KIP-11, KIP-290) is a rule whose `pattern_type` is literal or prefixed: its
    pattern is `KIND:NAME` with a kind of `ACL_KINDS`, its operations are of `ACL_OPERATIONS` or
    all, and it may hold for the clients of one `host`.
    """

    allow: bool
    user: str
    operations: frozenset[str]
    protocol: str
    pattern: str
    pattern_type: str = GLOB
    host: str = "*"
    principal_type: str = "User"

    @property
    def is_acl(self) -> bool:
        return self.pattern_type != GLOB

    @property
    def text(self) -> str:
        """As `rule_of` reads it."""
        known = ACL_OPERATIONS if self.is_acl else OPERATIONS
        words = [each for each in known if each in self.operations]
        if "all" in self.operations or len(words) == len(known):
            words = ["all"]
        verb = "allow" if self.allow else "deny"
        user = self.user if self.principal_type == "User" else f"{self.principal_type}:{self.user}"
        text = f"{verb} {user} {','.join(words)} {self.protocol}:{self.pattern}"
        if self.is_acl:
            text += f" {self.pattern_type}"
        return text if self.host == "*" else f"{text} from {self.host}"


_ACL: Final = re.compile(
    r"(?P<pattern>.+?)(?:\s+(?P<type>literal|prefixed))?(?:\s+from\s+(?P<host>\S+))?", re.DOTALL
)


def rule_of(text: str) -> Rule:
    """`allow|deny USER OPERATIONS PROTOCOL:PATTERN`; raises InvalidInput.

    USER is a name, `anonymous` or `*`. OPERATIONS are read, write, configure or all, with commas.
    A rule for Kafka that ends with `literal` or `prefixed`, perhaps with `from HOST`, is an ACL.
    """
    words = text.split(None, 3)
    if len(words) != 4 or words[0] not in ("allow", "deny"):
        raise InvalidInput(
            f"{text!r} is no rule: allow|deny USER OPERATIONS PROTOCOL:PATTERN, such as "
            "'allow alice read,write kafka:orders.*'"
        )
    protocol, _, pattern = words[3].strip().partition(":")
    if protocol not in PROTOCOLS or not pattern:
        raise InvalidInput(
            f"{text!r}: {words[3]!r} is no PROTOCOL:PATTERN with {', '.join(PROTOCOLS)}"
        )
    if protocol == "kafka" and (found := _ACL.fullmatch(pattern)) and found["type"]:
        return _acl(text, words, found)
    described = PROTOCOLS[protocol]
    if not re.fullmatch(described.filter, pattern):
        raise InvalidInput(f"{text!r}: {pattern!r} matches nothing: {described.filter_rule}")
    operations = _operations(text, words[2], OPERATIONS, _ALSO)
    if protocol == "amqp" and _PATTERN.fullmatch(pattern)[1] is None:  # type: ignore[index]
        pattern = f"/:{pattern}"
    try:
        if protocol != "mqtt":
            _compiled(pattern)
    except re.error as error:
        raise InvalidInput(f"{text!r}: {pattern!r} is no regular expression: {error}") from None
    if "all" in operations:
        operations = frozenset(OPERATIONS)
    return Rule(words[0] == "allow", words[1], operations, protocol, pattern)


def acl_of(text: str) -> Rule:
    """`allow|deny PRINCIPAL OPERATIONS KIND:NAME [literal|prefixed] [from HOST]`.

    PRINCIPAL is `User:alice` as Kafka writes it, or the bare name; `cluster` needs no name, and
    the name `*` is every one. Raises InvalidInput.
    """
    words = text.split(None, 3)
    found = _ACL.fullmatch(words[3].strip()) if len(words) == 4 else None
    if found is None or words[0] not in ("allow", "deny"):
        raise InvalidInput(
            f"{text!r} is no ACL: allow|deny PRINCIPAL OPERATIONS KIND:NAME [prefixed] "
            "[from HOST], such as 'allow User:alice read,describe topic:orders'"
        )
    return _acl(text, words, found)


def _acl(text: str, words: list[str], found: re.Match[str]) -> Rule:
    kind, _, name = found["pattern"].partition(":")
    if kind == "cluster" and name in ("", "*"):
        name = CLUSTER
    if kind not in ACL_KINDS or not name:
        raise InvalidInput(
            f"{text!r}: {found['pattern']!r} is no KIND:NAME with {', '.join(ACL_KINDS)}"
        )
    if kind == "cluster" and name != CLUSTER:
        raise InvalidInput(f"{text!r}: the only cluster is {CLUSTER}")
    who = words[1]
    principal_type, colon, user = who.partition(":")
    if not colon:
        principal_type, user = "User", who
    if not user or not principal_type:
        raise InvalidInput(f"{text!r}: {who!r} is no principal such as User:alice or User:*")
    if user == KAFKA_ANONYMOUS:
        user = ANONYMOUS
    return Rule(
        words[0] == "allow",
        user,
        _operations(text, words[2], ACL_OPERATIONS, {}),
        "kafka",
        f"{kind}:{name}",
        found["type"] or LITERAL,
        found["host"] or "*",
        principal_type,
    )


def _operations(
    text: str, written: str, known: tuple[str, ...], also: dict[str, str]
) -> frozenset[str]:
    operations = []
    for word in written.lower().split(","):
        operation = also.get(word, word)
        if operation not in known and operation != "all":
            raise InvalidInput(f"{text!r}: {word!r} is none of {', '.join(known)}, all")
        operations.append(operation)
    return frozenset(("all",) if "all" in operations else operations)


_PATTERN: Final = re.compile(r"(?:(?!/(?!:)[^:]*:(?!/).*/\Z)([^:]*):)?(?:/(.*)/|(.*))", re.DOTALL)
"""Something in front of a colon (a virtual host, a kind), then `/.../` or a glob.

A colon within `/.../` is the expression's: `/^(?:a|b)$/`.
"""


@lru_cache(maxsize=1024)
def _compiled(pattern: str) -> tuple[Expression | None, Expression]:
    """What stands in front of the colon, if anything must, and what the name itself must be."""
    found = _PATTERN.fullmatch(pattern)
    assert found is not None
    prefix, expression, wanted = found.groups()
    # As in RabbitMQ an expression may match a part.
    name = compiled(glob(wanted) + r"\Z" if expression is None else expression, re.DOTALL)
    return (None if prefix is None else compiled(_place(prefix), re.DOTALL)), name


def glob(text: str) -> str:
    return r"\A" + re.escape(text).replace(r"\*", ".*").replace(r"\?", ".")


def matches_name(pattern: str, operation: str, name: str) -> bool:
    """How Kafka's and AMQP's patterns match."""
    prefix, wanted = _compiled(pattern)
    if prefix is not None:
        front, colon, name = name.partition(":")
        if not colon or not prefix.search(unquote(front)):
            return False
    return bool(wanted.search(name))


# What stands in front of the colon.

_ESCAPES: Final = {ord(each): f"%{ord(each):02X}" for each in "%:*?"}
_WILDCARDS: Final = {"*": ".*", "?": "."}


def escaped(vhost: str) -> str:
    """A virtual host as rules, and the names that they are asked for, have it before the colon."""
    return vhost.translate(_ESCAPES)


def place(pattern: str) -> str | None:
    """The one virtual host that a pattern is about; None where wildcards are, for any or all."""
    prefix = pattern.partition(":")[0]
    return None if _WILDCARDS.keys() & set(prefix) else unquote(prefix)


def is_about(pattern: str, vhost: str) -> bool:
    """Whether a pattern is about some names of a virtual host."""
    return bool(compiled(_place(pattern.partition(":")[0]), re.DOTALL).search(vhost))


def _place(prefix: str) -> str:
    pieces = re.split("([*?])", prefix)
    return rf"\A{''.join(_WILDCARDS.get(each) or re.escape(unquote(each)) for each in pieces)}\Z"
