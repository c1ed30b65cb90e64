import re
from pathlib import Path

import pytest
from mockforge_brokers.access import Access, hash_password
from mockforge_brokers.limits import LIMITS
from mockforge_brokers.mqtt.listeners import ListenerOptions
from mockforge_brokers.mqtt.options import MqttOptions

from mockforge_tui.accounts import fill
from mockforge_tui.config import Config, ConfigError, resolve
from mockforge_tui.config.mqtt import MQTT_PREFIX
from mockforge_tui.config.setting import boolean
from mockforge_tui.config.table import BY_NAME, SETTINGS, parse_limit
from mockforge_tui.protocols import amqp, kafka


@pytest.fixture(autouse=True)
def _elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def write(tmp_path: Path, text: str, name: str = "config.yaml") -> str:
    path = tmp_path / name
    path.write_text(text)
    return str(path)


def test_defaults_are_the_ports_that_clients_try():
    config = resolve({}, {}).config
    assert (config.kafka_port, config.mqtt_port, config.amqp_port) == (9092, 1883, 5672)
    assert config.host == "127.0.0.1"


def test_every_setting_is_a_field_of_the_config():
    names = {setting.name for setting in SETTINGS if not setting.limit}
    of_mqtt = {name for name in names if name.startswith(MQTT_PREFIX)}
    assert names - of_mqtt | {"limits", "mqtt_options"} == set(Config.__struct_fields__)
    # The longest keep alive has had its own name from the beginning; the preset is `mqtt_as`.
    fields = set(MqttOptions.__struct_fields__) - {"server_keep_alive", "preset"}
    assert {name.removeprefix(MQTT_PREFIX) for name in of_mqtt} == fields


def test_options_of_mqtt_are_set_by_file_variable_and_option(tmp_path):
    text = "mqtt:\n  maximum_qos: 1\n  retain_available: false\n  refused_filters: [a/#, b]\n"
    variables = {"MOCKFORGE_MQTT_SYS_INTERVAL": "1m", "MOCKFORGE_MQTT_MAXIMUM_QOS": "0"}
    options = {"mqtt_option_lint": "strict"}
    resolved = resolve(options, variables, write(tmp_path, text))
    mqtt = resolved.config.mqtt_options
    assert (mqtt.maximum_qos, mqtt.retain_available, mqtt.sys_interval) == (0, False, 60)
    assert (mqtt.lint, mqtt.refused_filters) == ("strict", {"a/#": 0x87, "b": 0x87})
    assert "mqtt.maximum_qos = 0  # MOCKFORGE_MQTT_MAXIMUM_QOS" in resolved.lines()
    filters = resolve({}, {"MOCKFORGE_MQTT_REFUSE": "a/#,b:c"}).config.mqtt_options.refused_filters
    assert set(filters) == {"a/#", "b:c"}


def test_what_mqtt_takes_several_times_is_read_alike_from_file_variable_and_option(tmp_path):
    texts = ["tls anonymous=no users=alice,bob", "ws maximum_qos=1 packet=64KiB"]
    topics = ["7=rooms/1", "8=rooms/2"]
    lines = [f"  listeners: {texts}", f"  sn_topics: {topics}", "  refused_filters: [a=BANNED]"]
    file, tls = write(tmp_path, "\n".join(["mqtt:", *lines])), {"tls": "auto"}
    of_file = resolve(tls, {}, file).config.mqtt_options
    variables = {
        "MOCKFORGE_MQTT_LISTENER": ";".join(texts),
        "MOCKFORGE_MQTT_SN_TOPIC": ",".join(topics),
        "MOCKFORGE_MQTT_REFUSE": "a=BANNED",
    }
    assert resolve(tls, variables).config.mqtt_options == of_file
    assert of_file.sn_topics == {7: "rooms/1", 8: "rooms/2"}
    assert of_file.listeners == {
        "tls": ListenerOptions(anonymous=False, users=("alice", "bob")),
        "ws": ListenerOptions(maximum_qos=1, packet=65_536),
    }


