"""Where a broker accepts clients: one address with all that holds for those who come by it."""

from typing import Any

from msgspec import Struct
from msgspec.structs import replace

_ANY_ADDRESS = {"0.0.0.0": "127.0.0.1", "::": "::1"}


class Listener(Struct, frozen=True, cache_hash=True):
    """Port 0 asks for a free one; a listener that accepts has the port that it got.

    One with a `path` is a Unix socket there, and has no host and port.
    `tls` is the `ssl.SSLContext` that its clients meet, None where they speak plainly.
    `proxied`: a header of the PROXY protocol is in front of what clients send.
    `node` is the place of the cluster's node that accepts there, where a broker has several.
    `advertised_host` is what clients are to dial where that is not what they dialled already.
    """

    protocol: str
    host: str = "127.0.0.1"
    port: int = 0
    tls: Any = None
    websocket: bool = False
    advertised_host: str | None = None
    proxied: bool = False
    path: str = ""
    node: int = 0
    datagram: bool = False
    """UDP: MQTT-SN."""

    @property
    def name(self) -> str:
        """What tells a protocol's listeners apart: plain, tls, ws, wss, unix or sn."""
        if self.path:
            return "unix"
        if self.datagram:
            return "sn"
        if self.websocket:
            return "ws" if self.tls is None else "wss"
        return "plain" if self.tls is None else "tls"

    @property
    def service(self) -> str:
        """`mqtt` for the plain listener, `mqtt-tls`, `mqtt-ws` and so on for the others."""
        return self.protocol if self.name == "plain" else f"{self.protocol}-{self.name}"

    @property
    def reachable(self) -> str:
        """`HOST:PORT`, or the path, that a client on this machine can dial."""
        if self.path:
            return self.path
        host = self.advertised_host or self.host
        host = _ANY_ADDRESS.get(host, host)
        return f"[{host}]:{self.port}" if ":" in host else f"{host}:{self.port}"

    @property
    def place(self) -> str:
        """Its port, or the path: what tells its place among those of a broker."""
        return self.path or str(self.port)

    def at(self, port: int) -> "Listener":
        return replace(self, port=port)
