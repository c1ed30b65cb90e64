"""What subscriptions of client metrics may ask of a client."""

from ..caller import Caller

_UNKNOWN = "unknown"


def attributes(caller: Caller) -> dict[str, str]:
    name, _, version = caller.software.partition(" ")
    address, _, port = caller.peer.address.rpartition(":")
    return {
        "client_id": caller.client_id,
        "client_software_name": name or _UNKNOWN,
        "client_software_version": version or _UNKNOWN,
        "client_source_address": address.strip("[]"),
        "client_source_port": port,
    }