@pytest.mark.parametrize(
    ("key", "text", "wrong"),
    [
        ("refused_filters", "a/#/b", "'a/#/b': # is only legal as the whole last level"),
        ("refused_filters", "a/#=NO_CODE", "'a/#=NO_CODE': # is only legal as"),
        ("refused_filters", "=QUOTA_EXCEEDED", "a topic filter has at least one character"),
        ("auth_methods", "A refuse=SUCCESS", "'SUCCESS' is no failing reason code"),
        (
            "auth_methods",
            "SCRAM-SHA-256 a",
            "SCRAM-SHA-256 is there for users with",
        ),
    ],
)
def test_what_mqtt_takes_several_times_is_checked_where_it_is_given(key, text, wrong, tmp_path):
    file = write(tmp_path, f"mqtt:\n  {key}: ['{text}']\n")
    with pytest.raises(ConfigError, match=rf"yaml:2:.*{re.escape(wrong)}"):
        resolve({}, {}, file)
    option = BY_NAME[f"mqtt_option_{key}"]
    with pytest.raises(ConfigError, match=f"{option.variable}: .*{re.escape(wrong)}"):
        resolve({}, {option.variable: text})


@pytest.mark.parametrize(
    ("text", "wrong"),
    [
        ("udp anonymous=no", "'udp' is no listener of MQTT, as plain, tls, ws, wss, unix, sn are"),
        ("tls qos=1", "'qos=1': a listener takes anonymous=VALUE, users=VALUE, maximum_qos=VALUE"),
        ("sn users=bob", "'users=bob': MQTT-SN's clients have no user; anonymous=no lets none in"),
        ("tls maximum_qos=3", "maximum_qos: 0 to 2 is wanted, not 3"),
        ("tls packet=1", "packet: 64 to 268435460 bytes are wanted, not 1"),
    ],
)
def test_settings_of_a_listener_that_are_none_say_where_and_why(text, wrong, tmp_path):
    file = write(tmp_path, f"mqtt:\n  listeners: ['{text}']\n")
    with pytest.raises(ConfigError, match=f"2:15: mqtt.listeners: {wrong}"):
        resolve({}, {}, file)


@pytest.mark.parametrize("name", LIMITS)
def test_every_limit_is_set_by_file_variable_and_option(name, tmp_path):
    least = LIMITS[name].bound.least
    file = write(tmp_path, f"limits: {{{name}: {least}}}")
    variable = {f"MOCKFORGE_LIMIT_{name.upper()}": str(least + 1)}
    if name == "mqtt_packet":
        variable = {"MOCKFORGE_MQTT_MAX_PACKET_SIZE": str(least + 1)}
    option = dict([parse_limit(f"{name}={least + 2}")])
    for options, environment, value, origin in (
        ({}, {}, least, f"{file}:1:{len(name) + 12}"),
        ({}, variable, least + 1, next(iter(variable))),
        (option, variable, least + 2, "command line"),
    ):
        resolved = resolve(options, environment, file)
        assert getattr(resolved.config.limits, name) == value
        assert f"limits.{name} = {value}  # {origin}" in resolved.lines()


def test_limits_are_read_with_units_and_refused_with_their_names():
    assert parse_limit("kafka_total=2g") == ("limit_kafka_total", 2 * 1024**3)
    assert parse_limit("mqtt-retained=5_000") == ("limit_mqtt_retained", 5000)
    with pytest.raises(ValueError, match=r"NAME=VALUE is wanted, with one of .*write_mark, conn"):
        parse_limit("kafka_totl=1")
    with pytest.raises(ValueError, match="64 to 268435460 is wanted, not 1"):
        parse_limit("mqtt_packet=1")


def test_command_line_beats_environment_beats_file_beats_default(tmp_path):
    file = write(tmp_path, "kafka: {port: 1}\nmqtt: {port: 1}\namqp: {port: 1}\n")
    environment = {"MOCKFORGE_KAFKA_PORT": "2", "MOCKFORGE_MQTT_PORT": "2"}
    resolved = resolve({"kafka_port": 3}, environment, file)
    config = resolved.config
    assert (config.kafka_port, config.mqtt_port, config.amqp_port) == (3, 2, 1)
    assert config.admin_port == 9080
    assert resolved.origins["kafka_port"] == "command line"
    assert resolved.origins["mqtt_port"] == "MOCKFORGE_MQTT_PORT"
    assert resolved.origins["amqp_port"] == f"{file}:3:14"


