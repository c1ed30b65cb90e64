"""The ports that a start takes, and what `localhost` is on this machine."""

import socket
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from mockforge_brokers.errors import InvalidInput

from ..config import Config
from ..exit_codes import ExitCode
from ..listening import Certificates, wanted
from ..ports import cannot_listen
from .finding import Finding, Level


class Port(NamedTuple):
    """One that is to be listened at; 0 is any."""

    service: str
    host: str
    port: int
    datagram: bool = False
    needed: bool = True
    """A start goes on without it, and says so."""


def try_port(port: Port) -> None:
    """Take it and let it go at once. Raises OSError."""
    kind = socket.SOCK_DGRAM if port.datagram else socket.SOCK_STREAM
    found = socket.getaddrinfo(port.host, port.port, type=kind, flags=socket.AI_PASSIVE)
    for family, _, _, _, address in found:
        with socket.socket(family, kind) as sock:
            if not port.datagram:
                # As servers do: connections that just ended do not count as its owner.
                sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            if family == socket.AF_INET6:
                sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
            sock.bind(address)
            if not port.datagram:
                sock.listen(1)


def port_findings(config: Config, attempt: Callable[[Port], None] = try_port) -> Iterator[Finding]:
    """Each port that this config asks for."""
    try:
        certificates = None if config.tls is None else Certificates(config)
    except InvalidInput as error:
        yield Finding("error", f"--tls {config.tls}", str(error).removeprefix("--tls: "))
        return
    try:
        ports, paths = _asked(config, certificates)
    finally:
        if certificates is not None:
            certificates.remove()
    for port in ports:
        yield _tried(port, attempt)
    for path in paths:
        folder = Path(path).parent
        if folder.is_dir():
            yield Finding("ok", "mqtt-unix", path)
        else:
            yield Finding(
                "error",
                "mqtt-unix",
                f"there is no folder {folder}: mkdir -p {folder}",
                ExitCode.CANNOT_LISTEN,
            )


def _asked(config: Config, certificates: Certificates | None) -> tuple[list[Port], list[str]]:
    """The ports, and the paths of Unix sockets."""
    ports, paths = [], []
    for each in wanted(config, config.served, certificates):
        if each.path:
            paths.append(each.path)
            continue
        needed = each.name != "ws" or config.mqtt_ws_port is not None
        ports.append(Port(each.service, each.host, each.port, each.datagram, needed))
    if config.admin:
        ports.append(Port("admin", config.admin_host, config.port("admin")))
    if config.manages_amqp:
        ports.append(Port("amqp-management", config.host, config.port("amqp-management")))
    return ports, paths


def _tried(port: Port, attempt: Callable[[Port], None]) -> Finding:
    about = f"{port.service} at {port.host}:{port.port or 'any port'}"
    try:
        attempt(port)
    except (OSError, OverflowError) as error:
        text = cannot_listen(port.service, port.host, port.port, error)
        level: Level = "error" if port.needed else "warning"
        return Finding(level, about, text.partition(": ")[2], ExitCode.CANNOT_LISTEN)
    return Finding("ok", about, "free")


def localhost_addresses() -> Sequence[str]:
    """In the order in which clients try them; empty where the name is not known."""
    try:
        found = socket.getaddrinfo("localhost", None, type=socket.SOCK_STREAM)
    except OSError:
        return ()
    return list(dict.fromkeys(str(address[0]) for _, _, _, _, address in found))


def localhost_findings(config: Config, addresses: Sequence[str]) -> Iterator[Finding]:
    """Whether a client that is given `localhost` comes to where we listen."""
    shown = " and ".join(addresses)
    if not addresses:
        text = "not known: put 127.0.0.1 localhost into /etc/hosts, or give clients 127.0.0.1"
        yield Finding("warning", "localhost", text)
    elif config.host == "127.0.0.1" and addresses[0] != config.host:
        yield Finding(
            "warning",
            "localhost",
            f"{shown}, and we listen at {config.host} alone: a client that tries only the first is"
            f" refused; give clients {config.host}",
        )
    else:
        yield Finding("ok", "localhost", shown)
