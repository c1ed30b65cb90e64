"""Puts one configuration together from command line, environment, config file and defaults."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from mockforge_brokers.amqp.profiles import PROFILES
from mockforge_brokers.limits import LIMITS, limits_of
from mockforge_brokers.mqtt.options import MqttOptions
from mockforge_brokers.mqtt.presets import PRESETS
from mockforge_brokers.protocols import PROTOCOLS
from msgspec import Struct

from .file import Found, read
from .model import USUAL_PORTS, Config, ConfigError
from .mqtt import MQTT_PREFIX
from .setting import Setting, boolean
from .table import BY_NAME, LIMIT_PREFIX, SETTINGS
from .variables import is_of_kubernetes, mistyped

DEFAULT_FILE = "mockforge-tui.yaml"
_LOOPBACK = frozenset({"127.0.0.1", "::1", "localhost"})

_PAIRS = ("refused_filters", "sn_topics", "listeners")
"""Of MQTT's settings those whose values are keys with what each stands for."""
_ON_DEMAND = frozenset({"amqp-management", "mqtt-sn"})
"""Served where their port is given; else it is any where the plain one is."""
_PORTS = (
    *(f"{name}_port" for name in (*PROTOCOLS, "admin")),
    *(f"{name.replace('-', '_')}_port" for name in USUAL_PORTS if name not in _ON_DEMAND),
)
_VARIABLES = frozenset(
    {
        *(setting.variable for setting in SETTINGS),
        # What commands read that ask an instance, and what an instance says of itself.
        "MOCKFORGE_URL",
        "MOCKFORGE_ADMIN_TOKEN",
        "MOCKFORGE_TLS_CA",
    }
)
_SECRETS = frozenset({"admin_token", "amqp_password", "users"})


class Resolved(Struct, frozen=True):
    """A config with where each value came from, and what of the file was not used."""

    config: Config
    origins: Mapping[str, str]
    warnings: tuple[str, ...]

    def lines(self) -> Iterator[str]:
        """`name = value  # origin` for each setting; tokens and passwords stay secret."""
        for name in Config.__struct_fields__:
            value = getattr(self.config, name)
            if name == "limits":
                yield from self._limits()
                continue
            if name == "mqtt_options":
                yield from self._mqtt_options()
                continue
            shown = "***" if name in _SECRETS and value else value
            yield f"{name} = {shown!r}  # {self.origins.get(name, 'default')}"

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
    path: str | None = file
    if file is None and Path(DEFAULT_FILE).is_file():
        path = DEFAULT_FILE
    found = read(Path(path), environment) if path else Found()
    values, origins = found.values, found.origins
    found.warnings += mistyped(environment, _VARIABLES | found.variables)
    for setting in SETTINGS:
        text = environment.get(setting.variable)
        if text and is_of_kubernetes(setting.variable, text):
            found.warnings.append(
                f"{setting.variable}: {text} is what Kubernetes sets for a service of this name, "
                "ignored; `enableServiceLinks: false` keeps it away"
            )
        elif text:
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
    mqtt |= {name: dict(mqtt.get(name, ())) for name in _PAIRS}
    config = Config(**values, limits=limits_of(limits), mqtt_options=MqttOptions(**mqtt))
    _check(config)
    return Resolved(config, origins, tuple(found.warnings))


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
    if config.admin and config.admin_host not in _LOOPBACK and not config.admin_token:
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
    for name in config.mqtt_options.listeners:
        remedy = _unserved(config, name)
        if remedy:
            raise ConfigError(f"--mqtt-listener {name} is of no use where MQTT has none: {remedy}")
    if config.tls_client_ca == "auto" and config.tls != "auto":
        raise ConfigError("--tls-client-ca auto is the CA of --tls auto: give a FILE here")
    if not config.served:
        raise ConfigError("nothing to serve: leave out one of --no-kafka, --no-mqtt, --no-amqp")


def _unserved(config: Config, listener: str) -> str:
    """What it takes for MQTT to have this listener; empty where it has."""
    if listener in ("tls", "wss") and config.tls is None:
        return "give --tls auto or CERT,KEY"
    if listener in ("plain", "ws") and config.tls_only:
        return "leave --tls-only out"
    if listener in ("ws", "wss") and not config.mqtt_ws:
        return "leave --no-mqtt-ws out"
    if listener == "unix" and config.mqtt_unix is None:
        return "give --mqtt-unix PATH"
    if listener == "sn" and not config.serves_mqtt_sn:
        return "give --mqtt-sn"
    return ""
