"""Who a client is, and what it may do: one vocabulary that each protocol translates.

Where nobody was given a name or a right, everybody may do all: a connection then has no guard,
which costs it one `is None`.
"""

import hashlib
import hmac
import os
import re
from base64 import b64decode, b64encode
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from functools import partial
from itertools import takewhile
from typing import Final

from msgspec import Struct

from .errors import InvalidInput
from .permissions import ANONYMOUS, KAFKA_ANONYMOUS, is_about, matches_name
from .permissions import Rule as Rule
from .permissions import rule_of as rule_of
from .protocols import PROTOCOLS

_LOG_N, _R, _P = 14, 8, 1
"""scrypt's cost (RFC 7914): tens of milliseconds and 16 MiB, once for each password."""
_HASH: Final = re.compile(r"\$scrypt\$ln=(\d+),r=(\d+),p=(\d+)\$([\w+/=]+)\$([\w+/=]+)", re.ASCII)
_RABBIT: Final = re.compile(r"\$rabbit\$(sha256|sha512|md5)\$([\w+/=]+)", re.ASCII)
"""A password's hash as RabbitMQ exports it: four bytes of salt, and the digest of both."""
_MOST_REMEMBERED: Final = 4096
_MOST_OF_NAMES: Final = 1024 * 1024
"""Characters of the names that one guard remembers: a topic's may have 64 KB."""
OPEN: Final = frozenset(each.name for each in PROTOCOLS.values() if each.anonymous)
"""Protocols whose clients need not log in before somebody gave users."""
ALL_TAGS: Final = ("administrator",)
"""Of whom nobody gave tags and who may log in where they count: such a user may do all."""


class Principal(Struct, frozen=True):
    """Who is at the other end: `name` is empty for somebody who did not say.

    `mechanism` is how the name was proved (PLAIN, AMQPLAIN, EXTERNAL, password). `tls` is the
    version that was agreed on, `certificate` the client's subject as RFC 4514 writes it, and
    `server_name` what the client called us (SNI); each is empty where there was none.
    """

    name: str = ""
    mechanism: str = ""
    tls: str = ""
    certificate: str = ""
    server_name: str = ""
    vhost: str = ""
    """The virtual host that it opened; empty where there is none, or not yet."""

    @property
    def common_name(self) -> str:
        """The CN of the certificate; empty where there is none."""
        if not self.certificate:
            return ""
        found = re.search(r"(?:^|,)CN=((?:[^,\\]|\\.)*)", self.certificate)
        return re.sub(r"\\(.)", r"\1", found[1]) if found else ""


class Credentials(Struct, frozen=True):
    """What a server keeps of a password for SCRAM (RFC 5802, 3)."""

    salt: bytes
    iterations: int
    stored_key: bytes
    server_key: bytes


