"""What a person may set about the AMQP broker."""

from collections.abc import Mapping
from typing import Final

from msgspec import Struct, field

from .profiles import DEFAULT, PROFILES, Profile

CR_DEMO: Final = "RABBIT-CR-DEMO"
"""As safe as PLAIN: there to show connection.secure (rabbit_auth_mechanism_cr_demo)."""
USUAL_MECHANISMS: Final = ("PLAIN", "AMQPLAIN")


class AmqpOptions(Struct, frozen=True):
    """`as_version` names the release of RabbitMQ that the broker is like."""

    users: Mapping[str, str] = field(default_factory=lambda: {"guest": "guest"})
    vhosts: tuple[str, ...] = ("/",)
    mechanisms: tuple[str, ...] = USUAL_MECHANISMS
    """In the order that they are offered in (RabbitMQ's auth_mechanisms)."""
    product: str = "RabbitMQ"
    as_version: str = DEFAULT
    channel_max: int = 2047
    frame_max: int = 131_072
    heartbeat: int = 60
    """Seconds that are proposed; what the client answers holds. 0: none."""
    handshake_timeout: float = 10.0
    """Seconds until a connection must be open."""
    close_timeout: float = 3.0
    """Seconds before a connection ends that failed in its login or in its framing."""
    consumer_timeout: float = 1800.0
    """Seconds that a client has to acknowledge a delivery (RabbitMQ's consumer_timeout). 0: any."""
    closing_time: float = 30.0
    """Seconds to wait for the answer to our connection.close, and for a client that closed to
    hang up; the agreed heartbeat holds if it is shorter."""

    @property
    def profile(self) -> Profile:
        return PROFILES[self.as_version]

    @property
    def version(self) -> str:
        """What clients are told: some read features off it."""
        return self.profile.version
