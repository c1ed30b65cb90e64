"""A listener that is a path: taken where nobody accepts there, removed when it ends."""

import errno
import os
import socket
import stat
import struct
from contextlib import suppress
from typing import Final

_PEER: Final = struct.Struct("3i")
"""Linux' `struct ucred`, unix(7): pid, uid, gid."""


def bound(path: str) -> socket.socket:
    """A socket that is bound to the path and does not listen yet. Raises OSError.

    What a program left there that was killed is replaced. EADDRINUSE: somebody accepts there;
    EEXIST: it is no socket.
    """
    family = getattr(socket, "AF_UNIX", None)
    if family is None:
        raise OSError(errno.EAFNOSUPPORT, "this system has no Unix sockets")
    sock = socket.socket(family, socket.SOCK_STREAM)
    try:
        _clear(path, family)
        try:
            sock.bind(path)
        except OSError as error:
            if error.errno is None:
                # The only text without a number: `AF_UNIX path too long`.
                most = "the path is too long for a Unix socket (107 bytes on Linux)"
                raise OSError(errno.ENAMETOOLONG, most) from None
            raise
    except BaseException:
        sock.close()
        raise
    sock.setblocking(False)
    return sock


def _clear(path: str, family: int) -> None:
    """Remove a socket at the path that nobody accepts at."""
    try:
        mode = os.stat(path).st_mode
    except FileNotFoundError:
        return
    if not stat.S_ISSOCK(mode):
        raise OSError(errno.EEXIST, "there is a file that is no socket")
    with socket.socket(family, socket.SOCK_STREAM) as probe:
        # Where its backlog is full, that is an answer too (EAGAIN).
        probe.setblocking(False)
        try:
            probe.connect(path)
        except ConnectionRefusedError:
            os.unlink(path)
            return
        except BlockingIOError:
            pass
    raise OSError(errno.EADDRINUSE, "another program accepts clients there")


class Place:
    """The file of one bound socket; `remove` leaves alone what another program put in its place."""

    def __init__(self, path: str) -> None:
        self._path = path
        self._file = _identity(path)

    def remove(self) -> None:
        if self._file is not None and _identity(self._path) == self._file:
            with suppress(OSError):
                os.unlink(self._path)


def _identity(path: str) -> tuple[int, int] | None:
    try:
        found = os.stat(path)
    except OSError:
        return None
    return found.st_dev, found.st_ino


def address(sock: socket.socket) -> str:
    """Who dialled, as a person finds it: `unix:pid 4711`; `unix` where the system does not say."""
    option = getattr(socket, "SO_PEERCRED", None)
    if option is None:
        return "unix"
    with suppress(OSError):
        pid, _uid, _gid = _PEER.unpack(sock.getsockopt(socket.SOL_SOCKET, option, _PEER.size))
        return f"unix:pid {pid}"
    return "unix"
