"""Which listeners a config asks for, and the certificates that some of them need."""

import ssl
from collections.abc import Iterable
from itertools import product
from pathlib import Path
from typing import TYPE_CHECKING, Final

from mockforge_brokers.errors import InvalidInput
from mockforge_brokers.listener import Listener
from msgspec.structs import replace

from .config import Config
from .protocols import amqp, kafka, mqtt
from .protocols.ways import Ways

if TYPE_CHECKING:
    from mockforge_brokers.tls import Issued

WAYS: Final[dict[str, Ways]] = {each.protocol: each for each in (kafka.WAYS, mqtt.WAYS, amqp.WAYS)}
_APART = 100
"""Between the ports of one node and the next."""


class Certificates:
    """The TLS context of all listeners, with the folder of a throw-away CA where there is one."""

    def __init__(self, config: Config) -> None:
        """Raises InvalidInput: a file cannot be used, or no CA can be made."""
        import tempfile

        from mockforge_brokers.tls import issue, own_names, server_context

        self.facts: dict[str, str] = {}
        self._issued: Issued | None = None
        self._folder: str | None = None
        client_ca = config.tls_client_ca
        if config.tls == "auto":
            folder = config.tls_dir
            if folder is None:
                folder = self._folder = tempfile.mkdtemp(prefix="mockforge-tls-")
            issued = issue(Path(folder).absolute(), own_names(config.host, config.advertise))
            self._issued = issued
            certificate, key = str(issued.certificate), str(issued.key)
            self.facts["ca"] = str(issued.ca)
            if client_ca == "auto":
                client_ca = str(issued.ca)
                self.facts["client_certificate"] = str(issued.client_certificate)
                self.facts["client_key"] = str(issued.client_key)
        else:
            certificate, _, key = (config.tls or "").partition(",")
        self.context: ssl.SSLContext = server_context(certificate, key or certificate, client_ca)

    def show(self, *, expired: bool) -> None:
        """Let the next handshakes show the certificate that expired, or the one that holds.

        Raises InvalidInput where we did not make it.
        """
        if self._issued is None:
            raise InvalidInput("only the certificate that --tls auto made can expire")
        shown = self._issued.expired if expired else self._issued.certificate
        self.context.load_cert_chain(shown, self._issued.key)

    def remove(self) -> None:
        """A throw-away CA goes with the instance; what a person named stays."""
        if self._folder is not None:
            import shutil

            shutil.rmtree(self._folder, ignore_errors=True)


def ports_text(listeners: Iterable[Listener], protocol: str, *, whole: bool = True) -> str:
    """`:1883 ws:8083 tls:8883`: where a protocol is served, or only the first of its places."""
    own = [each for each in listeners if each.protocol == protocol]
    names = [("" if each.name == "plain" else f" {each.name}") + f":{each.place}" for each in own]
    return "".join(names if whole else names[:1])


def wanted(
    config: Config, protocols: Iterable[str], certificates: Certificates | None
) -> list[Listener]:
    """All listeners, the one that clients look for first at the head of its protocol."""
    contexts: list[ssl.SSLContext | None] = [] if config.tls_only else [None]
    if certificates is not None:
        contexts.append(certificates.context)
    found = []
    for protocol in protocols:
        ways = WAYS[protocol]
        for websocket in (False, True) if ways.websocket(config) else (False,):
            for context, node in product(contexts, range(ways.nodes(config))):
                listener = Listener(
                    protocol,
                    config.host,
                    tls=context,
                    websocket=websocket,
                    advertised_host=config.advertise,
                    proxied=config.proxy_protocol,
                )
                found.append(of_node(listener, node, config))
        found += ways.others(config)
    return found


def of_node(first: Listener, node: int, config: Config) -> Listener:
    """The listener of a cluster's other node that is like this one of its first."""
    port = config.port(first.service)
    return replace(first, node=node, port=port + _APART * node if port else 0)