def test_keys_may_stand_below_server(tmp_path):
    file = write(tmp_path, "server:\n  host: 0.0.0.0\n  kafka: {port: 19092, enabled: true}\n")
    config = resolve({}, {}, file).config
    assert (config.host, config.kafka_port) == ("0.0.0.0", 19092)


def test_server_host_does_not_open_admin(tmp_path):
    config = resolve({}, {}, write(tmp_path, "server: {host: 0.0.0.0}\n")).config
    assert config.admin_host == "127.0.0.1"


def test_the_file_in_the_working_folder_is_found(tmp_path):
    write(tmp_path, "mqtt: {port: 7}\n", "mockforge-tui.yaml")
    assert resolve({}, {}).config.mqtt_port == 7


@pytest.mark.parametrize(
    ("text", "warning"),
    [
        ("kafka: {prot: 1}", '1:15: kafka.prot: unknown key, ignored, did you mean "kafka.port"?'),
        ("logging: {output: stdout}", "1:19: logging.output: ignored, logs go to standard error"),
        ("metrics: {enabled: true, port: 9090}", "metrics: ignored, metrics are at the admin port"),
        ("http: {port: 3000, cors: {enabled: true}}", "http: ignored, this program serves Kafka"),
        ("kafka: {fixtures_dir: ./none}", "none does not exist, nothing is loaded from it"),
        ("kafka: {host: 0.0.0.0}", "kafka.host: ignored, use server.host"),
        ("mqtt: {max_connections: 9}", "ignored, limits.connections bounds"),
        ("kafka: {default_replication_factor: 3}", "ignored, there is one broker"),
        ("kafka: {log_retention_ms: 1}", "ignored, give a topic its own retention.ms"),
        ("kafka: {log_segment_bytes: 1}", "ignored, logs are kept in memory"),
    ],
)
def test_what_is_not_used_is_one_warning_with_its_place(tmp_path, text, warning):
    resolved = resolve({}, {}, write(tmp_path, text))
    (only,) = resolved.warnings
    assert only.startswith(str(tmp_path / "config.yaml:1:"))
    assert warning in only


def test_paths_count_from_the_config_file(tmp_path):
    (tmp_path / "there" / "kafka").mkdir(parents=True)
    (tmp_path / "there" / "mqtt").mkdir()
    file = write(
        tmp_path / "there",
        "kafka: {fixtures_dir: ./kafka}\nmqtt: {fixtures_dir: mqtt}\n",
    )
    found = resolve({"fixtures": ("own.yaml",)}, {}, file).config.fixtures
    assert found == (str(tmp_path / "there/kafka"), str(tmp_path / "there/mqtt"), "own.yaml")


def test_variables_in_the_file_are_expanded(tmp_path):
    file = write(tmp_path, "kafka: {port: '${KP:-19092}'}\nhost: ${WHERE}\n")
    config = resolve({}, {"WHERE": "::1"}, file).config
    assert (config.kafka_port, config.host) == (19092, "::1")


