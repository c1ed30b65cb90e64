"""What Kafka asks of a broker's values beside each other and what they were, as they are altered.

First `KafkaConfig.validateValues`, then each part of the server that would take the new value
(`BrokerReconfigurable`), in the words of Apache Kafka 4.4.
"""

import re
from collections.abc import Callable, Iterable
from typing import Final

from ....errors import RequestRefused
from ...codes import ErrorCode
from ..java_maps import hash_of, in_hash_order
from .keys import split_list, unpaired
from .listener_checks import lacking, mismapped, misread

Value = Callable[[str], str]
"""The value in force of a key."""

LOG_DIR: Final = "/memory"
"""Where all logs are, as clients are told."""
_MIB: Final = 1024 * 1024
_THREADS: Final = (
    "num.recovery.threads.per.data.dir",
    "num.replica.fetchers",
    "background.threads",
    "num.io.threads",
)
"""Of each there may be twice as many, or half; in the order in which Kafka looks at them."""
_REMOTE_THREADS: Final = (
    "remote.log.reader.threads",
    "remote.log.manager.follower.thread.pool.size",
    "remote.log.manager.copier.thread.pool.size",
    "remote.log.manager.expiration.thread.pool.size",
)
_MAP: Final = "listener.security.protocol.map"
_NETWORK_THREADS: Final = "num.network.threads"
_REPORTERS: Final = "metric.reporters"
_REPORTER: Final = "org.apache.kafka.common.metrics.JmxReporter"
_MANY_LINES: Final = 256
"""The table's size of Java's map of the lines of a server.properties."""
_CLEANERS: Final = "log.cleaner.threads"
_BUFFER: Final = "log.cleaner.dedupe.buffer.size"
_OVERRIDES: Final = "max.connections.per.ip.overrides"
_INT: Final = re.compile(r"[+-]?[0-9]+")
_AS_RETAINED: Final = -2
_UNBOUNDED: Final = -1


def check_together(before: Value, after: Value, changed: Iterable[tuple[str, str]]) -> None:
    """Of what is altered; `changed` are lines of before and after. Raises RequestRefused."""

    def altered(*names: str) -> bool:
        return any(before(name) != after(name) for name in names)

    for names, requirement in _REQUIREMENTS:
        if altered(*names) and (text := requirement(after)):
            raise RequestRefused(ErrorCode.INVALID_REQUEST, text)
    _check_connections(before, after)
    _check_threads(before, after, _NETWORK_THREADS)
    if altered(_REPORTERS):
        _check_reporters(after, {name for name, _ in changed})
    _check_threads(before, after, *_THREADS)
    for unit in ("ms", "bytes"):
        if altered(_RETAINED + unit, _LOCAL + unit, _LAG + unit):
            _check_local(unit, after)
    _check_threads(before, after, *_REMOTE_THREADS, _CLEANERS)


def _check_connections(before: Value, after: Value) -> None:
    for name in ("max.connections", "max.connection.creation.rate"):
        if before(name) != after(name) and not int(after(name)):
            _refuse(f"Invalid {name} 0")


def _check_threads(before: Value, after: Value, *names: str) -> None:
    for name in names:
        if before(name) != after(name):
            _check_number(name, int(before(name)), int(after(name)))


def _check_reporters(after: Value, changed: Iterable[str]) -> None:
    """A class of Java's that is not there is reported with all that was to be altered."""
    if not set(split_list(after(_REPORTERS))) <= {_REPORTER}:
        names = ", ".join(in_hash_order(changed, hash_of, _MANY_LINES))
        _refuse(
            f"Validation of dynamic config update of Set({names}) failed with class class"
            " kafka.server.DynamicMetricsReporters"
        )


def _refuse(text: str) -> None:
    raise RequestRefused(
        ErrorCode.INVALID_REQUEST,
        f"Invalid value org.apache.kafka.common.config.ConfigException: {text} for configuration"
        " Invalid dynamic configuration",
    )


def _check_number(name: str, before: int, after: int) -> None:
    if name == _CLEANERS:
        if after < before // 2:
            _refuse(
                "Log cleaner threads cannot be reduced to less than half the current value"
                f" {before}"
            )
        if after > before * 2:
            _refuse(
                "Log cleaner threads cannot be increased to more than double the current value"
                f" {before}"
            )
        return
    text = f"Dynamic thread count update validation failed for {name}={after}, value should"
    if after < before // 2:
        _refuse(f"{text} be at least half the current value {before}")
    if after > before * 2:
        _refuse(f"{text} not be greater than double the current value {before}")


# Tiered storage: there is none here, and its values are checked all the same.