class User:
    """A name with its password; `protocols` are those that it may log in to.

    `scram` has, by mechanism, what proves a password that we never saw; None where SCRAM was taken
    away. By other mechanisms a plain password is proved. `tags` are RabbitMQ's: what a user may do
    in its management interface.
    """

    __slots__ = (
        "_remembered",
        "hashed",
        "name",
        "plain",
        "protocols",
        "scram",
        "secretless",
        "tags",
    )

    def __init__(
        self,
        name: str,
        password: str | None,
        protocols: Iterable[str] = PROTOCOLS,
        tags: Iterable[str] | None = None,
    ) -> None:
        """`password` is a hash of `hash_password`, or plain, or None: only SCRAM lets it in.

        `tags` of None are all where one of the protocols has tags, and none elsewhere.
        Raises InvalidInput.
        """
        self.secretless = password is None
        self.scram: dict[str, Credentials | None] = {}
        password = password or ""
        check_user_name(name)
        hashed = password.startswith("$")
        if hashed and not (_HASH.fullmatch(password) or _RABBIT.fullmatch(password)):
            raise InvalidInput(f"user {name}: a hash is $scrypt$..., as `user hash` prints it")
        self.name = name
        self.protocols = frozenset(protocols)
        if tags is None:
            tags = ALL_TAGS if any(PROTOCOLS[each].tags for each in self.protocols) else ()
        self.tags = tuple(tags)
        self.hashed = password if hashed else ""
        self.plain = "" if hashed else password
        self._remembered = b""

    def check(self, password: str) -> bool:
        """Whether this is the password. A right one is hashed at cost only once."""
        if self.secretless:
            return False
        if rabbit := _RABBIT.fullmatch(self.hashed):
            return _is_rabbit(rabbit[1], b64decode(rabbit[2]), password)
        if not self.hashed:
            return hmac.compare_digest(self.plain.encode(), password.encode())
        # A fast digest under a key that is this process's alone: who logs in again and again costs
        # one scrypt.
        digest = hashlib.blake2b(password.encode(), key=_SECRET).digest()
        if self._remembered and hmac.compare_digest(digest, self._remembered):
            return True
        found = _HASH.fullmatch(self.hashed)
        assert found is not None
        log_n, r, p = (int(found[number]) for number in (1, 2, 3))
        salt, wanted = b64decode(found[4]), b64decode(found[5])
        if not hmac.compare_digest(_scrypt(password, salt, log_n, r, p), wanted):
            return False
        self._remembered = digest
        return True


def check_user_name(name: str) -> None:
    """Raises InvalidInput for what rules mean something else by."""
    if not name or name in (ANONYMOUS, "*"):
        raise InvalidInput(f"{name!r} is no name for a user")


def _is_rabbit(kind: str, hashed: bytes, password: str) -> bool:
    digest = hashlib.new(kind, hashed[:4] + password.encode(), usedforsecurity=False).digest()
    return hmac.compare_digest(digest, hashed[4:])


_SECRET: Final = os.urandom(32)


def hash_password(password: str) -> str:
    """`$scrypt$ln=14,r=8,p=1$SALT$HASH`, for a config file."""
    salt = os.urandom(16)
    key = _scrypt(password, salt, _LOG_N, _R, _P)
    salt_text, key_text = b64encode(salt).decode(), b64encode(key).decode()
    return f"$scrypt$ln={_LOG_N},r={_R},p={_P}${salt_text}${key_text}"


def _scrypt(password: str, salt: bytes, log_n: int, r: int, p: int) -> bytes:
    memory = 128 * r * (1 << log_n) + (1 << 20)
    try:
        return hashlib.scrypt(
            password.encode(), salt=salt, n=1 << log_n, r=r, p=p, maxmem=memory, dklen=32
        )
    except ValueError as error:
        raise InvalidInput(f"a hash with ln={log_n}, r={r}, p={p} cannot be had: {error}") from None


Covers = Callable[[Rule, str, str], bool]
"""Whether a rule speaks of an operation on a name."""
Missing = Callable[[str, str, str], Rule]
"""The rule that would allow a user an operation on a name."""
Free = Callable[[str], bool]
"""Whether a name is one of which no rule speaks, and all may do all with it."""
Report = Callable[[str, str], object]
"""Hears once what was denied, and why."""


Terms = tuple[bool, tuple[Rule, ...], Free | None]
"""What decides of a name that no user is part of: two guards with the same ones agree."""


