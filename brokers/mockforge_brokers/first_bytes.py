"""What a client speaks that came to the wrong port, by the first bytes that it sent."""

import re
from collections.abc import Iterable
from typing import Final

from .listener import Listener
from .protocols import title_of

_METHODS: Final = tuple(
    method + b" " for method in b"GET HEAD POST PUT DELETE OPTIONS PATCH CONNECT PRI".split()
)
_HTTP: Final = re.compile(b"|".join(_METHODS))
_UPGRADE: Final = re.compile(rb"\r\nupgrade:[ \t]*websocket", re.IGNORECASE)
_MQTT: Final = re.compile(rb"\x10.{1,4}?\x00(\x04MQTT|\x06MQIsdp)", re.DOTALL)
_KAFKA: Final = re.compile(rb"\x00[\x00-\x0f]..\x00[\x03\x11\x12]\x00[\x00-\x14]", re.DOTALL)
"""A size, then one of the requests that Kafka's clients begin with: Metadata, SaslHandshake or
ApiVersions."""


def spoken(data: bytes) -> str:
    """The protocol's name, empty where nothing is recognised.

    TLS, WebSocket, HTTP, Kafka, MQTT, AMQP 0-9-1, AMQP 1.0 or the PROXY protocol.
    """
    # RFC 8446 5.1: a handshake record (22), whose legacy version begins with 3 in every TLS.
    if data[:2] == b"\x16\x03":
        return "TLS"
    if _HTTP.match(data):
        return "WebSocket" if _UPGRADE.search(data) else "HTTP"
    if data.startswith(b"AMQP"):
        return "AMQP 0-9-1" if data[5:8] in (b"\x00\x09\x01", b"\x01\x00\x0a") else "AMQP 1.0"
    # CONNECT's fixed header, then the protocol's name: MQIsdp is MQTT 3.1's.
    if _MQTT.match(data):
        return "MQTT"
    if data.startswith((b"PROXY ", b"\r\n\r\n\x00\r\nQUIT\n")):
        return "the PROXY protocol"
    return "Kafka" if _KAFKA.match(data) else ""


def undecided(data: bytes) -> bool:
    """Whether more has to come before `spoken` can tell TLS, or a WebSocket from other HTTP."""
    if data == b"\x16":
        return True
    if _HTTP.match(data):
        return b"\r\n\r\n" not in data and not _UPGRADE.search(data)
    return any(each.startswith(data) for each in _METHODS)


def misdirected(
    data: bytes, listener: Listener, listeners: Iterable[Listener], *, inside: bool = True
) -> str:
    """What is wrong and what helps, for a person; empty where the client speaks as it should.

    `data` came through the listener's layers, or for a layer itself not `inside` of them.
    `listeners` are all that accept, so that the right port can be named.
    """
    own = title_of(listener.protocol)
    speaks = spoken(data)
    found = _wrong_for("plain" if inside else listener.name, own, speaks)
    if found is None:
        return ""
    what, hint = found
    if not isinstance(hint, str):
        hint = _place(*hint, listeners)
    here = _PORTS[listener.name].format(own)
    place = f"socket {listener.path}" if listener.path else f"port {listener.port}"
    return f"it speaks {what} to the {here} {place}: {hint}"


_Place = tuple[str, bool, bool]
"""A protocol's title, with TLS, over WebSocket."""

_PORTS: Final = {
    "plain": "plain {}",
    "tls": "{} TLS",
    "ws": "{} WebSocket",
    "wss": "{} secure WebSocket",
    "unix": "plain {}",
    "sn": "{}-SN",
}
_AS_IT_COMES: Final = (
    "start with --proxy-protocol, or have the proxy in front of it pass bytes on as they come"
)


def _wrong_for(name: str, own: str, speaks: str) -> tuple[str, str | _Place] | None:
    """What the client speaks, and where to go or what to do; None where it is right."""
    title = speaks.split(" ")[0]
    if speaks == "the PROXY protocol":
        return speaks, _AS_IT_COMES
    if name in ("tls", "wss"):
        return _wrong_for_tls(own, title, speaks)
    if name == "ws":
        return _wrong_for_websocket(own, title, speaks)
    if title in ("", own):
        return None
    if speaks == "HTTP":
        return speaks, "HTTP is at the admin port (--admin-port)"
    if speaks == "WebSocket":
        return speaks, ("MQTT", False, True)
    return speaks, (own, True, False) if speaks == "TLS" else (title, False, False)


def _wrong_for_tls(own: str, title: str, speaks: str) -> tuple[str, str | _Place] | None:
    if speaks == "TLS":
        return None
    if not speaks:
        return "something that is not TLS", "use TLS here"
    if speaks == "HTTP":
        return "HTTP without TLS", "HTTP is at the admin port (--admin-port)"
    place = ("MQTT", False, True) if speaks == "WebSocket" else (title, False, False)
    return f"{speaks} without TLS", place


def _wrong_for_websocket(own: str, title: str, speaks: str) -> tuple[str, str | _Place] | None:
    if speaks == "WebSocket":
        return None
    if not speaks:
        return "something that is not WebSocket", "ask for a WebSocket first"
    if speaks == "HTTP":
        return speaks, "only requests for a WebSocket are served here"
    return speaks, (own, True, True) if speaks == "TLS" else (title, False, False)


def _place(title: str, tls: bool, websocket: bool, listeners: Iterable[Listener]) -> str:
    """Where clients of this kind are served, or what makes it so."""
    what = f"{title} over TLS" if tls else title
    if websocket:
        what = f"{title} over {'secure ' if tls else ''}WebSocket"
    for each in listeners:
        kind = (title_of(each.protocol), each.tls is not None, each.websocket)
        if kind == (title, tls, websocket) and not each.path:
            return f"{what} is at {each.port}"
    if tls:
        return "switch TLS on with --tls auto (or --tls CERT,KEY)"
    if websocket:
        return "MQTT over WebSocket is not served here (--mqtt-ws-port)"
    return f"{title} without TLS is not served here"