@pytest.mark.parametrize(
    ("text", "error"),
    [
        ("kafka: {port: many}", ":1:15: kafka.port: a whole number is wanted, not 'many'"),
        ("kafka: {port: 70000}", "kafka.port: a port is 0 to 65535"),
        ("kafka: {enabled: maybe}", "kafka.enabled: true or false is wanted, not 'maybe'"),
        ("kafka: {default_partitions: 0}", "1 to 100000 is wanted, not 0"),
        ("logging: {level: loud}", "one of debug, info, warning, error is wanted, not 'loud'"),
        ("- a list", ":1:1: a config file is a mapping"),
        ("kafka: {broker_id: 2147483648}", "0 to 2147483647 is wanted, not 2147483648"),
        ("amqp: {frame_max: 100}", "4096 to 2147483647 is wanted, not 100"),
        ("host: ''", "host: an address is wanted; 0.0.0.0 is every address"),
        (
            "host: " + "a" * 64,
            ":1:7: host: a name of parts of 1 to 63 characters with dots between",
        ),
        ("advertise: a..b", ":1:12: advertise: a name of parts of 1 to 63 characters with dots"),
        ("kafka: {port: [1, 2]}", ":1:15: kafka.port: one value is wanted here"),
        ("kafka: {port: 1, port: 2}", ":1:18: kafka.port: this key is given twice"),
        ("a: b: c", ":1:5: not YAML: mapping values are not allowed"),
        ("a: &a {b: *a}", "too deep: an alias that holds itself?"),
        ("admin: {host: 0.0.0.0}", "give --admin-token, or leave --admin-host at 127.0.0.1"),
        ("users: {a: '${NONE}'}", ":1:12: users.a: no password: ${NONE} is not set, or empty"),
        ("users: {a: }", ":1:12: users.a: no password: an empty text lets everybody in"),
        ("users: {a: null}", "users.a: no password: an empty text lets everybody in"),
        ("users: {'a:b': c}", "users.a:b: the name of a user has no colon"),
    ],
)
def test_bad_values_name_place_and_remedy(tmp_path, text, error):
    file = write(tmp_path, text)
    with pytest.raises(ConfigError) as caught:
        resolve({}, {}, file)
    assert error in str(caught.value)


@pytest.mark.parametrize("text", ["advertise: ''", "kafka: {advertised_host: '${PUBLIC_HOST}'}"])
def test_an_empty_advertised_host_is_the_one_that_clients_dialled(tmp_path, text):
    assert not resolve({}, {}, write(tmp_path, text)).config.advertise
    assert not resolve({"advertise": ""}, {}).config.advertise


def test_a_bad_variable_is_named():
    with pytest.raises(ConfigError, match="MOCKFORGE_MQTT_PORT: a whole number is wanted"):
        resolve({}, {"MOCKFORGE_MQTT_PORT": "x"})


@pytest.mark.parametrize(
    ("name", "meant"),
    [
        ("MOCKFORGE_KAFKA_PROT", "MOCKFORGE_KAFKA_PORT"),
        ("MOCKFORGE_DATADIR", "MOCKFORGE_DATA_DIR"),
        ("MOCKFORGE_NO_MQQT", "MOCKFORGE_NO_MQTT"),
        ("MOCKFORGE_ADMIN_TOKE", "MOCKFORGE_ADMIN_TOKEN"),
    ],
)
def test_a_mistyped_variable_is_a_warning_with_what_was_meant(name, meant):
    (warning,) = resolve({}, {name: "1"}).warnings
    assert warning == f'{name}: no such setting, ignored, did you mean "{meant}"?'


@pytest.mark.parametrize(
    "name",
    [
        *("MOCKFORGE_SAMPLES", "MOCKFORGE_CLIENTS_CACHE", "MOCKFORGE_COMMAND", "MOCKFORGE_URL"),
        *("MOCKFORGE_TLS_CA", "MOCKFORGE_SERVICE_HOST", "MOCKFORGE_SERVICE_PORT", "KAFKA_PROT"),
        *("MOCKFORGE_PORT", "MOCKFORGE_PORT_9092_TCP", "MOCKFORGE_PORT_9092_TCP_ADDR"),
        *("MOCKFORGE_KAFKA_SERVICE_HOST", "MOCKFORGE_KAFKA_SERVICE_PORT", "MOCKFORGE_"),
    ],
)
def test_a_variable_of_others_is_none_of_ours(name):
    assert resolve({}, {name: "x"}).warnings == ()


def test_a_variable_that_the_file_names_is_its_own(tmp_path):
    file = write(tmp_path, "kafka: {port: '${MOCKFORGE_KAFKA_PROT:-1}'}")
    resolved = resolve({}, {"MOCKFORGE_KAFKA_PROT": "7"}, file)
    assert (resolved.config.port("kafka"), resolved.warnings) == (7, ())


@pytest.mark.parametrize("service", ["tcp://10.96.0.1:9092", "sctp://10.96.0.1:9092"])
def test_what_kubernetes_says_of_a_service_of_our_name_is_no_port(service):
    resolved = resolve({}, {"MOCKFORGE_KAFKA_PORT": service})
    assert resolved.config.port("kafka") == 9092
    (warning,) = resolved.warnings
    assert warning == (
        f"MOCKFORGE_KAFKA_PORT: {service} is what Kubernetes sets for a service of this "
        "name, ignored; `enableServiceLinks: false` keeps it away"
    )


