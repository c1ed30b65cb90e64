"""Reads a config file: each key with its place, for values and for what is wrong with them."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from msgspec import Struct

from ..nearest import get_close_matches
from .model import ConfigError
from .setting import Setting
from .table import BY_KEY
from .variables import is_variable, names_in, with_variables

if TYPE_CHECKING:
    import yaml

_DEEPEST = 20

_PLAIN = "a plain password; its hash may stand here as well (mockforge-tui do 'user hash PASSWORD')"
_PATHS = "paths of fixture files or folders"
_TAKES = {
    "fail_on": "words such as lint:error",
    "rules": "texts such as 'allow alice read kafka:orders.*'",
    "kafka.acls": "texts such as 'allow User:alice read topic:orders'",
    "kafka.api_versions": "texts such as Fetch=4-12",
    "kafka.super_users": "names of users",
    "amqp.vhosts": "names of virtual hosts",
    "mqtt.auth_methods": "texts such as 'KERBEROS hello again'",
    "mqtt.listeners": "texts such as 'tls anonymous=no maximum_qos=1'",
    "mqtt.refused_filters": "topic filters such as secret/#",
    "mqtt.sn_topics": "texts such as 7=rooms/1/temp",
    "schemas": "texts such as orders=order.avsc",
    "users": "a name with its password each",
}
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


class Found(Struct):
    """What a config file says: values and places by setting name, and what of it is not used.

    `variables` are those that it names.
    """

    values: dict[str, Any] = {}
    origins: dict[str, str] = {}
    warnings: list[str] = []
    variables: set[str] = set()


def read(path: Path, environment: Mapping[str, str]) -> Found:
    """Read one config file; `${NAME}` in its values is a variable. Raises ConfigError."""
    reader = _Reader(path, environment)
    for key, node in _leaves(path):
        reader.take(key.removeprefix("server."), node)
    return reader.found


class _Reader:
    """Takes the values of one file, in its order."""

    def __init__(self, path: Path, environment: Mapping[str, str]) -> None:
        self.found = Found()
        self._path = path
        self._environment = environment
        self._ignored: set[str] = set()

    def take(self, key: str, node: "yaml.Node") -> None:
        """One value with its dotted key. Raises ConfigError."""
        place = f"{self._path}:{node.start_mark.line + 1}:{node.start_mark.column + 1}"
        section = key.partition(".")[0]
        setting = BY_KEY.get(key)
        if section in IGNORED_SECTIONS:
            if section not in self._ignored:
                self._warn(f"{place}: {section}: ignored, {IGNORED_SECTIONS[section]}")
            self._ignored.add(section)
        elif section == "users" and key != section:
            self._take_user(key, node, place)
        elif setting is None:
            self._warn(f"{place}: {_not_used(key)}")
        elif setting.many and not isinstance(node.value, str):
            self._warn(f"{place}: {key}: ignored, it takes {_TAKES.get(key, _PATHS)}")
        else:
            self._take_setting(setting, key, node, place)

    def _take_setting(self, setting: Setting, key: str, node: "yaml.Node", place: str) -> None:
        text = self._text(node, key, place)
        try:
            value = setting.parse(text)
        except ValueError as error:
            if text.lower() in _FORGIVEN.get(key, ()):
                self._warn(f"{place}: {key}: {error}; the default is kept")
                return
            raise ConfigError(f"{place}: {key}: {error}") from None
        if setting.many:
            if setting.name == "fixtures":
                value = self._fixtures(key, text, place)
            if value is not None:
                self._add(setting.name, value)
        else:
            self.found.values[setting.name] = value
        self.found.origins[setting.name] = place

    def _take_user(self, key: str, node: "yaml.Node", place: str) -> None:
        """One line of `users:`, a name with its password."""
        name = key.partition(".")[2]
        if ":" in name:
            raise ConfigError(f"{place}: {key}: the name of a user has no colon")
        given = "" if node.tag == "tag:yaml.org,2002:null" else node.value
        password = self._text(node, key, place) if given else ""
        if not password:
            raise ConfigError(f"{place}: {key}: no password: " + _empty(given))
        # What a variable holds is not in the file; its default is.
        if not (password.startswith("$") or is_variable(node.value)):
            self._warn(f"{place}: {key}: {_PLAIN}")
        self._add("users", f"{name}:{password}")
        self.found.origins["users"] = place

    def _fixtures(self, key: str, text: str, place: str) -> str | None:
        """Paths in a config file count from its own folder; a missing folder is worth a warning."""
        found = self._path.parent / text
        if found.exists():
            return str(found)
        self._warn(f"{place}: {key}: {found} does not exist, nothing is loaded from it")
        return None

    def _add(self, name: str, value: str) -> None:
        self.found.values[name] = (*self.found.values.get(name, ()), value)

    def _warn(self, text: str) -> None:
        self.found.warnings.append(text)

    def _text(self, node: "yaml.Node", key: str, place: str) -> str:
        """A value with its variables put in. Raises ConfigError."""
        if not isinstance(node.value, str):
            raise ConfigError(f"{place}: {key}: one value is wanted here")
        self.found.variables.update(names_in(node.value))
        return with_variables(node.value, self._environment)


def _empty(text: str) -> str:
    return f"{text} is not set, or empty" if text else "an empty text lets everybody in"


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
