"""Who may send requests: a certificate, SASL PLAIN or SCRAM, or nobody in particular."""

from typing import Final, NoReturn

from msgspec.structs import replace

from ..access import Guard
from ..contract import Peer
from ..environment import Environment
from ..errors import ProtocolError, RequestRefused
from ..events import AccessDenied
from ..scram import HASHES, ScramFailed, ScramServer, ScramUsers
from .acls import covers, missing
from .codes import ApiKey, ErrorCode

KAFKA: Final = "kafka"
MECHANISMS: Final = ["PLAIN", *HASHES]

_BEFORE_LOGIN: Final = frozenset(
    {ApiKey.API_VERSIONS, ApiKey.SASL_HANDSHAKE, ApiKey.SASL_AUTHENTICATE}
)
TOKENS_COME_IN: Final = frozenset({ApiKey.SASL_HANDSHAKE, ApiKey.SASL_AUTHENTICATE})
_ANONYMOUS: Final = "ANONYMOUS"
"""What Kafka calls who did not log in."""


class Login:
    """One connection's way in, by the states of Kafka's SaslServerAuthenticator.

    At first only versions may be asked for and a mechanism agreed on; `agreed` then takes tokens
    and nothing else; `admitted` takes any request, but no second login.
    `bare`: SaslHandshake v0 was agreed on, so that the next frames are tokens and no requests.
    """

    __slots__ = (
        "_access",
        "_environment",
        "_mechanism",
        "_peer",
        "_scram",
        "admitted",
        "agreed",
        "bare",
        "client",
    )

    def __init__(self, peer: Peer, environment: Environment) -> None:
        self.admitted = False
        self.agreed = False
        self.bare = False
        self.client = ""
        self._peer = peer
        self._environment = environment
        self._access = environment.access
        self._mechanism = ""
        self._scram: ScramServer | None = None
        """An exchange whose first message was answered."""

    def admit(self, api_key: int) -> bool:
        """Whether a request of this API may be handled now."""
        if self.admitted or api_key in _BEFORE_LOGIN:
            return True
        principal = self._peer.principal
        if principal.certificate:
            # As Kafka's SSL listeners do: the whole subject is the name.
            self._peer.principal = replace(
                principal, name=principal.certificate, mechanism="certificate"
            )
        elif KAFKA not in self._access.anonymous:
            self._report("", "login", "SASL is wanted here, or --anonymous to let all in")
            return False
        self.admitted = True
        return True

    def agree(self, mechanism: str, *, bare: bool) -> int:
        """Begin SASL; returns an error code."""
        if self.is_over or self.agreed:
            return ErrorCode.ILLEGAL_SASL_STATE
        if mechanism not in MECHANISMS:
            self._report("", f"login with {mechanism}", f"only {', '.join(MECHANISMS)} is served")
            return ErrorCode.UNSUPPORTED_SASL_MECHANISM
        self._mechanism, self.bare, self._scram = mechanism, bare, None
        self.agreed = True
        return 0

    @property
    def is_over(self) -> bool:
        """Nobody is to log in here (any more): a listener of PLAINTEXT or SSL, or it has."""
        return self.admitted or not self._access.checks(KAFKA)

    def authenticate(self, token: bytes) -> bytes:
        """Take a token of the client, and return ours.

        Raises RequestRefused, and ProtocolError where no mechanism was agreed on.
        """
        if self.is_over:
            raise RequestRefused(
                ErrorCode.ILLEGAL_SASL_STATE,
                "SaslAuthenticate request received after successful authentication",
            )
        if not self.agreed:
            raise ProtocolError("SaslAuthenticate came without a SaslHandshake")
        if self._mechanism in HASHES:
            return self._prove(token)
        self._take_plain(token)
        return b""

    def _prove(self, token: bytes) -> bytes:
        """SCRAM (RFC 5802): two messages each way, the last one lets the client in."""
        try:
            if self._scram is None:
                users = ScramUsers(self._access, KAFKA, self._environment.random)
                self._scram = users.begin(self._mechanism)
                return self._scram.first(token)
            answer = self._scram.final(token)
        except ScramFailed as error:
            user = self._scram.user if self._scram is not None else ""
            text = "due to invalid credentials with SASL mechanism"
            self._refuse(
                user,
                f"Authentication failed during authentication {text} {self._mechanism}",
                str(error),
            )
        self._let_in(self._scram.user)
        return answer

    def _take_plain(self, token: bytes) -> None:
        """PLAIN's token (RFC 4616)."""
        parts = token.decode(errors="replace").split("\0")
        if len(parts) != 3:
            text = f"Invalid SASL/PLAIN response: expected 3 tokens, got {len(parts)}"
            self._refuse("", text, "no PLAIN token")
        other, user, password = parts
        failed = "Authentication failed: "
        if not user or not password:
            missing = "password" if user else "username"
            self._refuse(user, f"{failed}{missing} not specified", f"no {missing}")
        if other and other != user:
            self._refuse(
                user,
                f"{failed}Client requested an authorization id that is different from username",
                f"it asked to act as {other}",
            )
        if self._access.user(KAFKA, user) is None:
            self._refuse(user, f"{failed}Invalid username or password", "no such user")
        if not self._access.login(KAFKA, user, password):
            self._refuse(user, f"{failed}Invalid username or password", "wrong password")
        self._let_in(user)

    def _let_in(self, user: str) -> None:
        self.agreed = self.bare = False
        self._peer.principal = replace(self._peer.principal, name=user, mechanism=self._mechanism)
        self.admitted = True

    def guard(self) -> Guard | None:
        user = self._peer.principal.name

        def report(what: str, why: str) -> None:
            self._report(user, what, why)

        host = self._peer.address.rpartition(":")[0].strip("[]")
        return self._access.guard(KAFKA, user, report, covers, missing=missing, host=host)

    def interrupted(self, request: str) -> str:
        """Something else than a token came: the connection ends. Returns why."""
        reason = f"{request} came in the midst of a login by SASL"
        self._report("", f"login with {self._mechanism}", reason)
        self.hang_up(reason)
        return reason

    def hang_up(self, reason: str) -> None:
        """Once the answer is written: a refused login ends the connection."""
        self._environment.clock.call_later(0, self._peer.close, reason)

    def _refuse(self, user: str, text: str, why: str) -> NoReturn:
        self._report(user, f"login with {self._mechanism}", why)
        raise RequestRefused(ErrorCode.SASL_AUTHENTICATION_FAILED, text)

    def _report(self, user: str, what: str, why: str) -> None:
        event = AccessDenied(KAFKA, self._peer.id, self.client, user or _ANONYMOUS, what, why)
        self._environment.spine.emit(event)
