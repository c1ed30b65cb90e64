"""Enhanced authentication (MQTT 5, 4.12): SCRAM, and methods whose course a person wrote down."""

from typing import TYPE_CHECKING, Final, Protocol

from msgspec import Struct
from msgspec.structs import replace

from ..errors import InvalidInput, ProtocolError
from ..events import AccessDenied
from ..journal import IN
from ..scram import HASHES, ScramFailed, ScramServer, ScramUsers
from . import rights
from .codes import FAILURE, V5, PacketType, Reason
from .handshake import NotServed, Refused, accept
from .wire.packets import Auth, Connect
from .wire.properties import Properties

if TYPE_CHECKING:
    from .broker import MqttBroker
    from .connection import MqttConnection


class Step(Struct, frozen=True):
    """The server's answer: a challenge, or with `done` its last word."""

    data: bytes | None
    done: bool = False


class Exchange(Protocol):
    """One client's way through a method."""

    @property
    def user(self) -> str:
        """Who it proves to be, or says that it is; empty where the method has no name."""
        ...

    def step(self, data: bytes) -> Step:
        """What the client sent next; raises Refused."""
        ...


class ScriptedMethod(Struct, frozen=True):
    """A method whose challenges come in this order, whatever the client sends.

    After the last one comes the outcome: `code` (0: it is let in).
    """

    name: str
    challenges: tuple[bytes, ...] = ()
    code: int = 0


def scripted(text: str) -> ScriptedMethod:
    """`METHOD [CHALLENGE ...] [refuse=CODE]`; raises InvalidInput."""
    name, *words = text.split()[:100] or [""]
    code = 0
    challenges = []
    for word in words:
        if word.startswith("refuse="):
            code = _code(text, word.removeprefix("refuse="))
        else:
            challenges.append(word.encode())
    if name in HASHES:
        raise InvalidInput(f"{name} is there for users with plain passwords: give another name")
    if not name:
        raise InvalidInput(f"{text!r}: METHOD [CHALLENGE ...] [refuse=CODE] is wanted")
    return ScriptedMethod(name, tuple(challenges), code)


def _code(text: str, word: str) -> int:
    named = word.upper().replace("-", "_")
    if named in Reason.__members__ and Reason[named] >= FAILURE:
        return int(Reason[named])
    raise InvalidInput(f"{text!r}: {word!r} is no failing reason code, such as NOT_AUTHORIZED")


class _Scripted:
    user = ""

    def __init__(self, method: ScriptedMethod) -> None:
        self._method = method
        self._left = list(method.challenges)

    def step(self, data: bytes) -> Step:
        if self._left:
            return Step(self._left.pop(0))
        if self._method.code:
            text = f"method {self._method.name} refuses, as it was told to"
            raise Refused(text, self._method.code)
        return Step(None, done=True)


class _Scram:
    def __init__(self, server: ScramServer) -> None:
        self._server = server
        self._began = False

    @property
    def user(self) -> str:
        return self._server.user

    def step(self, data: bytes) -> Step:
        try:
            if not self._began:
                self._began = True
                return Step(self._server.first(data))
            return Step(self._server.final(data), done=True)
        except ScramFailed as error:
            raise Refused(f"SCRAM: {error}", Reason.NOT_AUTHORIZED) from None


class Methods:
    """What this broker serves: SCRAM where it knows passwords, and what is scripted."""

    def __init__(self, broker: "MqttBroker") -> None:
        self.scripted: dict[str, ScriptedMethod] = {}
        self._access = broker.environment.access
        self._users = ScramUsers(self._access, "mqtt", broker.environment.random)
        for text in broker.options.auth_methods:
            method = scripted(text)
            self.scripted[method.name] = method

    def names(self) -> list[str]:
        scram = list(HASHES) if self._access.has_users("mqtt") else []
        return [*scram, *self.scripted]

    def begin(self, name: str) -> Exchange | None:
        """None: there is no such method here."""
        method = self.scripted.get(name)
        if method is not None:
            return _Scripted(method)
        if name not in self.names():
            return None
        return _Scram(self._users.begin(name))