class Guard:
    """What one connection may do, remembered; good until the rules change."""

    __slots__ = (
        *("_covers", "_known", "_known_size", "_missing", "_report", "_user"),
        *("free", "rules", "strict", "terms"),
    )

    def __init__(
        self,
        user: str,
        rules: list[Rule],
        covers: Covers,
        missing: Missing,
        report: Report,
        *,
        strict: bool,
        free: Free | None = None,
    ) -> None:
        """With `strict` what no rule allows is denied, but for names that are free."""
        self.rules = rules
        self.free = free
        self.strict = strict
        self.terms: Terms = (strict, tuple(rules), free)
        self._user = user or ANONYMOUS
        self._covers = covers
        self._missing = missing
        self._report = report
        self._known: dict[tuple[str, str], str] = {}
        self._known_size = 0

    def denial(self, operation: str, name: str) -> str:
        """Why it may not, with the rule that denies or the one that is missing; empty if it may."""
        known = self._known.get((operation, name))
        if known is None:
            self._known_size += len(name)
            if len(self._known) >= _MOST_REMEMBERED or self._known_size > _MOST_OF_NAMES:
                self._known.clear()
                self._known_size = len(name)
            known = self._known[operation, name] = self._ask(operation, name)
            if known:
                self._report(f"{operation} {name}", known)
        return known

    def allows(self, operation: str, name: str) -> bool:
        """The same for who only wants to know: nothing is reported."""
        return not self._ask(operation, name)

    def reaches(self, vhost: str) -> bool:
        """Whether there is a rule that allows something in a virtual host."""
        return not self.strict or any(
            rule.allow and is_about(rule.pattern, vhost) for rule in self.rules
        )

    def _ask(self, operation: str, name: str) -> str:
        allowed = False
        # All are asked: one that denies wins over any that allows, in whatever order they came.
        for rule in self.rules:
            if self._covers(rule, operation, name):
                if not rule.allow:
                    return f"a rule denies it: {rule.text}"
                allowed = True
        if allowed or not self.strict or (self.free is not None and self.free(name)):
            return ""
        return f"no rule allows it: {self._missing(self._user, operation, name).text}"


def covers_name(rule: Rule, operation: str, name: str) -> bool:
    """How AMQP's rules cover."""
    return operation in rule.operations and matches_name(rule.pattern, operation, name)


def missing_of(protocol: str, user: str, operation: str, name: str) -> Rule:
    return Rule(True, user, frozenset((operation,)), protocol, name)