@pytest.mark.parametrize("name", ["KAFKA_UI", "TUI_KAFKA", "KAFKA_1", "SHOP_KAFKA"])
def test_what_kubernetes_says_of_a_service_of_nearly_our_name_is_none_of_ours(name):
    variable = f"MOCKFORGE_{name}_PORT"
    assert resolve({}, {variable: "tcp://10.96.0.1:80"}).warnings == ()
    assert len(resolve({}, {variable: "80"}).warnings) == 1


def test_a_file_that_is_no_text_is_an_error(tmp_path):
    (tmp_path / "binary.yaml").write_bytes(b"a: \xff")
    with pytest.raises(ConfigError, match=r"binary.yaml:1:1: not UTF-8 text: byte 3"):
        resolve({}, {}, "binary.yaml")


def test_a_section_may_be_empty(tmp_path):
    resolved = resolve({}, {}, write(tmp_path, "server:\nkafka:\nmqtt: null\n"))
    assert resolved.warnings == ()


def test_what_bounds_the_brokers_is_read(tmp_path):
    file = write(
        tmp_path,
        "mqtt: {max_packet_size: 1048576, keep_alive_secs: 60}\n"
        "amqp: {max_channels_per_connection: 7, frame_max: 8192, heartbeat_interval: 5}\n",
    )
    resolved = resolve({}, {}, file)
    config = resolved.config
    assert resolved.warnings == ()
    assert (config.limits.mqtt_packet, config.keep_alive) == (1048576, 60)
    assert (config.channel_max, config.frame_max, config.heartbeat) == (7, 8192, 5)


def test_a_missing_file_is_an_error():
    with pytest.raises(ConfigError, match=r"nowhere.yaml: cannot be read: No such file"):
        resolve({}, {}, "nowhere.yaml")


def test_a_negative_variable_switches_off():
    config = resolve({}, {"MOCKFORGE_NO_KAFKA": "1", "MOCKFORGE_NO_MQTT": "0"}).config
    assert (config.kafka, config.mqtt) == (False, True)


def test_serving_nothing_is_refused():
    with pytest.raises(ConfigError, match="nothing to serve"):
        resolve({"kafka": False, "mqtt": False, "amqp": False}, {})


def test_random_ports_are_for_all_services():
    config = resolve({"random_ports": True}, {}).config
    assert [config.port(name) for name in ("kafka", "mqtt", "amqp", "admin")] == [0, 0, 0, 0]


def test_a_port_beside_random_ports_stays(tmp_path):
    file = write(tmp_path, "amqp: {port: 7}")
    config = resolve({"random_ports": True, "mqtt_port": 5}, {"MOCKFORGE_KAFKA_PORT": "6"}, file)
    assert (config.config.mqtt_port, config.config.kafka_port, config.config.amqp_port) == (5, 0, 0)
    assert config.origins["amqp_port"] == "command line"


def test_printing_shows_origins_and_hides_the_token():
    lines = list(resolve({"admin_token": "secret", "seed": 4}, {}).lines())
    assert "seed = 4  # command line" in lines
    assert "admin_token = '***'  # command line" in lines
    assert "kafka_port = 9092  # default" in lines


@pytest.mark.parametrize(("text", "value"), [("yes", True), ("TRUE", True), ("off", False)])
def test_booleans(text, value):
    assert boolean(text) is value


def test_words_of_mockforges_own_configs_do_not_stop_the_start(tmp_path):
    file = tmp_path / "mockforge.yaml"
    file.write_text(
        "logging: {level: trace, format: pretty}\n"
        "kafka: {port: null}\n"
        "fixtures:\n  - {topic: a, payload: 1}\n"
    )
    resolved = resolve({}, {}, str(file))
    assert resolved.config == Config()
    assert resolved.warnings == (
        f"{file}:1:18: logging.level: one of debug, info, warning, error is wanted,"
        " not 'trace'; the default is kept",
        f"{file}:1:33: logging.format: one of text, json is wanted,"
        " not 'pretty'; the default is kept",
        f"{file}:4:5: fixtures: ignored, it takes paths of fixture files or folders",
    )


