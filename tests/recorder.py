"""Records what a server does on one TCP connection: its frames, and who ends it, when and how.

The original and our own broker are played the same script; their records must be the same::

    record = Recorder(port, amqp_frames)
    record.send(frames.PROTOCOL_HEADER, "protocol header")
    record.until("connection.start")
    record.finish()
    record.ending()
    assert record.lines == [
        "> protocol header", "< connection.start", "> FIN", "< FIN",
    ]

`<` comes from the server, `>` is the client's. The sockets block: run it in a thread beside a
server that lives in an event loop.
"""

import socket
import struct
import time
from collections.abc import Callable

FrameNames = Callable[[bytes], tuple[list[str], int]]
"""The names of the whole frames at the start of some bytes, and how many bytes they take."""

PATIENCE = 150.0
"""Seconds until a test that waits for something in vain fails; no record depends on it."""


class Recorder:
    """A client's end of one connection. `lines` is the record; `ended` is "", "FIN" or "RST"."""

    def __init__(self, port: int, frame_names: FrameNames, host: str = "127.0.0.1") -> None:
        self.lines: list[str] = []
        self.ended = ""
        self._frame_names = frame_names
        self._rest = b""
        self._socket = socket.create_connection((host, port), PATIENCE)
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def __enter__(self) -> "Recorder":
        return self

    def __exit__(self, *_: object) -> None:
        self._socket.close()

    # What the client does.

    def send(self, data: bytes, what: str = "") -> None:
        """Send bytes; `what` names them in the record (empty: they are not recorded)."""
        if what:
            self.lines.append(f"> {what}")
        try:
            self._socket.sendall(data)
        except (ConnectionResetError, BrokenPipeError):
            self._end("RST")

    def finish(self) -> None:
        """Close the client's direction only: FIN, after which it still reads."""
        self.lines.append("> FIN")
        try:
            self._socket.shutdown(socket.SHUT_WR)
        except OSError:
            self._end("RST")

    def reset(self) -> None:
        """End at once with RST."""
        self.lines.append("> RST")
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self._socket.close()
        self.ended = "RST"

    # What the server does.

    def until(self, name: str) -> None:
        """Record what comes up to a frame of this name; fails if the connection ends before."""
        wanted = f"< {name}"
        seen = len(self.lines)
        while wanted not in self.lines[seen:]:
            assert not self.ended, f"{name} never came: {self.lines}"
            self._read(PATIENCE)

    def ending(self, seconds: float = PATIENCE) -> float:
        """Record what comes until the server ends the connection; returns how long it took."""
        begun = time.monotonic()
        while not self.ended and (left := begun + seconds - time.monotonic()) > 0:
            self._read(left)
        assert self.ended, f"still open after {seconds:g} s: {self.lines}"
        return time.monotonic() - begun

    def quiet(self, seconds: float = 0.3) -> None:
        """Record what comes for a while, then `< open` if the connection is still that.

        A server that ends it later than that is taken for a patient one: a slow machine can
        hide a fault here, but never invent one.
        """
        begun = time.monotonic()
        while not self.ended and (left := begun + seconds - time.monotonic()) > 0:
            self._read(left)
        if not self.ended:
            self.lines.append("< open")

    def listens(self, data: bytes) -> None:
        """After the server's FIN: whether it still takes bytes (`< listens`) or resets."""
        self.ended = ""
        self.send(data)
        begun = time.monotonic()
        while not self.ended and (left := begun + 0.3 - time.monotonic()) > 0:
            try:
                self._socket.settimeout(left)
                if not self._socket.recv(65536):
                    time.sleep(0.01)
                    self._socket.sendall(data)
            except TimeoutError:
                pass
            except OSError:
                self._end("RST")
        if not self.ended:
            self.lines.append("< listens")

    def _read(self, seconds: float) -> None:
        self._socket.settimeout(seconds)
        try:
            data = self._socket.recv(65536)
        except TimeoutError:
            return
        except OSError:
            self._end("RST")
            return
        if not data:
            self._end("FIN")
            return
        data = self._rest + data
        names, taken = self._frame_names(data)
        self._rest = data[taken:]
        self.lines += [f"< {name}" for name in names]

    def _end(self, how: str) -> None:
        if not self.ended:
            self.ended = how
            self.lines.append(f"< {how}")