class Access:
    """Users and rules of all protocols; `anonymous` are those where nobody needs to log in."""

    def __init__(self) -> None:
        self.users: dict[str, User] = {}
        self.rules: dict[int, Rule] = {}
        self.anonymous: set[str] = set(OPEN)
        self.strict: set[str] = set()
        """Protocols where what no rule allows is denied, also before there is a rule."""
        self.super_users: set[str] = set()
        """Whom no rule holds for, as Kafka's `super.users`; KAFKA_ANONYMOUS among them."""
        self._last_rule = 0
        self._rules_of: dict[tuple[str, str], dict[int, Rule]] = {}
        """By protocol and user, so that nobody's rights cost more by the rules of others."""
        self._granting: Counter[str] = Counter()
        """How many rules of each protocol allow something, or are ACLs."""
        self._together = 0
        self._is_changed = False
        self._watchers: list[Callable[[], object]] = []
        self._keepers: list[Callable[[], object]] = []

    def add_user(
        self,
        name: str,
        password: str | None,
        protocols: Iterable[str] = PROTOCOLS,
        tags: Iterable[str] | None = None,
    ) -> User:
        """Add or replace; raises InvalidInput."""
        user = self.users[name] = User(name, password, protocols, tags)
        self.kept_changed()
        return user

    def tag_user(self, name: str, tags: Iterable[str]) -> None:
        """Give a user that is there other tags."""
        self.users[name].tags = tuple(tags)
        self.kept_changed()

    def remove_user(self, name: str) -> None:
        if self.users.pop(name, None) is None:
            raise InvalidInput(f"no user {name}; user ls lists them")
        self.kept_changed()

    def has_users(self, protocol: str) -> bool:
        return any(protocol in user.protocols for user in self.users.values())

    def checks(self, protocol: str) -> bool:
        """A name that comes with a password is compared, and not just believed."""
        return protocol not in self.anonymous or self.has_users(protocol)

    def user(self, protocol: str, name: str) -> User | None:
        found = self.users.get(name)
        return found if found is not None and protocol in found.protocols else None

    def login(self, protocol: str, name: str, password: str) -> bool:
        user = self.user(protocol, name)
        return user is not None and user.check(password)

    def rules_after(self, number: int) -> list[tuple[int, Rule]]:
        """Those that came after this one, the newest one first."""
        # Their numbers only rise.
        return list(takewhile(lambda one: one[0] > number, reversed(self.rules.items())))

    def add_rule(self, rule: Rule) -> int:
        self._last_rule = number = self._last_rule + 1
        self.rules[number] = rule
        self._rules_of.setdefault((rule.protocol, rule.user), {})[number] = rule
        self._granting[rule.protocol] += rule.allow or rule.is_acl
        self._changed()
        return number

    def remove_rule(self, number: int) -> Rule:
        rule = self.rules.pop(number, None)
        if rule is None:
            raise InvalidInput(f"no rule {number}; rule ls lists them")
        own = self._rules_of[rule.protocol, rule.user]
        del own[number]
        if not own:
            del self._rules_of[rule.protocol, rule.user]
        self._granting[rule.protocol] -= rule.allow or rule.is_acl
        self._changed()
        return rule

    def rules_of(self, protocol: str, user: str) -> dict[int, Rule]:
        """Those that name this user, `*` or `anonymous`, by their numbers."""
        return dict(self._rules_of.get((protocol, user), {}))

    def has_rules(self, protocol: str) -> bool:
        # Asked for each connection, and most have none.
        return bool(self._rules_of) and any(each == protocol for each, _ in self._rules_of)

    @contextmanager
    def together(self) -> Iterator[None]:
        """Rules that change in here are one change: guards are renewed once, at its end."""
        self._together += 1
        try:
            yield
        finally:
            self._together -= 1
            if self._is_changed and not self._together:
                self._changed()

    def restrict(self, protocol: str, super_users: Iterable[str] = ()) -> None:
        """Deny what no rule allows, but to these users."""
        self.strict.add(protocol)
        self.super_users.update(super_users)
        self._changed()

    def guard(
        self,
        protocol: str,
        user: str,
        report: Report,
        covers: Covers = covers_name,
        *,
        missing: Missing | None = None,
        host: str = "*",
        free: Callable[[list[Rule]], Free] | None = None,
    ) -> Guard | None:
        """What a user's connection from `host` has to ask; None: it may do all.

        `free` says of all rules of the protocol which names they do not speak of.
        """
        strict = protocol in self.strict
        has_rules = self.has_rules(protocol)
        if (user or KAFKA_ANONYMOUS) in self.super_users or not (has_rules or strict):
            return None
        named = self.rules_of(protocol, user or ANONYMOUS) | self.rules_of(protocol, "*")
        own = [
            rule
            for _, rule in sorted(named.items())
            if rule.host in ("*", host) and rule.principal_type == "User"
        ]
        # Where others have rights, who has none is not let do all.
        strict = strict or self._granting[protocol] > 0
        missing = missing or partial(missing_of, protocol)
        unspoken = None
        if free is not None:
            unspoken = free([rule for rule in self.rules.values() if rule.protocol == protocol])
        return Guard(user, own, covers, missing, report, strict=strict, free=unspoken)

    def on_change(self, callback: Callable[[], object]) -> None:
        """Call whenever guards are out of date."""
        self._watchers.append(callback)

    def on_kept_change(self, callback: Callable[[], object]) -> None:
        """Call whenever users, what proves them, or rules are others."""
        self._keepers.append(callback)

    def kept_changed(self) -> None:
        """Who changes a user calls it, too."""
        for callback in self._keepers:
            callback()

    def _changed(self) -> None:
        self._is_changed = bool(self._together)
        if self._together:
            return
        self.kept_changed()
        for callback in self._watchers:
            callback()
