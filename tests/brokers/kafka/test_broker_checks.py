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


def threads(name, value, text):
    said = f"Dynamic thread count update validation failed for {name}={value}, value should {text}"
    return wrapped(said)


BUFFER = (
    "requirement failed: log.cleaner.dedupe.buffer.size must be at least 1MB per cleaner thread."
)
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
    ],
    ids=str,
)
def test_values_are_looked_at_together(node, values, answer, validate_only):
    assert altered(Scene(), node, values, validate_only=validate_only) == answer


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
