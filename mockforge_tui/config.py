"""One configuration from command line, environment, config file and defaults."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, fields
from difflib import get_close_matches
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mockforge_brokers.amqp.profiles import DEFAULT, PROFILES
from mockforge_brokers.errors import InvalidInput
from mockforge_brokers.limits import LIMITS, Limits
from mockforge_brokers.mqtt.options import MqttOptions
from mockforge_brokers.mqtt.presets import PRESETS
from mockforge_brokers.protocols import PROTOCOLS

from .mqtt_settings import MQTT_PREFIX, refused_filter
from .settings import BY_KEY, BY_NAME, LIMIT_PREFIX, SETTINGS, Setting, boolean

if TYPE_CHECKING:
    import yaml

DEFAULT_FILE = "mockforge-tui.yaml"
LOOPBACK = frozenset({"127.0.0.1", "::1", "localhost"})

_USUAL_PORTS = {
    "kafka-tls": 9093,
    "mqtt-tls": 8883,
    "mqtt-ws": 8083,
    "mqtt-wss": 8084,
    "amqp-tls": 5671,
    "amqp-management": 15672,
}
_PORTS = (
    *(f"{name}_port" for name in (*PROTOCOLS, "admin")),
    *(f"{name.replace('-', '_')}_port" for name in _USUAL_PORTS if name != "amqp-management"),
)
_DEEPEST = 20
_ENV = re.compile(r"\$\{(\w+)(?::-([^}]*))?\}")

_PLAIN = "a plain password; its hash may stand here as well (mockforge-tui do 'user hash PASSWORD')"
_PATHS = "paths of fixture files or folders"
_TAKES = {
    "fail_on": "words such as lint:error",
    "rules": "texts such as 'allow alice read kafka:orders.*'",
    "kafka.acls": "texts such as 'allow User:alice read topic:orders'",
    "kafka.api_versions": "texts such as Fetch=4-12",
    "kafka.super_users": "names of users",
    "amqp.vhosts": "names of virtual hosts",
    "users": "a name with its password each",
}
_SECRETS = frozenset({"admin_token", "amqp_password", "users"})
_CONNECTIONS = "limits.connections bounds the connections of each broker"

IGNORED_SECTIONS = {
    "http": "this program serves Kafka, MQTT and AMQP, not HTTP services",
    "websocket": "this program serves Kafka, MQTT and AMQP, not WebSocket services",
    "grpc": "this program serves Kafka, MQTT and AMQP, not gRPC services",
    "tracing": "no traces are exported",
    "metrics": "metrics are at the admin port, under /__mockforge/metrics",
}
IGNORED_KEYS = {
    "logging.output": "logs go to standard error, standard output is kept for data",
    "kafka.host": "use server.host",
    "mqtt.host": "use server.host",
    "amqp.host": "use server.host",
    "kafka.max_connections": _CONNECTIONS,
    "mqtt.max_connections": _CONNECTIONS,
    "amqp.max_connections": _CONNECTIONS,
    "kafka.default_replication_factor": "there is one broker, each partition has one replica",
    "kafka.log_retention_ms": "give a topic its own retention.ms (default: 7 days)",
    "kafka.log_segment_bytes": "logs are kept in memory, not in segments",
}


# Words of MockForge's own configs that mean nothing here: no reason to stop a start.
_FORGIVEN = {
    "logging.level": ("trace", "off"),
    "logging.format": ("pretty", "compact", "full", "plain"),
}


class ConfigError(InvalidInput):
    """The configuration cannot be used; the text names file, line, key and remedy."""


@dataclass(frozen=True, slots=True)
class Config:
    """Everything that can be set; SETTINGS has a row for each field."""

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
    log_level: str = "warning"
    log_format: str = "text"
    journal: bool = True
    data_dir: str | None = None
    data_commit: float = 0.005
    keep_messages: int = 0
    auto_create_topics: bool = True
    verify_transactions: bool = True
    default_partitions: int = 3
    consumer_heartbeat_interval: float = 5.0
    consumer_session_timeout: float = 45.0
    kafka_configs: tuple[str, ...] = ()
    broker_id: int = 1
    keep_alive: int | None = None
    channel_max: int = 2047
    frame_max: int = 131_072
    heartbeat: int = 60
    consumer_timeout: float = 1800.0
    amqp_as_version: str = DEFAULT
    amqp_management: bool = False
    amqp_management_port: int | None = None
    mqtt_as: str | None = None
    mqtt_options: MqttOptions = field(default_factory=MqttOptions)
    limits: Limits = field(default_factory=Limits)

    @property
    def manages_amqp(self) -> bool:
        """Whether RabbitMQ's management interface is served: it is asked for, or its port given."""
        return self.amqp and (self.amqp_management or self.amqp_management_port is not None)

    def port(self, service: str) -> int:
        """The port that `service` (admin, or one of a listener) is to listen at; 0 is any.

        One that was not given is the usual one, and any where its protocol's plain one is.
        """
        port = getattr(self, f"{service.replace('-', '_')}_port")
        if port is None:
            plain = self.port(service.partition("-")[0])
            port = _USUAL_PORTS[service] if plain else 0
        return int(port)