_RETAINED: Final = "log.retention."
_LOCAL: Final = "log.local.retention."
_LAG: Final = "log.remote.copy.lag."


def _check_local(unit: str, after: Value) -> None:
    retained_name, local_name, lag_name = _RETAINED + unit, _LOCAL + unit, _LAG + unit
    retained = max(_UNBOUNDED, int(after(retained_name)))
    local, lag = int(after(local_name)), int(after(lag_name))
    if retained != _UNBOUNDED and local == _UNBOUNDED:
        _refuse(
            f"Invalid value -1 for configuration {local_name}: Value must not be -1 as"
            f" {retained_name} value is set as {retained}."
        )
    if retained != _UNBOUNDED and local > retained:
        _refuse(
            f"Invalid value {local} for configuration {local_name}: Value must not be more than"
            f" {retained_name} property value: {retained}"
        )
    effective = retained if local == _AS_RETAINED else local
    if effective != _UNBOUNDED and lag > effective:
        _refuse(
            f"Invalid value {lag} for configuration {lag_name}: Value must not exceed {local_name}"
            f" (effective value: {effective})"
        )


# Requirements: their words, where they are not met.


def _rolled(after: Value) -> str:
    if int(after("log.roll.ms")) >= 1:
        return ""
    return "requirement failed: log.roll.ms must be greater than or equal to 1"


def _jittered(after: Value) -> str:
    if int(after("log.roll.jitter.ms")) >= 0:
        return ""
    return "requirement failed: log.roll.jitter.ms must be greater than or equal to 0"


def _retained(after: Value) -> str:
    if int(after("log.retention.ms")):
        return ""
    return (
        "requirement failed: log.retention.ms must be unlimited (-1) or, greater than or equal to 1"
    )


def _buffered(after: Value) -> str:
    cleaners = int(after(_CLEANERS))
    if not cleaners:
        # Kafka divides by it just so.
        return "/ by zero"
    if int(after(_BUFFER)) // cleaners > _MIB:
        return ""
    return f"requirement failed: {_BUFFER} must be at least 1MB per cleaner thread."


def _cordoned(after: Value) -> str:
    wanted = split_list(after("cordoned.log.dirs"))
    if "*" in wanted:
        alone = len(wanted) == 1
        text = "When cordoned.log.dirs is set to *, it must not contain other values"
        return "" if alone else f"requirement failed: {text}"
    there = {*split_list(after("log.dirs") or after("log.dir")), LOG_DIR}
    missing = ", ".join(one for one in wanted if one not in there)
    text = "All entries in cordoned.log.dirs must be present in log.dirs or log.dir."
    return f"requirement failed: {text} Missing entries : {missing}" if missing else ""


def _overridden(after: Value) -> str:
    """Hosts with a number each: `Csv.parseCsvMap`."""
    parts = re.split(r"\s*,\s*", text) if (text := after(_OVERRIDES)) else []
    while parts and not parts[-1]:
        parts.pop()
    if text := unpaired(_OVERRIDES, parts):
        return text
    numbers = {
        host.strip(): number.strip() for host, _, number in (p.rpartition(":") for p in parts)
    }
    for host in in_hash_order(numbers, hash_of):
        number = numbers[host]
        if not (_INT.fullmatch(number) and -(2**31) <= int(number) < 2**31):
            return f'For input string: "{number}"'
    return ""


def _connected(after: Value) -> str:
    if int(after("max.connections.per.ip")) or after(_OVERRIDES):
        return ""
    return (
        f"requirement failed: max.connections.per.ip can be set to zero only if {_OVERRIDES}"
        " property is set."
    )


def _assigned(kind: str) -> Callable[[Value], str]:
    name, most = f"group.{kind}.assignment.interval.ms", f"group.{kind}.max.assignment.interval.ms"

    def requirement(after: Value) -> str:
        fits = int(after(name)) <= int(after(most))
        return "" if fits else f"{name} must be less than or equal to {most}"

    return requirement


_REQUIREMENTS: Final[tuple[tuple[tuple[str, ...], Callable[[Value], str]], ...]] = (
    *(
        ((f"group.{kind}.assignment.interval.ms",), _assigned(kind))
        for kind in ("consumer", "share", "streams")
    ),
    ((_OVERRIDES,), _overridden),
    ((_MAP,), mismapped),
    (("listeners", _MAP), misread),
    (("log.roll.ms",), _rolled),
    (("log.roll.jitter.ms",), _jittered),
    (("log.retention.ms",), _retained),
    ((_BUFFER, _CLEANERS), _buffered),
    (("listeners",), lacking),
    (("cordoned.log.dirs",), _cordoned),
    (("max.connections.per.ip", _OVERRIDES), _connected),
)
