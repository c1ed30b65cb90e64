"""What a run is configured with: a field for each setting."""

from mockforge_brokers.amqp.profiles import DEFAULT
from mockforge_brokers.errors import InvalidInput
from mockforge_brokers.limits import Limits
from mockforge_brokers.mqtt.options import MqttOptions
from mockforge_brokers.protocols import PROTOCOLS
from msgspec import Struct, field

USUAL_PORTS = {
    "kafka-tls": 9093,
    "mqtt-tls": 8883,
    "mqtt-ws": 8083,
    "mqtt-wss": 8084,
    "mqtt-sn": 1884,
    "amqp-tls": 5671,
    "amqp-management": 15672,
}


class ConfigError(InvalidInput):
    """The configuration cannot be used; the text names file, line, key and remedy."""


class Config(Struct, frozen=True):
    """Everything that can be set; `table.SETTINGS` has a row for each field."""

    kafka_port: int = 9092
    mqtt_port: int = 1883
    amqp_port: int = 5672
    admin_port: int = 9080
    kafka_tls_port: int | None = None
    mqtt_tls_port: int | None = None
    mqtt_ws_port: int | None = None
    mqtt_wss_port: int | None = None
    amqp_tls_port: int | None = None
    kafka: bool = True
    mqtt: bool = True
    amqp: bool = True
    admin: bool = True
    mqtt_ws: bool = True
    mqtt_unix: str | None = None
    mqtt_sn: bool = False
    mqtt_sn_port: int | None = None
    tls: str | None = None
    tls_only: bool = False
    tls_client_ca: str | None = None
    tls_dir: str | None = None
    host: str = "127.0.0.1"
    advertise: str | None = None
    proxy_protocol: bool = False
    users: tuple[str, ...] = ()
    rules: tuple[str, ...] = ()
    anonymous: bool | None = None
    kafka_authorizer: bool = False
    kafka_super_users: tuple[str, ...] = ()
    kafka_acls: tuple[str, ...] = ()
    kafka_oauth: str | None = None
    kafka_max_reauth: float = 0.0
    kafka_as_version: str = "4.4"
    kafka_api_versions: tuple[str, ...] = ()
    amqp_user: str | None = None
    amqp_password: str | None = None
    amqp_vhost: str | None = None
    vhosts: tuple[str, ...] = ()
    admin_host: str = "127.0.0.1"
    admin_token: str | None = None
    random_ports: bool = False
    fixtures: tuple[str, ...] = ()
    schemas: tuple[str, ...] = ()
    auto_produce: bool = True
    seed: int | None = None
    time_scale: float | None = None
    watch: bool = False
    ready_file: str | None = None
    env_file: str | None = None
    exit_after: float | None = None
    fail_on: tuple[str, ...] = ()
    exit_when: str | None = None
    junit: str | None = None
    ctrf: str | None = None
    record: str | None = None
    log_level: str = "warning"
    log_format: str = "text"
    theme: str | None = None
    """None: as the terminal says, else night."""
    ascii_only: bool = False
    journal: bool = True
    busy_poll: bool = True
    data_dir: str | None = None
    data_commit: float = 0.005
    data_sync: str = "os"
    keep_messages: int = 0
    auto_create_topics: bool = True
    verify_transactions: bool = True
    default_partitions: int = 3
    consumer_heartbeat_interval: float = 5.0
    consumer_session_timeout: float = 45.0
    kafka_client_metrics: str = ""
    kafka_check_records: bool = False
    kafka_configs: tuple[str, ...] = ()
    broker_id: int = 1
    kafka_nodes: int | None = None
    """None: as fixture files say, else one."""
    kafka_racks: tuple[str, ...] = ()
    keep_alive: int | None = None
    channel_max: int = 2047
    frame_max: int = 131_072
    heartbeat: int = 60
    consumer_timeout: float = 1800.0
    amqp_mechanisms: tuple[str, ...] = ()
    amqp_as_version: str = DEFAULT
    amqp_management: bool = False
    amqp_management_port: int | None = None
    mqtt_as: str | None = None
    mqtt_options: MqttOptions = field(default_factory=MqttOptions)
    limits: Limits = field(default_factory=Limits)

    @property
    def served(self) -> tuple[str, ...]:
        """The protocols that are not switched off."""
        return tuple(each for each in PROTOCOLS if getattr(self, each))

    @property
    def manages_amqp(self) -> bool:
        """Whether RabbitMQ's management interface is served: it is asked for, or its port given."""
        return self.amqp and (self.amqp_management or self.amqp_management_port is not None)

    @property
    def serves_mqtt_sn(self) -> bool:
        """Whether MQTT-SN is served: it is asked for, or its port given."""
        return self.mqtt and (self.mqtt_sn or self.mqtt_sn_port is not None)

    def port(self, service: str) -> int:
        """The port that `service` (admin, or one of a listener) is to listen at; 0 is any.

        One that was not given is the usual one, and any where its protocol's plain one is.
        """
        port = getattr(self, f"{service.replace('-', '_')}_port")
        if port is None:
            plain = self.port(service.partition("-")[0])
            port = USUAL_PORTS[service] if plain else 0
        return int(port)
