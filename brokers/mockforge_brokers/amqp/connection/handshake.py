"""From the protocol header to connection.open-ok (AMQP 2.2.4), step by step."""

from collections.abc import Callable, Mapping
from functools import lru_cache
from typing import Any, Final

from msgspec import Struct, field

from ...errors import ProtocolError
from ..codes import ReplyCode
from ..lint import NO_HEARTBEAT
from ..options import CR_DEMO, AmqpOptions
from ..profiles import PROFILES, SMALL_FRAMES
from ..records import Table, plain, table
from ..wire.frames import OVERHEAD, method
from .failures import Refused
from .login import CHALLENGE, Login, answered

_CAPABILITIES: Final = (
    "publisher_confirms",
    "exchange_exchange_bindings",
    "basic.nack",
    "consumer_cancel_notify",
    "connection.blocked",
    "consumer_priorities",
    "authentication_failure_close",
    "per_consumer_qos",
    "direct_reply_to",
)
_SMALL_FRAME: Final = PROFILES["4.1"].frame_min


class Agreement(Struct):
    """What the two sides settled on."""

    user: str = ""
    impersonates: bool = False
    """Its messages may have any user-id."""
    client: str = ""
    software: str = ""
    capabilities: frozenset[str] = frozenset()
    properties: Mapping[str, Any] = field(default_factory=dict)
    channel_max: int = 0
    frame_max: int = 0
    heartbeat: int = 0
    virtual_host: str = ""


class Handshake:
    """Takes the client's methods in the one order that is legal.

    `lint` hears of frames that are too small for newer releases, and of no heartbeat.
    `login` knows who may log in, and to which virtual host.
    """

    __slots__ = ("_lint", "_login", "_named", "_options", "_send", "agreement", "expected")

    def __init__(
        self,
        options: AmqpOptions,
        login: Login,
        send: Callable[[bytes], None],
        lint: Callable[[str, str], None],
    ) -> None:
        self.agreement = Agreement(frame_max=options.frame_max)
        self.expected = "protocol header"
        self._named: str | bytes = b""
        """Who answers a challenge."""
        self._options = options
        self._login = login
        self._send = send
        self._lint = lint

    def start(self, version: tuple[int, int]) -> None:
        """The protocol header came and is one of ours: it asks for this version."""
        options = self._options
        self._send(_start(version, options.product, options.version, self._login.mechanisms))
        self.expected = "connection.start-ok"

    def receive(self, name: str, values: dict[str, Any]) -> bool:
        """Take one method; True once the connection is open. Raises ProtocolError."""
        if name != self.expected:
            raise Refused(f"{name} came where {self.expected} was due")
        match name:
            case "connection.start-ok":
                self._start_ok(values["client_properties"], values["mechanism"], values["response"])
            case "connection.secure-ok":
                self._secure_ok(values["response"])
            case "connection.tune-ok":
                self._tune_ok(**values)
            case "connection.open":
                self._open(values["virtual_host"])
                return True
        return False

    def _start_ok(self, properties: Table, mechanism: str, response: str | bytes) -> None:
        agreement = self.agreement
        declared = agreement.properties = plain(properties)
        capabilities = declared.get("capabilities")
        if isinstance(capabilities, dict):
            agreement.capabilities = frozenset(key for key, on in capabilities.items() if on)
        agreement.software = " ".join(
            str(declared[key]) for key in ("product", "version") if declared.get(key)
        )
        agreement.client = str(declared.get("connection_name") or "")
        try:
            self._login.check(mechanism)
        except ProtocolError as error:
            raise Refused(error.text) from None
        if mechanism == CR_DEMO:
            # Its first response is the user's name; the password is asked for.
            self._named = response
            self._send(method(0, "connection.secure", challenge=CHALLENGE))
            self.expected = "connection.secure-ok"
            return
        self._enter(mechanism, response)

    def _secure_ok(self, response: str | bytes) -> None:
        try:
            login = answered(self._named, response)
        except ProtocolError as error:
            # A syntax error before the connection is trusted: RabbitMQ says none of it.
            raise Refused(error.text) from None
        self._enter(CR_DEMO, login)

    def _enter(self, mechanism: str, response: str | bytes) -> None:
        agreement = self.agreement
        try:
            user = self._login.enter(agreement.client, mechanism, response)
        except ProtocolError as error:
            raise Refused(error.text) from None
        if user is None:
            self._refuse_login(mechanism)
        else:
            agreement.user = user
            agreement.impersonates = self._login.impersonates
        options = self._options
        self._send(_tune(options.channel_max, options.frame_max, options.heartbeat))
        self.expected = "connection.tune-ok"

    def _refuse_login(self, mechanism: str) -> None:
        if "authentication_failure_close" in self.agreement.capabilities:
            raise ProtocolError(
                f"Login was refused using authentication mechanism {mechanism}. "
                "For details see the broker logfile.",
                ReplyCode.ACCESS_REFUSED,
            )
        raise Refused(f"login refused: {mechanism}")

    def _tune_ok(self, *, channel_max: int, frame_max: int, heartbeat: int) -> None:
        options = self._options
        _check_tuned("channel_max", channel_max, 1, options.channel_max)
        if 0 < frame_max < _SMALL_FRAME:
            self._lint(SMALL_FRAMES, f"frame_max {frame_max} was agreed on")
        _check_tuned("frame_max", frame_max, options.profile.frame_min, options.frame_max)
        if not heartbeat and options.heartbeat:
            self._lint(NO_HEARTBEAT, "no heartbeat was agreed on")
        agreement = self.agreement
        agreement.channel_max = channel_max
        agreement.frame_max = frame_max
        agreement.heartbeat = heartbeat
        self.expected = "connection.open"

    def _open(self, virtual_host: str) -> None:
        problem = self._login.problem_of_host(self.agreement.client, virtual_host)
        if problem:
            raise ProtocolError(problem, ReplyCode.NOT_ALLOWED)
        self.agreement.virtual_host = virtual_host

    @property
    def max_payload(self) -> int:
        return self.agreement.frame_max - OVERHEAD


@lru_cache(16)
def _start(version: tuple[int, int], product: str, release: str, mechanisms: str) -> bytes:
    """connection.start: the same for nearly all clients of a process."""
    properties: dict[str, Any] = {
        "capabilities": dict.fromkeys(_CAPABILITIES, True),
        "cluster_name": "mockforge",
        "copyright": "MIT license",
        "information": "mockforge-tui, which speaks AMQP 0-9-1 as RabbitMQ does",
        "platform": "Python",
        "product": product,
        "version": release,
    }
    return method(
        0,
        "connection.start",
        version_major=version[0],
        version_minor=version[1],
        server_properties=table(properties),
        mechanisms=mechanisms,
        locales="en_US",
    )


@lru_cache(16)
def _tune(channel_max: int, frame_max: int, heartbeat: int) -> bytes:
    """connection.tune, likewise."""
    return method(
        0,
        "connection.tune",
        channel_max=channel_max,
        frame_max=frame_max,
        heartbeat=heartbeat,
    )


def _check_tuned(name: str, value: int, least: int, most: int) -> None:
    """RabbitMQ resets without a word; 0 would mean no limit, which it does not grant."""
    if 0 < value < least:
        raise Refused(f"tune-ok: {name} {value} is under the least that is allowed, {least}")
    if value == 0 or value > most:
        asked = "without limit" if value == 0 else str(value)
        raise Refused(f"tune-ok: {name} {asked} is over the {most} that was proposed")