@dataclass(frozen=True, slots=True)
class Resolved:
    """A config with where each value came from, and what of the file was not used."""

    config: Config
    origins: Mapping[str, str]
    warnings: tuple[str, ...]

    def lines(self) -> Iterator[str]:
        """`name = value  # origin` for each setting; tokens and passwords stay secret."""
        for each in fields(Config):
            value = getattr(self.config, each.name)
            if each.name == "limits":
                yield from self._limits()
                continue
            if each.name == "mqtt_options":
                yield from self._mqtt_options()
                continue
            shown = "***" if each.name in _SECRETS and value else value
            yield f"{each.name} = {shown!r}  # {self.origins.get(each.name, 'default')}"

    def _mqtt_options(self) -> Iterator[str]:
        for setting in SETTINGS:
            if setting.name.startswith(MQTT_PREFIX):
                name = setting.name.removeprefix(MQTT_PREFIX)
                value = getattr(self.config.mqtt_options, name)
                shown = tuple(value) if name == "refused_filters" else value
                yield f"mqtt.{name} = {shown!r}  # {self.origins.get(setting.name, 'default')}"

    def _limits(self) -> Iterator[str]:
        for name in LIMITS:
            origin = self.origins.get(LIMIT_PREFIX + name, "default")
            yield f"limits.{name} = {getattr(self.config.limits, name)}  # {origin}"


def resolve(
    options: Mapping[str, Any], environment: Mapping[str, str], file: str | None = None
) -> Resolved:
    """Put one config together; `options` are the command line's, by setting name.

    `file` None looks for ./mockforge-tui.yaml, "" reads none. Raises ConfigError.
    """
    values: dict[str, Any] = {}
    origins: dict[str, str] = {}
    warnings: list[str] = []
    path: str | None = file
    if file is None and Path(DEFAULT_FILE).is_file():
        path = DEFAULT_FILE
    if path:
        _read_file(Path(path), environment, values, origins, warnings)
    for setting in SETTINGS:
        text = environment.get(setting.variable)
        if text:
            values[setting.name] = _from_variable(setting, text)
            origins[setting.name] = setting.variable
    for name, value in options.items():
        if name in BY_NAME and BY_NAME[name].many:
            value = (*values.get(name, ()), *value)
        values[name] = value
        origins[name] = "command line"
    if values.get("random_ports"):
        for name in _PORTS:
            if origins.get(name) != "command line":
                values[name], origins[name] = 0, origins["random_ports"]
    limits = _taken_out(values, LIMIT_PREFIX)
    mqtt = _taken_out(values, MQTT_PREFIX)
    _fill_in(values, limits, mqtt, origins)
    _fill_in_release(values, limits, origins)
    filters = mqtt.pop("refused_filters", ())
    mqtt["refused_filters"] = dict(map(refused_filter, filters))
    config = Config(**values, limits=Limits(**limits), mqtt_options=MqttOptions(**mqtt))
    _check(config)
    return Resolved(config, origins, tuple(warnings))


def _fill_in(
    values: dict[str, Any], limits: dict[str, Any], mqtt: dict[str, Any], origins: dict[str, str]
) -> None:
    """What `--mqtt-as` gives where nothing else did."""
    name = values.get("mqtt_as")
    if name is None:
        return
    preset = PRESETS[name]
    mqtt["preset"] = name
    for field_, value in preset.options.items():
        # The keep alive has a setting that is older than the others.
        table, key, setting = mqtt, field_, MQTT_PREFIX + field_
        if field_ == "server_keep_alive":
            table, key, setting = values, "keep_alive", "keep_alive"
        if key not in table:
            table[key], origins[setting] = value, f"--mqtt-as {name}"
    for limit, value in preset.limits.items():
        if limit not in limits:
            limits[limit], origins[LIMIT_PREFIX + limit] = value, f"--mqtt-as {name}"


