"""A broker's values beside each other and what they were: each answer is Apache Kafka's own."""

import pytest
from mockforge_brokers.kafka.codes import ErrorCode
from mockforge_brokers.kafka.wire.messages.configs import (
    IncrementalAlterableConfig,
    IncrementalAlterConfigsRequest,
    IncrementalAlterConfigsResource,
)

from .scene import Scene

TAKEN = (0, None)
MOST = str(2**63 - 1)


def altered(scene, node, values, *, validate_only=False):
    """(code, text); None takes a value back."""
    configs = [
        IncrementalAlterableConfig(name=name, config_operation=int(value is None), value=value)
        for name, value in values.items()
    ]
    resource = IncrementalAlterConfigsResource(resource_type=4, resource_name=node, configs=configs)
    request = IncrementalAlterConfigsRequest(resources=[resource], validate_only=validate_only)
    (answer,) = scene.call(request, 1).responses
    return answer.error_code, answer.error_message


def refused(text):
    return ErrorCode.INVALID_REQUEST, text


def wrapped(text):
    """As the part of the server says that would have to take the value."""
    return refused(
        f"Invalid value org.apache.kafka.common.config.ConfigException: {text} for configuration"
        " Invalid dynamic configuration"
    )


JMX = "org.apache.kafka.common.metrics.JmxReporter"


def reporters(*names):
    return wrapped(
        f"Validation of dynamic config update of Set({', '.join(names)}) failed with class class"
        " kafka.server.DynamicMetricsReporters"
    )


def no_class(key, name):
    text = f"Invalid value {name} for configuration {key}: Class {name} could not be found."
    return refused(text)


def twice(key):
    return refused(f"Configuration '{key}' values must not be duplicated.")


def threads(name, value, text):
    said = f"Dynamic thread count update validation failed for {name}={value}, value should {text}"
    return wrapped(said)


BUFFER = (
    "requirement failed: log.cleaner.dedupe.buffer.size must be at least 1MB per cleaner thread."
)
OVERRIDES = "max.connections.per.ip.overrides"
UNREAD = f"Error parsing configuration property '{OVERRIDES}': begin 0, end -1, length"
ROLL = "requirement failed: log.roll.ms must be greater than or equal to 1"
LOCAL = "Invalid value {} for configuration log.local.retention.{}: Value must not be"
LAG = "Invalid value {} for configuration log.remote.copy.lag.{}: Value must not exceed"


