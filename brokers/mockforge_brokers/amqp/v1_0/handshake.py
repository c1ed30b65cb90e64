"""SASL, the second protocol header, and open: what both sides settle on."""

from collections.abc import Callable, Mapping
from typing import Any, Final

from ...errors import ProtocolError
from ..connection.login import Login
from ..options import AmqpOptions
from ..state.virtual_host import VirtualHost
from .failures import (
    FRAME_SIZE_TOO_SMALL,
    FRAMING_ERROR,
    NOT_ALLOWED,
    RESOURCE_LIMIT,
    UNAUTHORIZED,
    ConnectionFailed,
    Unreadable,
)
from .wire.frames import (
    AMQP,
    HEAD_SIZE,
    HEADER,
    MIN_MAX_FRAME_SIZE,
    SASL,
    SASL_HEADER,
    performative,
    sasl,
)
from .wire.performatives import Composite
from .wire.values import Symbol

_CAPABILITIES: Final = ("LINK_PAIR_V1_0", "ANONYMOUS-RELAY")
_CHANNEL_MAX: Final = 63
"""RabbitMQ's session_max_per_connection is 64."""
_USUAL: Final = "4.2.0"
"""What clients see where RabbitMQ of the version that we are like does not speak AMQP 1.0 by
itself: they refuse an older one, and go by the version for what else they use."""
_OK: Final = 0
_REFUSED: Final = 1


class Handshake:
    """`sasl` while frames are SASL's; `idle` is how often, in seconds, the client wants a frame."""

    def __init__(
        self,
        options: AmqpOptions,
        login: Login,
        vhosts: Mapping[str, VirtualHost],
        send: Callable[[bytes], object],
    ) -> None:
        self.sasl = False
        self.user = ""
        self.container = ""
        self.software = ""
        self.properties: dict[Any, Any] = {}
        self.vhost = ""
        self.max_frame = MIN_MAX_FRAME_SIZE
        self.channel_max = _CHANNEL_MAX
        self.idle = 0
        self._options = options
        self._login = login
        self._vhosts = vhosts
        self._send = send

    def header(self, data: bytes) -> None:
        """One of the two protocol headers; raises Unreadable."""
        if data == (HEADER if self.user else SASL_HEADER):
            self._send(data)
            self.sasl = not self.user
            if self.sasl:
                names = [*self._login.mechanisms.split(), "ANONYMOUS"]
                self._send(sasl("sasl-mechanisms", sasl_server_mechanisms=names))
            return
        # Figure 2.13: answer with the header that is asked for, and hang up.
        self._send(HEADER if self.user else SASL_HEADER)
        raise Unreadable(f"AMQP 1.0 begins with SASL here: {data!r} is no header of it")

    def check_head(self, size: int, offset: int, kind: int) -> None:
        """A frame's head, in RabbitMQ's words where it cannot be; raises ConnectionFailed."""
        most = self._options.frame_max
        if size < HEAD_SIZE:
            problem = f"frame size ({size} bytes) < minimum frame size (8 bytes)"
        elif size > most:
            problem = f"frame size ({size} bytes) > maximum frame size ({most} bytes)"
        elif offset < 2:
            problem = f"data offset ({offset}) < minimum data offset (2)"
        elif offset * 4 > size:
            problem = f"data offset ({offset * 4} bytes) > frame size ({size} bytes)"
        elif kind != (SASL if self.sasl else AMQP):
            mode, expected = ("sasl", SASL) if self.sasl else ("amqp", AMQP)
            problem = f"unexpected frame type {kind} in {mode} mode (expected {expected})"
        else:
            return
        raise ConnectionFailed(FRAMING_ERROR, problem)

    def authenticate(self, found: Composite) -> None:
        """sasl-init; the mechanisms that we have need no more. Raises Unreadable."""
        if found.name != "sasl-init":
            raise Unreadable(f"{found.name} came where sasl-init was due")
        mechanism, response = str(found.get("mechanism")), found.get("initial_response", b"")
        if mechanism == "ANONYMOUS":
            # RabbitMQ 4 logs such clients in as its anonymous_login_user, guest.
            mechanism, response = "PLAIN", self._first_login()
        try:
            user = self._login.enter("", mechanism, response)
        except ProtocolError as failure:
            raise Unreadable(failure.text) from None
        if user is None:
            self._send(sasl("sasl-outcome", code=_REFUSED))
            raise Unreadable(f"{mechanism} login refused")
        self.user = user
        self.sasl = False
        self._send(sasl("sasl-outcome", code=_OK))

    def _first_login(self) -> bytes:
        user, password = next(iter(self._options.users.items()), ("", ""))
        return f"\0{user}\0{password}".encode()

    def open(self, found: Composite) -> None:
        """The client's open is answered by ours; raises ConnectionFailed or Unreadable."""
        if found.name != "open":
            raise Unreadable(f"{found.name} came where open was due")
        self.container = str(found.get("container_id"))
        self._check_host(str(found.get("hostname", "")))
        self._agree(found)
        options = self._options
        self._send(
            performative(
                0,
                "open",
                container_id="mockforge",
                max_frame_size=options.frame_max,
                channel_max=self.channel_max,
                # Half of what we wait for, as 2.4.5 wants it.
                idle_time_out=options.heartbeat * 500 or None,
                offered_capabilities=_CAPABILITIES,
                properties={
                    Symbol("node"): "rabbit@mockforge",
                    Symbol("product"): options.product,
                    Symbol("version"): _version(options.version),
                    Symbol("platform"): "Python",
                    Symbol("copyright"): "MIT license",
                    Symbol(
                        "information"
                    ): "mockforge-tui, which speaks AMQP 1.0 as RabbitMQ 4 does",
                },
            )
        )

    def _check_host(self, hostname: str) -> None:
        name = hostname.removeprefix("vhost:") if hostname.startswith("vhost:") else "/"
        if name not in self._vhosts:
            text = f"AMQP 1.0 connection failed: virtual host '{name}' does not exist"
            raise ConnectionFailed(UNAUTHORIZED, text)
        problem = self._login.problem_of_host(self.container, name)
        if problem:
            limit = "limit (" in problem
            raise ConnectionFailed(RESOURCE_LIMIT if limit else UNAUTHORIZED, problem)
        self.vhost = name

    def _agree(self, found: Composite) -> None:
        """Frame size, channels and heartbeats, as the client wants them."""
        most = found.get("max_frame_size")
        if most is not None and most < MIN_MAX_FRAME_SIZE:
            raise ConnectionFailed(
                FRAME_SIZE_TOO_SMALL,
                f"max_frame_size ({most}) < minimum maximum frame size ({MIN_MAX_FRAME_SIZE})",
            )
        self.max_frame = most or 0
        self.channel_max = min(found.get("channel_max", _CHANNEL_MAX), _CHANNEL_MAX)
        idle = found.get("idle_time_out", 0)
        if 0 < idle < 1000:
            raise ConnectionFailed(
                NOT_ALLOWED, f"idle-time-out ({idle} ms) < minimum idle-time-out (1000 ms)"
            )
        self.idle = idle // 1000
        properties = self.properties = found.get("properties") or {}
        declared = (properties.get(Symbol(key)) for key in ("product", "version"))
        self.software = " ".join(str(each) for each in declared if each)


def _version(version: str) -> str:
    """The version that clients of 0-9-1 are told, if that one could speak 1.0."""
    major = version.split(".")[0]
    return version if major.isdecimal() and int(major) >= 4 else _USUAL