class Proving(Struct):
    """A client that is in the midst of it; `connect` is its CONNECT, None when it proves anew."""

    method: str
    exchange: Exchange
    connect: Connect | None


_NOT_DUE: Final = "AUTH with {code:#04x} where no authentication is under way [MQTT-4.12.0-3]"


def begin(connection: "MqttConnection", packet: Connect) -> None:
    """CONNECT came with a method; raises Refused."""
    method = str(packet.properties["authentication_method"])
    methods = connection.broker.methods
    exchange = methods.begin(method)
    if exchange is None:
        served = ", ".join(methods.names()) or "none: SCRAM needs a --user"
        raise NotServed(
            f"authentication method {method}",
            f"authentication method {method!r} is not served; those that are: {served}",
            Reason.BAD_AUTHENTICATION_METHOD,
        )
    connection.proving = Proving(method, exchange, packet)
    _advance(connection, packet.properties)


def go_on(connection: "MqttConnection", packet: Auth) -> None:
    """AUTH came, before CONNACK or after it; raises Refused or ProtocolError."""
    if packet.code:
        connection.counts.codes(IN, PacketType.AUTH, (packet.code,), V5)
    proving = connection.proving
    method = proving.method if proving is not None else connection.method
    if not method:
        raise ProtocolError(
            "AUTH without an authentication method in CONNECT [MQTT-4.12.0-6]",
            Reason.PROTOCOL_ERROR,
        )
    if packet.properties.get("authentication_method") != method:
        raise ProtocolError(
            f"AUTH with another method than the {method!r} of CONNECT [MQTT-4.12.0-5]",
            Reason.PROTOCOL_ERROR,
        )
    again = packet.code == Reason.RE_AUTHENTICATE
    if again and connection.session is not None:
        # [MQTT-4.12.1-1] at any time; what it could do before it can do until that is over.
        exchange = connection.broker.methods.begin(method)
        if exchange is None:
            raise Refused(f"{method} is no longer served", Reason.BAD_AUTHENTICATION_METHOD)
        connection.proving = Proving(method, exchange, None)
    elif again or packet.code != Reason.CONTINUE_AUTHENTICATION or proving is None:
        raise ProtocolError(_NOT_DUE.format(code=packet.code), Reason.PROTOCOL_ERROR)
    _advance(connection, packet.properties)


def _advance(connection: "MqttConnection", given: Properties) -> None:
    proving = connection.proving
    assert proving is not None
    step = proving.exchange.step(given.get("authentication_data", b""))
    answer: Properties = {"authentication_method": proving.method}
    if step.data is not None:
        answer["authentication_data"] = step.data
    if not step.done:
        connection.outlet.answer(Auth(Reason.CONTINUE_AUTHENTICATION, answer))
        return
    peer, packet = connection.peer, proving.connect
    name = _named(proving)
    problem = rights.misplaced(connection, name)
    if problem:
        raise Refused(f"not authorized: {problem}", Reason.NOT_AUTHORIZED)
    connection.proving = None
    connection.method = proving.method
    if name or packet is not None:
        peer.identify(replace(peer.principal, name=name, mechanism=proving.method))
    if packet is not None:
        accept(connection, packet, answer)
    else:
        connection.renew_guard()
        # Who may read a topic was asked when its route was found.
        connection.broker.router.forget_routes()
        connection.outlet.answer(Auth(Reason.SUCCESS, answer))


def _named(proving: Proving) -> str:
    """By its method, or by its CONNECT where that has no name."""
    packet = proving.connect
    return proving.exchange.user or (packet.user_name if packet is not None else "") or ""


def failed(connection: "MqttConnection", error: Refused) -> None:
    """Report it; who is connected already has to go [MQTT-4.12.1-2]."""
    proving, connection.proving = connection.proving, None
    user = (_named(proving) if proving is not None else "") or connection.peer.principal.name
    event = AccessDenied(
        "mqtt", connection.peer.id, connection.client, user, "authenticate", error.text
    )
    connection.broker.environment.spine.emit(event)
    if connection.session is not None:
        connection.disconnect(Reason(error.code), error.text)