@pytest.mark.parametrize("validate_only", [False, True])
@pytest.mark.parametrize("node", ["1", ""])
@pytest.mark.parametrize(
    ("values", "answer"),
    [
        ({"log.roll.ms": "0"}, refused(ROLL)),
        ({"log.roll.ms": "-1"}, refused(ROLL)),
        ({"log.roll.ms": "0", "log.retention.ms": "0"}, refused(ROLL)),
        ({"log.roll.ms": "0", "num.io.threads": "100"}, refused(ROLL)),
        (
            {"log.roll.jitter.ms": "-1"},
            refused("requirement failed: log.roll.jitter.ms must be greater than or equal to 0"),
        ),
        (
            {"log.retention.ms": "0"},
            refused(
                "requirement failed: log.retention.ms must be unlimited (-1) or, greater than or"
                " equal to 1"
            ),
        ),
        ({"log.retention.ms": "-7"}, TAKEN),
        ({"log.cleaner.dedupe.buffer.size": "-1"}, refused(BUFFER)),
        ({"log.cleaner.dedupe.buffer.size": "1048575"}, refused(BUFFER)),
        ({"log.cleaner.threads": "0"}, refused("/ by zero")),
        ({"log.cleaner.threads": "0", "log.roll.ms": "0"}, refused(ROLL)),
        ({"log.cleaner.threads": "0", "max.connections.per.ip": "0"}, refused("/ by zero")),
        ({"log.cleaner.threads": "0", "num.io.threads": "100"}, refused("/ by zero")),
        (
            {"max.connections.per.ip": "0"},
            refused(
                "requirement failed: max.connections.per.ip can be set to zero only if"
                " max.connections.per.ip.overrides property is set."
            ),
        ),
        (
            {"max.connections.per.ip": "0", "max.connections.per.ip.overrides": "127.0.0.1:5"},
            TAKEN,
        ),
        ({OVERRIDES: "127.0.0.1"}, refused(f"{UNREAD} 9")),
        ({OVERRIDES: "127.0.0.1:1,there"}, refused(f"{UNREAD} 5")),
        ({OVERRIDES: "127.0.0.1:x"}, refused('For input string: "x"')),
        ({OVERRIDES: "127.0.0.1:", "log.roll.ms": "0"}, refused('For input string: ""')),
        ({OVERRIDES: "a:1 , :: 2,"}, TAKEN),
        (
            {"group.consumer.assignment.interval.ms": "15001"},
            refused(
                "group.consumer.assignment.interval.ms must be less than or equal to"
                " group.consumer.max.assignment.interval.ms"
            ),
        ),
        ({"group.consumer.assignment.interval.ms": "15000"}, TAKEN),
        (
            {"group.streams.assignment.interval.ms": "1000000"},
            refused(
                "group.streams.assignment.interval.ms must be less than or equal to"
                " group.streams.max.assignment.interval.ms"
            ),
        ),
        ({"max.connections": "0"}, wrapped("Invalid max.connections 0")),
        (
            {"max.connection.creation.rate": "0"},
            wrapped("Invalid max.connection.creation.rate 0"),
        ),
        (
            {"log.local.retention.ms": "-1"},
            wrapped(f"{LOCAL.format(-1, 'ms')} -1 as log.retention.ms value is set as 604800000."),
        ),
        (
            {"log.local.retention.ms": MOST},
            wrapped(
                f"{LOCAL.format(MOST, 'ms')} more than log.retention.ms property value: 604800000"
            ),
        ),
        (
            {"log.retention.ms": "1000", "log.local.retention.ms": "2000"},
            wrapped(f"{LOCAL.format(2000, 'ms')} more than log.retention.ms property value: 1000"),
        ),
        ({"log.retention.ms": "-1", "log.local.retention.ms": "-1"}, TAKEN),
        (
            {"log.retention.bytes": "1000", "log.local.retention.bytes": "-1"},
            wrapped(f"{LOCAL.format(-1, 'bytes')} -1 as log.retention.bytes value is set as 1000."),
        ),
        (
            {"log.remote.copy.lag.ms": MOST},
            wrapped(
                f"{LAG.format(MOST, 'ms')} log.local.retention.ms (effective value: 604800000)"
            ),
        ),
        (
            {
                "log.retention.ms": "-1",
                "log.local.retention.ms": "5000",
                "log.remote.copy.lag.ms": "6000",
            },
            wrapped(f"{LAG.format(6000, 'ms')} log.local.retention.ms (effective value: 5000)"),
        ),
        (
            {
                "log.retention.bytes": "1000",
                "log.local.retention.bytes": "1000",
                "log.remote.copy.lag.bytes": "1001",
            },
            wrapped(
                f"{LAG.format(1001, 'bytes')} log.local.retention.bytes (effective value: 1000)"
            ),
        ),
        (
            {"min.insync.replicas": "0"},
            refused(
                "Invalid value 0 for configuration min.insync.replicas: Value must be at least 1"
            ),
        ),
        (
            {"num.io.threads": "17"},
            threads("num.io.threads", 17, "not be greater than double the current value 8"),
        ),
        (
            {"num.io.threads": "3"},
            threads("num.io.threads", 3, "be at least half the current value 8"),
        ),
        ({"num.io.threads": "16"}, TAKEN),
        ({"num.io.threads": "4"}, TAKEN),
        (
            {"remote.log.manager.copier.thread.pool.size": "1"},
            threads(
                "remote.log.manager.copier.thread.pool.size",
                1,
                "be at least half the current value 10",
            ),
        ),
        (
            {"log.cleaner.threads": "3"},
            wrapped(
                "Log cleaner threads cannot be increased to more than double the current value 1"
            ),
        ),
        # What each part of the server says comes in this order.
        (
            {"num.io.threads": "17", "max.connections": "0"},
            wrapped("Invalid max.connections 0"),
        ),
        (
            {"log.cleaner.threads": "9", "log.local.retention.ms": "-1"},
            wrapped(f"{LOCAL.format(-1, 'ms')} -1 as log.retention.ms value is set as 604800000."),
        ),
        (
            {"log.roll.ms": "0", "group.consumer.assignment.interval.ms": "15001"},
            refused(
                "group.consumer.assignment.interval.ms must be less than or equal to"
                " group.consumer.max.assignment.interval.ms"
            ),
        ),
        ({"metric.reporters": "no.such.Class"}, reporters("metric.reporters")),
        ({"metric.reporters": f"{JMX},no.such"}, reporters("metric.reporters")),
        (
            {"log.roll.ms": "7", "message.max.bytes": "1048588", "metric.reporters": "x"},
            reporters("metric.reporters", "message.max.bytes", "log.roll.ms"),
        ),
        (
            {"num.io.threads": "100", "log.cleaner.threads": "9", "metric.reporters": "x"},
            reporters("metric.reporters", "num.io.threads", "log.cleaner.threads"),
        ),
        (
            {"metric.reporters": "x", "num.network.threads": "100"},
            threads("num.network.threads", 100, "not be greater than double the current value 3"),
        ),
        ({"metric.reporters": ""}, TAKEN),
        ({"metric.reporters": f" {JMX} "}, TAKEN),
        ({"metric.reporters": f"{JMX},{JMX}"}, twice("metric.reporters")),
        ({"log.cleanup.policy": "delete,delete"}, twice("log.cleanup.policy")),
        (
            {"log.cleanup.policy": "a,,b"},
            refused(
                "Invalid value a for configuration log.cleanup.policy: String must be one of:"
                " compact, delete"
            ),
        ),
        (
            {"log.cleanup.policy": "delete,"},
            refused("Configuration 'log.cleanup.policy' values must not be empty."),
        ),
        ({"config.providers": "a,,a"}, TAKEN),
        ({"ssl.engine.factory.class": "nosuch"}, no_class("ssl.engine.factory.class", "nosuch")),
        ({"principal.builder.class": "nosuch"}, no_class("principal.builder.class", "nosuch")),
        ({"principal.builder.class": " nosuch "}, no_class("principal.builder.class", " nosuch ")),
        ({"principal.builder.class": ""}, no_class("principal.builder.class", "")),
        (
            {"listener.name.x.principal.builder.class": "nosuch"},
            no_class("principal.builder.class", "nosuch"),
        ),
        ({"listener.name.x.ssl.cipher.suites": "a,a"}, twice("ssl.cipher.suites")),
        ({"listeners": ","}, twice("listeners")),
        (
            {"listeners": " "},
            refused(
                "Configuration 'listeners' must not be empty. Valid values include: any non-empty"
                " value"
            ),
        ),
        (
            {"sasl.login.refresh.buffer.seconds": "x"},
            refused(
                "Invalid value x for configuration sasl.login.refresh.buffer.seconds: Not a number"
                " of type SHORT"
            ),
        ),
    ],
    ids=str,
)
def test_values_are_looked_at_together(node, values, answer, validate_only):
    assert altered(Scene(), node, values, validate_only=validate_only) == answer