def _fill_in_release(
    values: dict[str, Any], limits: dict[str, Any], origins: dict[str, str]
) -> None:
    """What `--amqp-as-version` gives where nothing else did."""
    name = values.get("amqp_as_version")
    if name is not None and "amqp_message" not in limits:
        limits["amqp_message"] = PROFILES[name].message_size
        origins[LIMIT_PREFIX + "amqp_message"] = f"--amqp-as-version {name}"


def _taken_out(values: dict[str, Any], prefix: str) -> dict[str, Any]:
    """The values whose name begins so, under the rest of their name."""
    names = [name for name in values if name.startswith(prefix)]
    return {name.removeprefix(prefix): values.pop(name) for name in names}


def _from_variable(setting: Setting, text: str) -> Any:
    try:
        if setting.negative:
            return not boolean(text)
        if setting.many:
            parts = text.split(setting.separator)
            return tuple(setting.parse(part.strip()) for part in parts if part.strip())
        return setting.parse(text)
    except ValueError as error:
        raise ConfigError(f"{setting.variable}: {error}") from None


def _check(config: Config) -> None:
    if config.admin and config.admin_host not in LOOPBACK and not config.admin_token:
        raise ConfigError(
            f"admin at {config.admin_host} would be open to the network: "
            "give --admin-token, or leave --admin-host at 127.0.0.1"
        )
    for option, given in (
        ("--tls-only", config.tls_only),
        ("--tls-client-ca", config.tls_client_ca),
    ):
        if given and config.tls is None:
            raise ConfigError(f"{option} is of no use without TLS: give --tls auto or CERT,KEY")
    if config.tls_client_ca == "auto" and config.tls != "auto":
        raise ConfigError("--tls-client-ca auto is the CA of --tls auto: give a FILE here")
    if not (config.kafka or config.mqtt or config.amqp):
        raise ConfigError("nothing to serve: leave out one of --no-kafka, --no-mqtt, --no-amqp")


def _read_file(
    path: Path,
    environment: Mapping[str, str],
    values: dict[str, Any],
    origins: dict[str, str],
    warnings: list[str],
) -> None:
    seen_sections: set[str] = set()
    for key, node in _leaves(path):
        key = key.removeprefix("server.")
        place = f"{path}:{node.start_mark.line + 1}:{node.start_mark.column + 1}"
        section = key.partition(".")[0]
        if section in IGNORED_SECTIONS:
            if section not in seen_sections:
                warnings.append(f"{place}: {section}: ignored, {IGNORED_SECTIONS[section]}")
            seen_sections.add(section)
            continue
        if section == "users" and key != section:
            _read_user(key, node, place, environment, values, warnings)
            origins["users"] = place
            continue
        setting = BY_KEY.get(key)
        if setting is None:
            warnings.append(f"{place}: {_not_used(key)}")
            continue
        if setting.many and not isinstance(node.value, str):
            warnings.append(f"{place}: {key}: ignored, it takes {_TAKES.get(key, _PATHS)}")
            continue
        text = _expand(_scalar(node, key, place), environment)
        try:
            value = setting.parse(text)
        except ValueError as error:
            if text.lower() in _FORGIVEN.get(key, ()):
                warnings.append(f"{place}: {key}: {error}; the default is kept")
                continue
            raise ConfigError(f"{place}: {key}: {error}") from None
        if setting.many:
            value = _one_more(path, place, setting, key, text, values, warnings)
        values[setting.name] = value
        origins[setting.name] = place


def _one_more(
    path: Path,
    place: str,
    setting: Setting,
    key: str,
    text: str,
    values: Mapping[str, Any],
    warnings: list[str],
) -> tuple[str, ...]:
    before = values.get(setting.name, ())
    if setting.name == "fixtures":
        return _fixtures(path, place, key, text, before, warnings)
    return (*before, text)


