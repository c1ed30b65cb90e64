"""All that a broker shows of itself: APIs, features, and each key that a resource may have.

`python -m tests.brokers.kafka.describing HOST:PORT` keeps what a new Apache Kafka shows in
`recorded/described.json`.
"""

import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from mockforge_brokers.kafka.codes import ConfigSource
from mockforge_brokers.kafka.wire.messages.cluster import ApiVersionsRequest
from mockforge_brokers.kafka.wire.schema import Message

from .asked import created, described, until

RECORDED = Path(__file__).parent / "recorded" / "described.json"
TOPIC = "described"
RESOURCES = {"topic": (2, TOPIC), "broker": (4, "1"), "group": (32, "g"), "metrics": (16, "m")}

Call = Callable[[Message, int], Any]


def versions(call: Call) -> dict[str, dict[str, Any]]:
    """By version of ApiVersions: the range of each API, and features with their levels."""
    found = {}
    for version in range(6):
        request = ApiVersionsRequest(client_software_name="x", client_software_version="1")
        answer = call(request, version)
        assert answer.error_code == 0
        found[f"v{version}"] = {
            "apis": {
                str(one.api_key): [one.min_version, one.max_version] for one in answer.api_keys
            },
            "supported": {
                one.name: [one.min_version, one.max_version] for one in answer.supported_features
            },
            "finalized": {
                one.name: [one.min_version_level, one.max_version_level]
                for one in answer.finalized_features
            },
        }
    return found


def keys(call: Call, kind: int, name: str, wanted: list[str] | None) -> dict[str, list[Any]]:
    """Of each key: type, read-only, sensitive, and the value where it is the default."""
    (result,) = call(described(kind, name, wanted), 4).results
    assert result.error_code == 0
    return {
        one.name: [
            one.config_type,
            one.read_only,
            one.is_sensitive,
            *([one.value] if one.config_source == ConfigSource.DEFAULT_CONFIG else []),
        ]
        for one in sorted(result.configs, key=lambda one: one.name)
    }


def play(call: Call) -> dict[str, Any]:
    call(created(TOPIC, dry=False), 5)
    until(lambda: not call(described(2, TOPIC, None), 4).results[0].error_code)
    return {
        "versions": versions(call),
        **{kind: keys(call, *resource, None) for kind, resource in RESOURCES.items()},
    }


def _record() -> None:
    from .asking import Asking

    host, port = sys.argv[1].rsplit(":", 1)
    with Asking(host, int(port)) as asking:
        said = play(asking.call)
    lines = [
        f"{json.dumps(kind)}: {{\n"
        + ",\n".join(f"{json.dumps(name)}: {json.dumps(one)}" for name, one in rows.items())
        + "\n}"
        for kind, rows in said.items()
    ]
    RECORDED.write_text("{\n" + ",\n".join(lines) + "\n}\n")


if __name__ == "__main__":
    _record()
