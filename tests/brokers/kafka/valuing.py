"""What the keys of topics and groups may be set to.

`python -m tests.brokers.kafka.valuing HOST:PORT` keeps in `recorded/valuing.json` what a new Apache
Kafka answers for each key: its answers, and to which of `VALUES` it gives each.
"""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from mockforge_brokers.kafka.state.configs.group import GROUP_CONFIGS
from mockforge_brokers.kafka.state.configs.topic import TOPIC_CONFIGS
from mockforge_brokers.kafka.wire.messages import configs
from mockforge_brokers.kafka.wire.schema import Message

from .asked import created, until

RECORDED = Path(__file__).parent / "recorded" / "valuing.json"
TOPIC, GROUP = "valuing", "valuing.g"
SET, APPEND, SUBTRACT = 0, 2, 3
VALUES = (
    *("0", "-1", "-2", "1", "7", "100000", "2147483648", str(2**63 - 1), str(2**63), "0.5", "1.5"),
    *("true", "TRUE", " true ", "no", "x", "", " 5 ", "compact,delete", "delete,delete", "none"),
    *("*", " gzip ", "a, b", "a,a", "earliest", "EARLIEST", "by_duration:PT1H", "by_duration:P1Y"),
    *("by_duration:-PT1H", "by_duration:", "by_duration:pt1.5s", " read_committed ", "sticky"),
)
EDITED = ("7", "x", "compact,delete")
TOGETHER: tuple[tuple[int, tuple[tuple[str, str], ...]], ...] = (
    (2, (("min.compaction.lag.ms", "100"), ("max.compaction.lag.ms", "10"))),
    (2, (("retention.ms", "10"), ("local.retention.ms", "20"))),
    (2, (("retention.ms", "10"), ("local.retention.ms", "-1"))),
    (2, (("remote.storage.enable", "true"), ("cleanup.policy", "compact"))),
    (32, (("streams.num.standby.replicas", "3"),)),
    (32, (("consumer.session.timeout.ms", "60001"),)),
    (32, (("share.session.timeout.ms", "44999"),)),
)

Call = Callable[[Message, int], Any]


def play(call: Call) -> Mapping[str, Any]:
    call(created(TOPIC, dry=False), 5)
    until(lambda: not _altered(call, 2, [("retention.ms", SET, "7")])[0])
    said: dict[str, Any] = {}
    for kind, keys in ((2, TOPIC_CONFIGS), (32, GROUP_CONFIGS)):
        for name in keys:
            answers = said[name] = {}
            for value in VALUES:
                answer = _worded(_altered(call, kind, [(name, SET, value)]), name, value)
                answers.setdefault(answer, []).append(value)
            for value in EDITED:
                for operation, sign in ((APPEND, "+="), (SUBTRACT, "-=")):
                    answer = _worded(_altered(call, kind, [(name, operation, value)]), name, value)
                    answers.setdefault(answer, []).append(f"{sign}{value}")
    for kind, pairs in TOGETHER:
        changes = [(name, SET, value) for name, value in pairs]
        said[", ".join(map("=".join, pairs))] = _altered(call, kind, changes)
    return said


def _worded(answer: list[Any], name: str, value: str) -> str:
    """Alike of values that are refused for the same reason."""
    code, text = answer
    if text is None:
        return "taken"
    for shown in (value, value.strip()):
        for before, after in (("value ", " for"), ("'", "'"), ("`", "`")):
            text = text.replace(f"{before}{shown}{after}", f"{before}VALUE{after}")
    return f"{code}: {text.replace(name, 'NAME')}"


def _altered(call: Call, kind: int, changes: list[tuple[str, int, str]]) -> list[Any]:
    """Code and text; nothing is altered by it."""
    resource = configs.IncrementalAlterConfigsResource(
        resource_type=kind,
        resource_name=TOPIC if kind == 2 else GROUP,
        configs=[
            configs.IncrementalAlterableConfig(name=name, config_operation=operation, value=value)
            for name, operation, value in changes
        ],
    )
    request = configs.IncrementalAlterConfigsRequest(resources=[resource], validate_only=True)
    (answer,) = call(request, 1).responses
    return [answer.error_code, answer.error_message]


if __name__ == "__main__":
    from .asking import record

    record(play, RECORDED)