def _read_user(
    key: str,
    node: "yaml.Node",
    place: str,
    environment: Mapping[str, str],
    values: dict[str, Any],
    warnings: list[str],
) -> None:
    """One line of `users:`, a name with its password."""
    name = key.partition(".")[2]
    password = _expand(_scalar(node, key, place), environment)
    if not password.startswith("$"):
        warnings.append(f"{place}: {key}: {_PLAIN}")
    values["users"] = (*values.get("users", ()), f"{name}:{password}")


def _fixtures(
    file: Path, place: str, key: str, text: str, before: tuple[str, ...], warnings: list[str]
) -> tuple[str, ...]:
    """Paths in a config file count from its own folder; a missing folder is worth a warning."""
    found = file.parent / text
    if not found.exists():
        warnings.append(f"{place}: {key}: {found} does not exist, nothing is loaded from it")
        return before
    return (*before, str(found))


def _not_used(key: str) -> str:
    if key == "mockforge":
        return "mockforge: this is a fixture file: give it as PATH, without --config"
    if key in IGNORED_KEYS:
        return f"{key}: ignored, {IGNORED_KEYS[key]}"
    near = get_close_matches(key, BY_KEY, n=1)
    hint = f', did you mean "{near[0]}"?' if near else ""
    return f"{key}: unknown key, ignored{hint}"


def _leaves(path: Path) -> Iterator[tuple[str, "yaml.Node"]]:
    """Each value of the file with its dotted key; a list of values gives its key several times."""
    import yaml

    try:
        text = path.read_text(encoding="utf-8")
        root = yaml.compose(text, Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader))
    except OSError as error:
        raise ConfigError(f"{path}: cannot be read: {error.strerror}") from None
    except UnicodeDecodeError as error:
        raise ConfigError(
            f"{path}:1:1: not UTF-8 text: byte {error.start} cannot be read"
        ) from None
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        place = f":{mark.line + 1}:{mark.column + 1}" if mark is not None else ""
        raise ConfigError(f"{path}{place}: not YAML: {error.problem or error.context}") from None
    except (yaml.YAMLError, RecursionError) as error:
        raise ConfigError(f"{path}: not YAML: {' '.join(str(error).split())}") from None
    if root is None:
        return
    if not isinstance(root, yaml.MappingNode):
        raise ConfigError(
            f"{path}:1:1: a config file is a mapping, such as `kafka: {{port: 9092}}`"
        )
    yield from _walk(root, "", path)


def _walk(node: "yaml.MappingNode", prefix: str, path: Path) -> Iterator[tuple[str, "yaml.Node"]]:
    seen: set[str] = set()
    for key_node, value_node in node.value:
        key = f"{prefix}{key_node.value}"
        place = f"{path}:{key_node.start_mark.line + 1}:{key_node.start_mark.column + 1}"
        if key in seen:
            raise ConfigError(f"{place}: {key}: this key is given twice")
        seen.add(key)
        if value_node.tag == "tag:yaml.org,2002:null" and _is_known(key):
            continue
        if value_node.id == "mapping" and (not _takes_many(key) or _is_users(key)):
            if key.count(".") > _DEEPEST:
                raise ConfigError(f"{place}: too deep: an alias that holds itself?")
            yield from _walk(value_node, f"{key}.", path)
        elif value_node.id == "sequence" and _takes_many(key):
            for item in value_node.value:
                yield key, item
        elif not (_is_section(key) and value_node.value in ("", "~", "null")):
            yield key, value_node


def _is_users(key: str) -> bool:
    """A mapping of names to passwords."""
    return key.removeprefix("server.") == "users"


def _is_known(key: str) -> bool:
    return key.removeprefix("server.") in BY_KEY


def _takes_many(key: str) -> bool:
    setting = BY_KEY.get(key.removeprefix("server."))
    return setting is not None and setting.many


def _is_section(key: str) -> bool:
    """Whether other keys stand below this one: it may be there with nothing in it."""
    name = key.removeprefix("server.")
    return name == "server" or any(known.startswith(f"{name}.") for known in BY_KEY)


def _scalar(node: "yaml.Node", key: str, place: str) -> str:
    if not isinstance(node.value, str):
        raise ConfigError(f"{place}: {key}: one value is wanted here")
    return str(node.value)


def _expand(text: str, environment: Mapping[str, str]) -> str:
    """`${NAME}` and `${NAME:-default}`."""
    return _ENV.sub(lambda found: environment.get(found[1]) or found[2] or "", text)
