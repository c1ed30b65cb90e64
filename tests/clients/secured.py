"""An instance with TLS, users, a virtual host and rules, in a thread of its own."""

import os
from pathlib import Path

from mockforge_brokers.events import AccessDenied, Event, ProtocolViolated

from mockforge_tui import MockForge
from mockforge_tui.readiness import environment_lines

from .conftest import wait_for

RULES = (
    "allow alice all kafka:orders.*",
    "allow alice all kafka:group:billing",
    "allow alice all mqtt:home/#",
    "allow alice all amqp:shop:orders.*",
    "allow alice write amqp:shop:amq.default",
    "allow CN=client all kafka:*",
)


class Secured(MockForge):
    """With `client_ca` TLS clients need a certificate."""

    def __init__(self, folder: Path, *, client_ca: bool = False) -> None:
        super().__init__(
            tls="auto",
            tls_dir=str(folder),
            tls_client_ca="auto" if client_ca else None,
            users=("alice:secret",),
            rules=RULES,
            amqp_vhost="shop",
            seed=1,
        )

    @property
    def ca(self) -> str:
        return str(self.facts["tls"]["ca"])

    def port(self, protocol: str, name: str) -> int:
        (found,) = (
            each.port
            for each in self.runtime.listeners
            if (each.protocol, each.name) == (protocol, name)
        )
        return found

    def said(self, kind: type[Event], text: str) -> str:
        """The first event of a kind that has this in its reason, once it is there."""

        def look() -> str:
            events = [event for _, event in list(self.runtime.spine.history)]
            reasons = [str(getattr(each, "reason", "")) for each in events if type(each) is kind]
            return next((reason for reason in reasons if text in reason), "")

        return wait_for(look, what=f"{kind.__name__} with {text!r}")

    def denied(self, text: str) -> str:
        return self.said(AccessDenied, text)

    def violated(self, text: str) -> str:
        return self.said(ProtocolViolated, text)

    def bare(self, protocol: str) -> int:
        """How many clients of a protocol were named as having no certificate."""
        events = [event for _, event in list(self.runtime.spine.history)]
        return sum(
            type(each) is ProtocolViolated
            and each.protocol == protocol
            and "the client has no certificate" in each.reason
            for each in events
        )

    def variables(self) -> dict[str, str]:
        """What the env file has, for clients in other languages."""
        lines = environment_lines(self.facts).splitlines()
        return {**os.environ, **dict(line.split("=", 1) for line in lines)}
