"""What a connection of either version is by its socket and login, in RabbitMQ's field names."""

from typing import Any

from ...contract import Peer

NODE = "rabbit@localhost"


def connection_name(peer: Peer) -> str:
    """As RabbitMQ names it: both ends of the socket."""
    host, port = peer.local
    return f"{peer.address} -> {host}:{port}"


def peer_host(peer: Peer) -> str:
    return peer.address.rpartition(":")[0].strip("[]")


def ends(peer: Peer) -> dict[str, Any]:
    port = peer.address.rpartition(":")[2]
    return {
        "name": connection_name(peer),
        "peer_host": peer_host(peer),
        "peer_port": int(port) if port.isdigit() else 0,
    }


def socket_figures(peer: Peer) -> dict[str, Any]:
    """What the management interface says of it whatever it speaks."""
    host, port = peer.local
    principal = peer.principal
    return {
        **ends(peer),
        "auth_mechanism": principal.mechanism,
        "connected_at": int(peer.opened * 1000),
        "host": host,
        "node": NODE,
        "peer_cert_issuer": None,
        "peer_cert_subject": principal.certificate or None,
        "peer_cert_validity": None,
        "port": port,
        "recv_oct": peer.bytes_in,
        "send_oct": peer.bytes_out,
        "send_pend": peer.waiting,
        "ssl": bool(principal.tls),
        "ssl_cipher": None,
        "ssl_hash": None,
        "ssl_key_exchange": None,
        "ssl_protocol": principal.tls or None,
        "type": "network",
    }
