"""The PROXY protocol, versions 1 and 2, of HAProxy (proxy-protocol.txt): who is behind a proxy.

A header in front of all that the client sends names the address that the proxy saw. It is expected
where a listener says so and never guessed, since whoever may send one may claim any address.
"""

import re
import struct
from collections.abc import Callable
from ipaddress import ip_address
from typing import Final

from .errors import StreamFailed
from .hangup import address_of

_SIGNATURE: Final = b"\r\n\r\n\x00\r\nQUIT\n"
_LONGEST_LINE: Final = 107
"""Bytes of a version 1 header with its line end."""
_LONGEST: Final = 16 + 4096
"""Bytes of a version 2 header: what a proxy adds beside addresses is short."""
_LINE: Final = re.compile(
    rb"PROXY (?:UNKNOWN(?: [^\r]*)?|"
    rb"TCP(?P<family>[46]) (?P<host>\S+) \S+ (?P<port>\d{1,5}) \d{1,5})\r\n"
)
_WANTED: Final = (
    "this listener expects a header of the PROXY protocol first (--proxy-protocol): "
    "connect by way of the proxy, or start without"
)


class ProxyStream:
    """The layer nearest to the socket; `located` hears the client's address, if there is one."""

    ended = False

    def __init__(self, located: Callable[[str], object]) -> None:
        self.open = False
        self._located = located
        self._head = b""

    def received(self, data: bytes) -> bytes:
        if self.open:
            return data
        self._head += data
        size = _size(self._head)
        if size is None or len(self._head) < size:
            return b""
        head, rest = self._head[:size], self._head[size:]
        self.open, self._head = True, b""
        address = _of_binary(head) if head.startswith(_SIGNATURE) else _of_line(head)
        if address is not None:
            self._located(address_of(address))
        return rest

    def sent(self, data: bytes) -> bytes:
        return data

    def answer(self) -> bytes:
        return b""

    def closed(self) -> bytes:
        return b""


def _size(head: bytes) -> int | None:
    """How long the header is; None as long as that is not known. Raises StreamFailed."""
    if head.startswith(_SIGNATURE):
        if len(head) < 16:
            return None
        size = 16 + int.from_bytes(head[14:16], "big")
        if size > _LONGEST:
            raise StreamFailed(f"PROXY protocol: a header of {size} bytes is none")
        return size
    if head.startswith(b"PROXY "):
        end = head.find(b"\r\n", 0, _LONGEST_LINE)
        if end < 0 and len(head) >= _LONGEST_LINE:
            raise StreamFailed("PROXY protocol: the first line does not end in 107 bytes")
        return end + 2 if end >= 0 else None
    if not (_SIGNATURE.startswith(head[:12]) or b"PROXY ".startswith(head[:6])):
        raise StreamFailed(_WANTED)
    return None


def _of_line(head: bytes) -> tuple[str, int] | None:
    found = _LINE.fullmatch(head)
    if found is None:
        raise StreamFailed(f"PROXY protocol: {head[:-2].decode('latin-1')!r} is no header")
    if found["host"] is None:
        return None
    try:
        host = ip_address(found["host"].decode("ascii"))
    except ValueError:
        raise StreamFailed(f"PROXY protocol: {found['host']!r} is no address") from None
    if host.version != int(found["family"]) or int(found["port"]) > 65_535:
        raise StreamFailed(f"PROXY protocol: {head[:-2].decode('latin-1')!r} contradicts itself")
    return str(host), int(found["port"])


def _of_binary(head: bytes) -> tuple[str, int] | None:
    version, command, family = head[12] >> 4, head[12] & 15, head[13]
    if version != 2 or command > 1:
        raise StreamFailed(f"PROXY protocol: version and command 0x{head[12]:02x} are not served")
    # LOCAL is the proxy itself, as for a health check; other families have no address of ours.
    size = {0x11: 4, 0x21: 16}.get(family)
    if not command or size is None:
        return None
    if len(head) < 16 + 2 * size + 4:
        raise StreamFailed("PROXY protocol: the header ends within its addresses")
    [port] = struct.unpack_from(">H", head, 16 + 2 * size)
    return str(ip_address(head[16 : 16 + size])), port