def test_a_fixture_file_given_as_config_is_told_where_it_belongs(tmp_path):
    file = tmp_path / "shop.yaml"
    file.write_text("mockforge: 1\n")
    (warning,) = resolve({}, {}, str(file)).warnings
    assert warning.endswith("this is a fixture file: give it as PATH, without --config")


def at_listener(name: str) -> dict[str, object]:
    return {"mqtt_option_listeners": ((name, ListenerOptions(anonymous=False)),)}


@pytest.mark.parametrize(
    ("options", "error"),
    [
        ({"tls_only": True}, "--tls-only is of no use without TLS"),
        ({"tls_client_ca": "ca.pem"}, "--tls-client-ca is of no use without TLS"),
        (
            at_listener("tls"),
            "--mqtt-listener tls is of no use where MQTT has none: give --tls auto",
        ),
        (
            at_listener("wss"),
            "--mqtt-listener wss is of no use where MQTT has none: give --tls auto",
        ),
        ({**at_listener("plain"), "tls": "auto", "tls_only": True}, "leave --tls-only out"),
        ({**at_listener("ws"), "mqtt_ws": False}, "leave --no-mqtt-ws out"),
        (
            at_listener("unix"),
            "--mqtt-listener unix is of no use where MQTT has none: give --mqtt-unix PATH",
        ),
        (at_listener("sn"), "--mqtt-listener sn is of no use where MQTT has none: give --mqtt-sn"),
        ({"tls": "a,b", "tls_client_ca": "auto"}, "give a FILE here"),
    ],
)
def test_tls_options_that_do_not_go_together_are_refused(options, error):
    with pytest.raises(ConfigError, match=error):
        resolve(options, {})


@pytest.mark.parametrize(
    ("options", "port"),
    [({}, 8083), ({"mqtt_port": 1884}, 8083), ({"mqtt_port": 0}, 0), ({"mqtt_ws_port": 9}, 9)],
)
def test_a_port_beside_the_plain_one_is_free_where_that_is(options, port):
    assert resolve(options, {}).config.port("mqtt-ws") == port


@pytest.mark.parametrize(
    ("text", "tls"), [("tls: auto", "auto"), ("tls: {certificates: 'a,b', only: true}", "a,b")]
)
def test_tls_stands_in_the_file_as_a_word_or_as_a_section(tmp_path, text, tls):
    file = tmp_path / "c.yaml"
    file.write_text(text)
    config = resolve({}, {}, str(file)).config
    assert (config.tls, config.tls_only) == (tls, tls != "auto")


def test_users_rules_and_virtual_hosts_come_from_everywhere(tmp_path):
    file = tmp_path / "c.yaml"
    hashed = hash_password("x")
    file.write_text(
        f"""
users:
  alice: ${{SECRET}}
  bob: {hashed}
  dora: ${{OTHER:-plain}}
rules:
  - allow alice read,write kafka:orders.*
amqp: {{vhosts: [shop], user: shop, password: till}}
anonymous: true
"""
    )
    variables = {"SECRET": "s3cret", "MOCKFORGE_VHOST": "a, b"}
    resolved = resolve({"users": ("carl:c",)}, variables, str(file))
    config = resolved.config
    assert config.users == ("alice:s3cret", f"bob:{hashed}", "dora:plain", "carl:c")
    assert config.rules == ("allow alice read,write kafka:orders.*",)
    assert (config.amqp_user, config.amqp_password, config.vhosts) == ("shop", "till", ("a", "b"))
    (warning,) = resolved.warnings
    # A variable's is not in the file.
    assert warning.startswith(f"{file}:5:9: users.dora: a plain password; its hash may stand")
    shown = "\n".join(resolved.lines())
    assert "s3cret" not in shown
    assert "till" not in shown
    access = Access()
    fill(access, config)
    assert access.anonymous == {"kafka", "mqtt"}
    assert access.login("amqp", "shop", "till")
    assert not access.login("mqtt", "shop", "till")
    assert access.login("mqtt", "bob", "x")
    assert amqp.virtual_hosts(config) == ("a", "b", "/")


