"""Who may send requests: a certificate, SASL PLAIN or SCRAM, or nobody in particular."""

from typing import Final, NoReturn

from msgspec.structs import replace

from ..access import Guard
from ..contract import Peer
from ..environment import Environment
from ..errors import ProtocolError, RequestRefused
from ..events import AccessDenied
from ..permissions import KAFKA_ANONYMOUS
from ..scram import HASHES, ScramFailed, ScramServer, ScramUsers
from .acls import covers, missing, unspoken
from .codes import ApiKey, ErrorCode
from .oauth import INVALID, InvalidToken, NoMessage, bearer_of, bearer_token
from .options import KafkaOptions

KAFKA: Final = "kafka"
MECHANISMS: Final = ["PLAIN", *HASHES]
OAUTHBEARER: Final = "OAUTHBEARER"

_BEFORE_LOGIN: Final = frozenset(
    {ApiKey.API_VERSIONS, ApiKey.SASL_HANDSHAKE, ApiKey.SASL_AUTHENTICATE}
)
TOKENS_COME_IN: Final = frozenset({ApiKey.SASL_HANDSHAKE, ApiKey.SASL_AUTHENTICATE})
_MIN_REAUTH_INTERVAL: Final = 1.0


class Login:
    """One connection's way in, by the states of Kafka's SaslServerAuthenticator.

    At first only versions may be asked for and a mechanism agreed on; `agreed` then takes tokens
    and nothing else; `admitted` takes any request, but no second login.
    A login that ends (KIP-368) may be renewed by the same user in the same way; `expires` is when,
    by the clock.
    `bare`: SaslHandshake v0 was agreed on, so that the next frames are tokens and no requests.
    """

    __slots__ = (
        "_access",
        "_again",
        "_environment",
        "_invalid",
        "_mechanism",
        "_options",
        "_peer",
        "_scram",
        "_unlike",
        "admitted",
        "agreed",
        "bare",
        "client",
        "expires",
    )

    def __init__(self, peer: Peer, environment: Environment, options: KafkaOptions) -> None:
        self.admitted = False
        self.agreed = False
        self.bare = False
        self.client = ""
        self._peer = peer
        self._environment = environment
        self._access = environment.access
        self._mechanism = ""
        self._options = options
        self.expires: float | None = None
        self._again = -_MIN_REAUTH_INTERVAL
        """When it was renewed last."""
        self._invalid = False
        """A bearer's token was refused; it acknowledges that, and is told again."""
        self._unlike = ""
        """Why the next frame ends the connection: another mechanism than before was agreed on."""
        self._scram: ScramServer | None = None
        """An exchange whose first message was answered."""

    def admit(self, api_key: int) -> bool:
        """Whether a request of this API may be handled now."""
        if self.admitted or api_key in _BEFORE_LOGIN:
            return True
        principal = self._peer.principal
        if principal.certificate:
            # As Kafka's SSL listeners do: the whole subject is the name.
            self._peer.identify(
                replace(principal, name=principal.certificate, mechanism="certificate")
            )
        elif KAFKA not in self._access.anonymous or self._options.oauth:
            self._report("", "login", "SASL is wanted here, or --anonymous to let all in")
            return False
        self.admitted = True
        return True

    def agree(self, mechanism: str, *, bare: bool) -> int:
        """Begin SASL; returns an error code.

        Raises ProtocolError where a login is renewed: Kafka then answers no mechanism that it does
        not serve, and agrees on one that is not that of the login, only to end at the next frame.
        """
        if self.agreed or (self.is_over and not self._renews()):
            return ErrorCode.ILLEGAL_SASL_STATE
        if mechanism not in self.mechanisms:
            served = ", ".join(self.mechanisms)
            self._report("", f"login with {mechanism}", f"only {served} is served")
            if self.admitted:
                raise ProtocolError(f"a login is renewed with {mechanism}: only {served} is served")
            return ErrorCode.UNSUPPORTED_SASL_MECHANISM
        if self.admitted and mechanism != self._mechanism:
            self._unlike = f"a login with {self._mechanism} cannot be renewed with {mechanism}"
            self._report(self._peer.principal.name, f"login with {mechanism}", self._unlike)
        self._mechanism, self.bare, self._scram, self._invalid = mechanism, bare, None, False
        self.agreed = True
        return 0

    @property
    def is_over(self) -> bool:
        """Nobody is to log in here (any more): a listener of PLAINTEXT or SSL, or it has."""
        return (self.admitted and not self.agreed) or not self.is_wanted

    @property
    def is_wanted(self) -> bool:
        """Whether this is a listener of SASL."""
        return bool(self._options.oauth) or self._access.checks(KAFKA)

    @property
    def mechanisms(self) -> list[str]:
        return [*MECHANISMS, OAUTHBEARER] if self._options.oauth else MECHANISMS

    def check_session(self, api_key: int) -> None:
        """KIP-368: a login that was not renewed in time ends the connection at its next request.

        Raises ProtocolError.
        """
        if self.agreed or self.expires is None:
            return
        now = self._environment.clock.now()
        if api_key == ApiKey.SASL_HANDSHAKE and self._may_renew(now):
            return
        if now >= self.expires:
            name = self._peer.principal.name
            raise ProtocolError(f"the login of {name} has expired and was not renewed")

    def lifetime_ms(self) -> int:
        """How long the login is good for from now on; 0: without end."""
        if self.expires is None:
            return 0
        return max(0, round((self.expires - self._environment.clock.now()) * 1000))

    def _renews(self) -> bool:
        """Whether who is logged in may do it again now: at most once a second."""
        now = self._environment.clock.now()
        if self.expires is None or not self._may_renew(now):
            return False
        self._again = now
        return True

    def _may_renew(self, now: float) -> bool:
        return now - self._again >= _MIN_REAUTH_INTERVAL

    def check_mechanism(self) -> None:
        """Raises ProtocolError at the first frame behind what agreed on another than before."""
        if self._unlike:
            raise ProtocolError(self._unlike)

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
        if self._mechanism == OAUTHBEARER:
            return self._take_bearer(token)
        self._take_plain(token)
        return b""

    def _take_bearer(self, message: bytes) -> bytes:
        """OAUTHBEARER (RFC 7628): one message, or a refusal that the client acknowledges."""
        invalid = "Authentication failed during authentication due to invalid credentials with SASL"
        if self._invalid:
            text = INVALID if message == b"\x01" else f"{invalid} mechanism {OAUTHBEARER}"
            raise RequestRefused(ErrorCode.SASL_AUTHENTICATION_FAILED, text)
        wall = self._environment.clock.wall()
        try:
            token, authorize = bearer_token(message)
            bearer = bearer_of(token, self._options.oauth, wall)
        except NoMessage as error:
            self._refuse("", f"{invalid} mechanism {OAUTHBEARER}", str(error))
        except InvalidToken as error:
            self._report("", f"login with {OAUTHBEARER}", f"its token is not taken: {error}")
            self._invalid = True
            return INVALID.encode()
        if authorize and authorize != bearer.name:
            self._refuse(
                bearer.name,
                f"Authentication failed: Client requested an authorization id ({authorize}) that is"
                f" different from the token's principal name ({bearer.name})",
                f"it asked to act as {authorize}",
            )
        self._let_in(bearer.name, bearer.expires - wall)
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

    def _let_in(self, user: str, lifetime: float | None = None) -> None:
        """`lifetime` is that of what was proved, in seconds."""
        before = self._peer.principal.name
        if self.admitted and user != before:
            self._refuse(
                user,
                "Cannot change principals during re-authentication from"
                f" User.{before}: User.{user}",
                f"it was {before} before",
            )
        self.agreed = self.bare = False
        most = self._options.max_reauth
        ends = [one for one in (lifetime, most if most > 0 else None) if one is not None]
        self.expires = self._environment.clock.now() + min(ends) if ends else None
        self._peer.identify(replace(self._peer.principal, name=user, mechanism=self._mechanism))
        self.admitted = True

    def guard(self) -> Guard | None:
        user = self._peer.principal.name

        def report(what: str, why: str) -> None:
            self._report(user, what, why)

        host = self._peer.address.rpartition(":")[0].strip("[]")
        return self._access.guard(
            KAFKA,
            user,
            report,
            covers,
            missing=missing,
            host=host,
            free=unspoken if self._options.allow_everyone else None,
        )

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
        event = AccessDenied(KAFKA, self._peer.id, self.client, user or KAFKA_ANONYMOUS, what, why)
        self._environment.spine.emit(event)
