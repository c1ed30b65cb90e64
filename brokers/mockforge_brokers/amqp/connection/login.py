"""Who logs in, by which SASL mechanism, and to which virtual host."""

from collections.abc import Mapping, Sequence
from typing import Final

from msgspec.structs import replace

from ...access import Guard, User
from ...bytes_io import ByteReader
from ...contract import Peer
from ...environment import Environment
from ...errors import ProtocolError
from ...events import AccessDenied
from ...permissions import escaped
from ..attempts import Source
from ..codes import ReplyCode
from ..events import AMQP
from ..options import USUAL_MECHANISMS
from ..state.virtual_host import VirtualHost
from ..wire.field_table import read_table
from .ends import peer_host
from .quotas import Quotas

CHALLENGE: Final = b"Please tell me your password"
_ANSWER: Final = b"My password is "
LOGIN: Final = "login with"
"""How the operation is named that was denied (AccessDenied), before its mechanism."""


class Login:
    """Lets one client in, or reports why not."""

    __slots__ = (
        "_access",
        "_environment",
        "_mechanisms",
        "_peer",
        "_protocol",
        "_quotas",
        "_user",
        "_vhosts",
        "denied",
    )

    def __init__(
        self,
        peer: Peer,
        environment: Environment,
        vhosts: Mapping[str, VirtualHost],
        quotas: Quotas,
        protocol: str = "amqp091",
        mechanisms: Sequence[str] = USUAL_MECHANISMS,
    ) -> None:
        """`protocol` is what attempts are counted by."""
        self._protocol = protocol
        self._mechanisms = " ".join(mechanisms)
        self._quotas = quotas
        self._user: User | None = None
        self._peer = peer
        self._environment = environment
        self._access = environment.access
        self._vhosts = vhosts
        self.denied = False
        """It was said that the client may not go on: that its connection ends is no more news, and
        it broke no rule of the protocol."""

    @property
    def mechanisms(self) -> str:
        """EXTERNAL is for who came with a certificate (rabbitmq_auth_mechanism_ssl)."""
        offered = self._mechanisms
        return f"{offered} EXTERNAL" if self._peer.principal.certificate else offered

    @property
    def impersonates(self) -> bool:
        """Who logged in may publish in anybody's name (RabbitMQ's page on validated user-id)."""
        return self._user is not None and "impersonator" in self._user.tags

    def check(self, mechanism: str) -> None:
        """Raises ProtocolError: it is not offered."""
        if mechanism not in self.mechanisms.split():
            raise ProtocolError(f"login mechanism {mechanism!r} is none of {self.mechanisms}")

    def enter(self, client: str, mechanism: str, response: str | bytes) -> str | None:
        """The user's name; None if it may not log in. Raises ProtocolError: no such mechanism."""
        self.check(mechanism)
        if mechanism == "EXTERNAL":
            name = self._of_certificate()
            problem = "" if name else "no user is called like the certificate's subject or its CN"
        else:
            login = credentials(mechanism, response)
            name = "" if login is None else login[0]
            problem = self._problem(login)
        source = Source(peer_host(self._peer), name, self._protocol)
        self._quotas.attempts.note(source, succeeded=not problem)
        if problem:
            self._deny(client, name, f"{LOGIN} {mechanism}", problem)
            return None
        self._user = self._access.user(AMQP, name)
        self._peer.identify(replace(self._peer.principal, name=name, mechanism=mechanism))
        return name

    def renew(self, client: str, secret: str | bytes) -> None:
        """A new secret in place of the one of the login; raises ProtocolError (530).

        RabbitMQ's own users do not expire, so that it takes any; here the secret has to be right
        once the user was changed since its login, as a token would have to be.
        """
        name = self._peer.principal.name
        user = self._access.user(AMQP, name)
        if user is self._user:
            return
        if isinstance(secret, bytes):
            secret = secret.decode(errors="replace")
        if user is None or not user.check(secret):
            problem = "no such user any more" if user is None else "not its password"
            self._deny(client, name, "update-secret", problem)
            raise ProtocolError(
                "New secret was refused by one of the backends", ReplyCode.NOT_ALLOWED
            )
        self._user = user

    def problem_of_host(self, client: str, name: str) -> str:
        """Why this virtual host cannot be opened, in RabbitMQ's words; empty if it can."""
        user = self._peer.principal.name
        if name not in self._vhosts:
            return f"vhost {name} not found"
        guard = self.guard(client, user)
        if guard is not None and not guard.reaches(name):
            reason = f"no rule allows it: allow {user} all amqp:{escaped(name)}:*"
            self._deny(client, user, f"open vhost {name}", reason)
            return f"access to vhost '{name}' refused for user '{user}'"
        problem = self._quotas.problem(user, self._vhosts[name])
        if problem:
            self._deny(client, user, f"open vhost {name}", problem)
        return problem

    def open(self, name: str) -> VirtualHost:
        """The virtual host, which had no problem: the client is in it from now on."""
        self._peer.identify(replace(self._peer.principal, vhost=name))
        return self._vhosts[name]

    def guard(self, client: str, user: str) -> Guard | None:
        def report(what: str, why: str) -> None:
            self._report(client, user, what, why)

        return self._access.guard(AMQP, user, report)

    def _of_certificate(self) -> str:
        principal = self._peer.principal
        for name in (principal.certificate, principal.common_name):
            if self._access.user(AMQP, name) is not None:
                return name
        return ""

    def _problem(self, login: tuple[str, str] | None) -> str:
        if login is None:
            return "the response cannot be read"
        if self._access.user(AMQP, login[0]) is None:
            return "no such user"
        return "" if self._access.login(AMQP, *login) else "wrong password"

    def _deny(self, client: str, user: str, what: str, why: str) -> None:
        self.denied = True
        self._report(client, user, what, why)

    def _report(self, client: str, user: str, what: str, why: str) -> None:
        event = AccessDenied(AMQP, self._peer.id, client, user, what, why)
        self._environment.spine.emit(event)


def credentials(mechanism: str, response: str | bytes) -> tuple[str, str] | None:
    """User and password of PLAIN or AMQPLAIN; None if they cannot be read."""
    raw = response.encode() if isinstance(response, str) else response
    if mechanism == "AMQPLAIN":
        return _amqplain(raw)
    # RFC 4616: authorization id, user, password, with a NUL between them. RabbitMQ takes no
    # authorization id.
    parts = raw.split(b"\x00")
    if len(parts) != 3 or parts[0]:
        return None
    return parts[1].decode(errors="replace"), parts[2].decode(errors="replace")


def answered(user: str | bytes, response: str | bytes) -> bytes:
    """What PLAIN would have said in place of CR_DEMO's two responses; raises ProtocolError."""
    name, raw = (each.encode() if isinstance(each, str) else each for each in (user, response))
    if not raw.startswith(_ANSWER):
        raise ProtocolError(f"Invalid response '{raw.decode(errors='replace')}'")
    return b"\0".join((b"", name, raw[len(_ANSWER) :]))


def _amqplain(raw: bytes) -> tuple[str, str] | None:
    """A field table without its length in front, with LOGIN and PASSWORD."""
    try:
        table = read_table(ByteReader(len(raw).to_bytes(4, "big") + raw, what="AMQPLAIN"))
    except ProtocolError:
        return None
    user, password = table.get("LOGIN"), table.get("PASSWORD")
    if user is None or password is None:
        return None
    return str(user.value), str(password.value)