CORDONED = "requirement failed: All entries in cordoned.log.dirs must be present in log.dirs or"
MISSING = f"{CORDONED} log.dir. Missing entries :"
STARTED = {
    "advertised.listeners": "PLAINTEXT://127.0.0.1:9092",
    "controller.listener.names": "CONTROLLER",
    "listener.security.protocol.map": "PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT",
    "listeners": "PLAINTEXT://127.0.0.1:9092,CONTROLLER://127.0.0.1:9093",
    "log.dirs": "/kafka/data",
}
NO_CONTROLLER = refused(
    "requirement failed: controller.listener.names must contain at least one value appearing in the"
    " 'listeners' configuration when running the KRaft controller role"
)


LINES = STARTED["listeners"].split(",")
MAP = "listener.security.protocol.map"


def of_listeners(text, *lines):
    listed = ", ".join(lines)
    text = text.replace("LISTED", f"listeners: [{listed}]")
    return refused(f"Error creating broker listeners from '[{listed}]': {text}")


@pytest.mark.parametrize(
    ("values", "answer"),
    [
        ({"cordoned.log.dirs": "/nosuch"}, refused(f"{MISSING} /nosuch")),
        ({"cordoned.log.dirs": " /b , /a "}, refused(f"{MISSING} /b, /a")),
        ({"cordoned.log.dirs": "/kafka/data,/nosuch"}, refused(f"{MISSING} /nosuch")),
        ({"cordoned.log.dirs": "/kafka/data/"}, refused(f"{MISSING} /kafka/data/")),
        ({"cordoned.log.dirs": "/kafka/data"}, TAKEN),
        # Where the logs are here, as DescribeLogDirs says.
        ({"cordoned.log.dirs": "/memory"}, TAKEN),
        ({"cordoned.log.dirs": "*"}, TAKEN),
        ({"cordoned.log.dirs": ""}, TAKEN),
        (
            {"cordoned.log.dirs": "/nosuch,*"},
            refused(
                "requirement failed: When cordoned.log.dirs is set to *, it must not contain other"
                " values"
            ),
        ),
        ({"cordoned.log.dirs": "/nosuch", "log.roll.ms": "0"}, refused(ROLL)),
        ({"cordoned.log.dirs": "/nosuch", "log.cleaner.threads": "0"}, refused("/ by zero")),
        (
            {"cordoned.log.dirs": "/nosuch", "max.connections.per.ip": "0"},
            refused(f"{MISSING} /nosuch"),
        ),
        ({"cordoned.log.dirs": "/nosuch", "listeners": "PLAINTEXT://:1"}, NO_CONTROLLER),
        ({"listeners": "PLAINTEXT://:1"}, NO_CONTROLLER),
        ({"listeners": "plaintext://:99999"}, NO_CONTROLLER),
        ({"listeners": "PLAINTEXT://:1", "log.roll.ms": "0"}, refused(ROLL)),
        ({"listeners": "PLAINTEXT://:1,CONTROLLER://:2"}, TAKEN),
        ({"listeners": "PLAINTEXT://:0,CONTROLLER://:0"}, TAKEN),
        ({"listeners": "PLAINTEXT://[::1]:5,CONTROLLER://127.0.0.1:5"}, TAKEN),
        (
            {"listeners": "CONTROLLER://:1"},
            refused(
                "requirement failed: advertised.listeners listener names must be equal to or a"
                " subset of the ones defined in listeners. Found PLAINTEXT. The valid options based"
                " on the current configuration are CONTROLLER"
            ),
        ),
        (
            {"listeners": "x", "log.roll.ms": "0"},
            of_listeners("Unable to parse x to a broker endpoint", "x"),
        ),
        (
            {"listeners": "SSL://:5,PLAINTEXT://:1"},
            of_listeners(
                "No security protocol defined for listener SSL", "SSL://:5", "PLAINTEXT://:1"
            ),
        ),
        (
            {"listeners": "PLAINTEXT://h:5,CONTROLLER://i:5"},
            of_listeners(
                "Each listener must have a different port, LISTED",
                "PLAINTEXT://h:5",
                "CONTROLLER://i:5",
            ),
        ),
        (
            {"listeners": "PLAINTEXT://:1,PLAINTEXT://:2"},
            of_listeners(
                "Each listener must have a different name, LISTED",
                "PLAINTEXT://:1",
                "PLAINTEXT://:2",
            ),
        ),
        (
            {"listeners": "PLAINTEXT://[::1]:5,CONTROLLER://[::2]:5"},
            of_listeners(
                "If you have two listeners on the same port then one needs to be IPv4 and the other"
                " IPv6, LISTED, port: 5",
                "PLAINTEXT://[::1]:5",
                "CONTROLLER://[::2]:5",
            ),
        ),
    ],
    ids=str,
)
def test_values_of_one_node_fit_what_it_was_started_with(values, answer):
    of_one_node(values, answer)


