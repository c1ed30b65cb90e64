"""Who holds a port of this machine, as far as the system tells, and what can be done about it."""

import errno
import os
import socket
from pathlib import Path


def holder(port: int) -> str | None:
    """`mosquitto (pid 4711)` for the process that listens at a TCP port; None if unknown.

    Linux only: reads /proc, where processes of other users stay unnamed.
    """
    inodes = _listening_inodes(port)
    if not inodes:
        return None
    wanted = {f"socket:[{inode}]" for inode in inodes}
    for process in Path("/proc").glob("[0-9]*"):
        try:
            if any(_link(entry) in wanted for entry in (process / "fd").iterdir()):
                itself = ", this process itself" if process.name == str(os.getpid()) else ""
                return f"{(process / 'comm').read_text().strip()} (pid {process.name}{itself})"
        except OSError:
            continue
    return None


def cannot_listen(service: str, host: str, port: int, error: Exception) -> str:
    """Why nothing listens there, and what to change."""
    text = f"{service} cannot listen at {host}:{port}: "
    host_option, others = (
        ("--admin-host", ", --no-admin none") if service == "admin" else ("--host", "")
    )
    code = getattr(error, "errno", None)
    if isinstance(error, socket.gaierror) or code == errno.EADDRNOTAVAIL:
        # Resolvers have error texts of their own.
        why = error.strerror if isinstance(error, socket.gaierror) else os.strerror(code or 0)
        return f"{text}{why}; give an address of this machine with {host_option}"
    who = holder(port) if port else None
    why = f"{who} holds the port" if who else os.strerror(code) if code else str(error)
    return f"{text}{why}; choose another with --{service}-port (0 takes a free one{others})"


def _listening_inodes(port: int) -> set[str]:
    found = set()
    for table in ("/proc/net/tcp", "/proc/net/tcp6"):
        try:
            lines = Path(table).read_text().splitlines()[1:]
        except OSError:
            continue
        for line in lines:
            fields = line.split()
            # local address is HEX-ADDRESS:HEX-PORT; state 0A is LISTEN (proc(5)).
            if fields[3] == "0A" and int(fields[1].rpartition(":")[2], 16) == port:
                found.add(fields[9])
    return found


def _link(path: Path) -> str:
    try:
        return str(path.readlink())
    except OSError:
        return ""
