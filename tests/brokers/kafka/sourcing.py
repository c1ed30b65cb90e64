"""Where each configuration's value comes from, as a broker shows it: sources, synonyms, words.

`python -m tests.brokers.kafka.sourcing HOST:PORT` keeps what a new Apache Kafka shows in
`recorded/sourcing.json`: of each key of each resource, and of a topic's keys and the broker's
behind them as they are set in one place after the other.
"""

from collections.abc import Callable
from pathlib import Path
from typing import Any

from mockforge_brokers.kafka.codes import ConfigSource
from mockforge_brokers.kafka.state.configs.keys import ConfigKey
from mockforge_brokers.kafka.state.configs.topic import TOPIC_CONFIGS
from mockforge_brokers.kafka.wire.messages.configs import DescribeConfigsRequest
from mockforge_brokers.kafka.wire.schema import Message

from .asked import altered, created, described, until

RECORDED = Path(__file__).parent / "recorded" / "sourcing.json"
TOPIC = "sourcing"
RESOURCES = {
    "topic": (2, TOPIC),
    "broker": (4, "1"),
    "all brokers": (4, ""),
    "group": (32, "sourcing.g"),
    "metrics": (16, "sourcing.m"),
    "loggers": (8, "1"),
}
VALUES = {
    "cleanup.policy": "compact",
    "compression.type": "zstd",
    "message.timestamp.type": "LogAppendTime",
    "min.cleanable.dirty.ratio": "0.25",
    "min.insync.replicas": "2",
    "preallocate": "true",
    "unclean.leader.election.enable": "true",
    "max.message.bytes": "2000000",
    "segment.bytes": "20000000",
    "segment.index.bytes": "20000000",
    "index.interval.bytes": "5000",
    "max.compaction.lag.ms": "70000000",
}
"""Other values than the defaults, where 7 would not do."""
OTHERS = (
    ("group", "consumer.session.timeout.ms", "50000"),
    ("group", "share.auto.offset.reset", "earliest"),
    ("metrics", "interval.ms", "5000"),
    ("metrics", "metrics", "a.,b."),
    ("loggers", "root", "ERROR"),
    ("broker", "log.cleaner.threads", "2"),
    ("all brokers", "log.cleaner.threads", "2"),
    ("all brokers", "background.threads", "12"),
    ("broker", "num.io.threads", "9"),
    ("broker", "log.retention.hours", "2"),
    ("all brokers", "log.retention.minutes", "2"),
    ("broker", "log.roll.hours", "2"),
    ("broker", "sasl.jaas.config", "a secret"),
    ("broker", "of.nobody", "x"),
)
Call = Callable[[Message, int], Any]


def _asked(kind: str, keys: list[str] | None) -> DescribeConfigsRequest:
    request: DescribeConfigsRequest = described(*RESOURCES[kind], keys)
    request.include_synonyms = request.include_documentation = True
    return request


def shown(call: Call, kind: str, keys: list[str] | None = None) -> dict[str, list[Any]]:
    """Of each key: value, source, type, read-only, sensitive, whether it has words, synonyms.

    What was given at the start hangs on where the broker stands: its value is left out.
    """
    (result,) = call(_asked(kind, keys), 4).results
    assert result.error_code == 0, result.error_message
    return {
        one.name: [
            _level(one.value, one.config_source),
            one.config_source,
            one.config_type,
            one.read_only,
            one.is_sensitive,
            bool(one.documentation),
            [[each.name, _level(each.value, each.source), each.source] for each in one.synonyms],
        ]
        for one in sorted(result.configs, key=lambda one: one.name)
        if kind != "loggers" or one.name == "root"
    }


def _level(value: str | None, source: int) -> str | None:
    return "given" if value and source == ConfigSource.STATIC_BROKER_CONFIG else value


def _set(call: Call, kind: str, name: str, value: str | None) -> list[Any]:
    """Code and text; None takes it back."""
    number, resource = RESOURCES[kind]
    request = altered(resource, {name: value}, 0 if value is not None else 1, kind=number)
    request.validate_only = False
    (answer,) = call(request, 1).responses
    return [answer.error_code, answer.error_message]


def _changed(call: Call, kind: str, name: str, value: str | None) -> list[Any]:
    """Set it, and wait until it is shown: a broker hears of it from the controller."""
    before = shown(call, kind, [name])
    said = _set(call, kind, name, value)
    if not said[0] and not (kind == "loggers" and before[name][0] == value):
        try:
            until(lambda: shown(call, kind, [name]) != before)
        except AssertionError:
            print("NOT SHOWN", kind, name, value, before)
    return said


def play(call: Call) -> dict[str, Any]:
    call(created(TOPIC, dry=False), 5)
    until(lambda: not call(_asked("topic", None), 4).results[0].error_code)
    said: dict[str, Any] = {
        f"{kind}: {name}": one for kind in RESOURCES for name, one in shown(call, kind).items()
    }
    for key in TOPIC_CONFIGS.values():
        said |= _in_each_place(call, key)
    for kind, name, value in OTHERS:
        what = f"{name}={value} of {kind} alone"
        code, text = _changed(call, kind, name, value)
        if code:
            said[what] = [code, text]
            continue
        said[what] = shown(call, kind, [name])
        if kind != "loggers":
            said[f"{what}, retention"] = shown(call, "topic", ["retention.ms", "segment.ms"])
        _changed(call, kind, name, "INFO" if kind == "loggers" else None)
    return said


def _in_each_place(call: Call, key: ConfigKey) -> dict[str, Any]:
    """Of a topic's key as it is set of the topic, then of all brokers, then of this one too."""
    said: dict[str, Any] = {}
    value, taken = VALUES.get(key.name, "7"), []
    places = [("topic", key.name), ("all brokers", key.broker), ("broker", key.broker)]
    for kind, name in places if key.broker else places[:1]:
        what = f"{name}={value} of {kind}"
        code, text = _changed(call, kind, name, value)
        if code:
            said[what] = [code, text]
            continue
        taken.append((kind, name))
        said[what] = [shown(call, "topic", [key.name])]
        if key.broker:
            said[what] += [shown(call, one, [key.broker]) for one in ("broker", "all brokers")]
    for kind, name in taken:
        # Of all brokers this one may not be without a value.
        stays = (kind, name) == ("all brokers", "min.insync.replicas")
        _changed(call, kind, name, "1" if stays else None)
    return said


if __name__ == "__main__":
    from .asking import record

    record(play, RECORDED)