def test_with_users_nobody_comes_in_without_a_login_unless_told():
    access = Access()
    fill(access, resolve({"users": ("a:b",)}, {}).config)
    assert access.anonymous == set()
    fill(access, resolve({}, {}).config)
    assert access.anonymous == {"kafka", "mqtt"}


@pytest.mark.parametrize(
    ("options", "error"),
    [({"rules": ("allow me",)}, "is no rule"), ({"users": ("*:x",)}, "no name for a user")],
)
def test_what_is_no_rule_or_user_is_an_error_of_the_config(options, error):
    with pytest.raises(ConfigError, match=error):
        fill(Access(), resolve(options, {}).config)


def test_a_user_in_a_variable_needs_a_password():
    with pytest.raises(ConfigError, match="MOCKFORGE_USER: a user is NAME:PASSWORD"):
        resolve({}, {"MOCKFORGE_USER": "alice"})


def test_mqtt_as_gives_what_nothing_else_gives():
    given = {"mqtt_as": "aws-iot", "mqtt_option_receive_maximum": 7, "limit_mqtt_retained": 5}
    resolved = resolve(given, {}, "")
    config = resolved.config
    assert (config.mqtt_options.maximum_qos, config.mqtt_options.receive_maximum) == (1, 7)
    assert (config.keep_alive, config.limits.mqtt_packet) == (1200, 128 << 10)
    lines = list(resolved.lines())
    assert "mqtt.maximum_qos = 1  # --mqtt-as aws-iot" in lines
    assert "mqtt.receive_maximum = 7  # command line" in lines
    assert f"limits.mqtt_packet = {128 << 10}  # --mqtt-as aws-iot" in lines


def test_a_release_of_rabbitmq_has_its_size_of_messages():
    resolved = resolve({"amqp_as_version": "4.1"}, {}, "")
    assert resolved.config.limits.amqp_message == 16 << 20
    assert f"limits.amqp_message = {16 << 20}  # --amqp-as-version 4.1" in list(resolved.lines())
    own = resolve({"amqp_as_version": "4.1", "limit_amqp_message": 5000}, {}, "")
    assert own.config.limits.amqp_message == 5000
    assert resolve({}, {}, "").config.amqp_as_version == "3.13"


def test_acls_and_super_users_put_kafkas_authorizer_into_force(tmp_path: Path) -> None:
    text = "kafka:\n  super_users: [User:admin]\n  acls: ['allow User:alice read topic:a']\n"
    access = Access()
    kafka.restrict(access, resolve({}, {}, write(tmp_path, text)).config)
    assert access.strict == {"kafka"}
    assert access.super_users == {"admin"}
    assert [rule.text for rule in access.rules.values()] == [
        "allow alice read kafka:topic:a literal"
    ]
    with pytest.raises(ConfigError, match="is no ACL"):
        kafka.restrict(Access(), Config(kafka_acls=("allow alice",)))
    authorized = Access()
    kafka.restrict(authorized, Config(kafka_authorizer=True))
    assert authorized.strict == {"kafka"}


def test_the_key_of_oauthbearer_is_a_file_or_unsecured(tmp_path: Path) -> None:
    assert kafka.oauth_key(Config()) == ""
    assert kafka.oauth_key(Config(kafka_oauth="unsecured")) == "unsecured"
    assert kafka.oauth_key(Config(kafka_oauth=write(tmp_path, "secret", "key"))) == "secret"
    with pytest.raises(ConfigError, match="give unsecured, or a file"):
        kafka.oauth_key(Config(kafka_oauth=str(tmp_path / "none")))
    with pytest.raises(ConfigError, match="the file is empty"):
        kafka.oauth_key(Config(kafka_oauth=write(tmp_path, "\n", "empty")))


def test_a_refused_filter_may_have_the_code_of_its_suback():
    asked = "a/#,b=UNSPECIFIED_ERROR,c=quota-exceeded,d=e,f=SUCCESS"
    found = resolve({}, {"MOCKFORGE_MQTT_REFUSE": asked}, "").config.mqtt_options
    codes = {"a/#": 0x87, "b": 0x80, "c": 0x97, "d=e": 0x87, "f=SUCCESS": 0x87}
    assert found.refused_filters == codes
