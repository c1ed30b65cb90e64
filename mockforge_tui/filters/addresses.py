"""Addresses of clients in filters: a network, a host, or a host with its port."""

import re
from collections.abc import Callable
from ipaddress import ip_address, ip_network

from .patterns import glob_regex


def address_test(text: str) -> Callable[[str], bool]:
    """What tells whether `127.0.0.1:50871`, `[::1]:50871` or a path is meant by a text.

    `10.0.0.0/8` is a network, `127.0.0.1` a host with any port; * and ? are wildcards. Raises
    ValueError for a network that is none.
    """
    if re.fullmatch(r"[0-9a-fA-F.:]+/\d+", text):
        network = ip_network(text, strict=False)

        def within(address: str) -> bool:
            try:
                return ip_address(_host(address)) in network
            except ValueError:
                return False

        return within
    matches = re.compile(glob_regex(text), re.DOTALL).fullmatch
    return lambda address: bool(matches(address) or matches(_host(address)))


def _host(address: str) -> str:
    host, colon, port = address.rpartition(":")
    return host.strip("[]") if colon and port.isdecimal() else address
