"""What holds for one listener's clients alone, as a `listener` of mosquitto.conf(5) has it."""

from msgspec import Struct
from msgspec.structs import asdict


class ListenerOptions(Struct, frozen=True):
    """None: as for the clients of all others."""

    anonymous: bool | None = None
    """Who has no user may come (allow_anonymous)."""
    users: tuple[str, ...] | None = None
    """Of those who may log in to MQTT these may by this listener (password_file)."""
    maximum_qos: int | None = None
    """As `MqttOptions.maximum_qos` (max_qos)."""
    packet: int | None = None
    """Bytes of a packet, in place of the limit mqtt_packet (max_packet_size)."""

    @property
    def given(self) -> dict[str, object]:
        """By name what is other than elsewhere."""
        return {name: value for name, value in asdict(self).items() if value is not None}


AS_ALL = ListenerOptions()