NO_LINE = f"Error parsing configuration property '{MAP}': begin 0, end -1, length"


@pytest.mark.parametrize(
    ("text", "answer"),
    [
        ("PLAINTEXT:plaintext,CONTROLLER:PLAINTEXT", TAKEN),
        ("PLAINTEXT : PLAINTEXT , CONTROLLER : PLAINTEXT, A:B:SSL", TAKEN),
        ("X,PLAINTEXT:NOPE", refused(f"{NO_LINE} 1")),
        ("PLAINTEXT:PLAINTEXT,,CONTROLLER:SSL", refused(f"{NO_LINE} 0")),
        (":NOPE", refused("The provided listener name is null or empty string")),
        ("PLAINTEXT:", refused(f"Invalid security protocol `` defined in {MAP}")),
        ("PLAINTEXT:nope", refused(f"Invalid security protocol `nope` defined in {MAP}")),
        ("", of_listeners("No security protocol defined for listener PLAINTEXT", *LINES)),
        (
            "PLAINTEXT:PLAINTEXT,PLAINTEXT:SSL",
            of_listeners("No security protocol defined for listener CONTROLLER", *LINES),
        ),
    ],
)
def test_listeners_are_mapped_to_protocols_that_there_are(text, answer):
    of_one_node({MAP: text}, answer)


def of_one_node(values, answer):
    scene = Scene(configs=STARTED)
    assert altered(scene, "1", values) == answer
    single = ", ".join(sorted(values.keys() & {"cordoned.log.dirs", "listeners", MAP}))
    assert altered(scene, "", values) == refused(
        "Cannot update these configs at default cluster level, broker id must be specified:"
        f" [{single}]"
    )


def test_what_is_in_force_counts_and_not_what_stands_in_one_place():
    scene = Scene()
    assert altered(scene, "1", {"num.io.threads": "16"}) == TAKEN
    # The broker's own stays in force whatever is set for all.
    assert altered(scene, "", {"num.io.threads": "1000"}) == TAKEN
    assert altered(scene, "1", {"num.io.threads": "32"}) == TAKEN
    assert altered(scene, "1", {"num.io.threads": None}) == threads(
        "num.io.threads", 1000, "not be greater than double the current value 32"
    )
    assert altered(scene, "1", {"num.io.threads": "15"}) == threads(
        "num.io.threads", 15, "be at least half the current value 32"
    )
    assert altered(scene, "1", {"log.cleaner.threads": "2"}) == TAKEN
    assert altered(scene, "1", {"log.cleaner.threads": "4"}) == TAKEN
    assert altered(scene, "1", {"log.cleaner.threads": None}) == wrapped(
        "Log cleaner threads cannot be reduced to less than half the current value 4"
    )
