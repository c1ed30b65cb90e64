"""A broker started with delete.topic.enable=false and room for one member in each group.

`python -m tests.brokers.kafka.limiting HOST:PORT` keeps what an Apache Kafka answers that was
started with `STARTED` in `recorded/limited.json`.
"""

from collections.abc import Callable
from pathlib import Path
from typing import Any

from mockforge_brokers.kafka.wire.codec import encode
from mockforge_brokers.kafka.wire.messages import consumer_groups, groups, topics
from mockforge_brokers.kafka.wire.schema import ZERO_UUID, Message

from .asked import created, found_coordinator, until
from .internal_topics import shown

RECORDED = Path(__file__).parent / "recorded" / "limited.json"
STARTED = {"delete.topic.enable": "false", "group.max.size": "1", "group.consumer.max.size": "1"}
TOPIC = "limited"
Call = Callable[[Message, int], Any]


def _join(call: Call, group: str, member_id: str = "", instance: str | None = None) -> list[Any]:
    """Code, generation, and whether an id was given."""
    wish = b"\0\0" + encode(groups.ConsumerProtocolSubscription(topics=[TOPIC]), 0)
    request = groups.JoinGroupRequest(
        group_id=group,
        session_timeout_ms=10_000,
        rebalance_timeout_ms=10_000,
        member_id=member_id,
        group_instance_id=instance,
        protocol_type="consumer",
        protocols=[groups.JoinGroupRequestProtocol(name="range", metadata=wish)],
    )
    answer = call(request, 9)
    return [answer.error_code, answer.generation_id, answer.member_id]


def _beat(call: Call, group: str, member: str, epoch: int = 0, **more: Any) -> list[Any]:
    request = consumer_groups.ConsumerGroupHeartbeatRequest(
        group_id=group,
        member_id=member,
        member_epoch=epoch,
        rebalance_timeout_ms=10_000,
        subscribed_topic_names=[TOPIC],
        topic_partitions=[],
        **more,
    )
    answer = call(request, 1)
    return [answer.error_code, answer.error_message, answer.member_epoch]


def _coordinated(call: Call, group: str) -> int:
    found = call(found_coordinator(group), 3).error_code
    asked = groups.DescribeGroupsRequest(groups=[group])
    return found or call(asked, 5).groups[0].error_code


def _without_id(answer: list[Any]) -> list[Any]:
    return [*answer[:2], bool(answer[2])]


def _deleted(
    call: Call, version: int, *, name: str | None = TOPIC, topic_id: bytes = ZERO_UUID
) -> Any:
    one = topics.DeleteTopicState(name=name, topic_id=topic_id)
    request = topics.DeleteTopicsRequest(topics=[one], topic_names=[name], timeout_ms=5000)
    (answer,) = call(request, version).responses
    return [answer.name, answer.topic_id == ZERO_UUID, answer.error_code, answer.error_message]


def deletions(call: Call) -> dict[str, Any]:
    call(created(TOPIC, dry=False), 5)
    until(lambda: call(shown(TOPIC), 12).topics[0].error_code == 0)
    topic_id = bytes(call(shown(TOPIC), 12).topics[0].topic_id)
    said = {f"delete v{version}": _deleted(call, version) for version in range(1, 7)}
    said["delete one that is not there"] = _deleted(call, 6, name="no.such")
    said["delete by id"] = _deleted(call, 6, name=None, topic_id=topic_id)
    said["it is still there"] = call(shown(TOPIC), 12).topics[0].error_code
    return said


def members(call: Call) -> dict[str, Any]:
    said: dict[str, Any] = {}
    for group in ("classic", "static", "consumer"):
        # Kafka's coordinators are there a moment after somebody asked for them.
        until(lambda group=group: not _coordinated(call, group))
    given = _join(call, "classic")
    said["the first joins"] = _without_id(given)
    joined = _join(call, "classic", given[2])
    said["the first joins by its id"] = _without_id(joined)
    said["another one joins"] = _without_id(_join(call, "classic"))
    said["a static one joins"] = _without_id(_join(call, "classic", "", "desk"))
    said["the first joins again"] = _without_id(_join(call, "classic", given[2]))
    said["a static one joins alone"] = _without_id(_join(call, "static", "", "desk"))
    said["the static one comes back"] = _without_id(_join(call, "static", "", "desk"))
    first = _beat(call, "consumer", "a")
    said["a consumer joins"] = first
    said["another consumer joins"] = _beat(call, "consumer", "b")
    said["another consumer of some epoch"] = _beat(call, "consumer", "b", 3)
    said["the consumer goes on"] = _beat(call, "consumer", "a", first[2])
    said["another one leaves"] = _beat(call, "consumer", "b", -1)
    said["a classic member joins consumers"] = _without_id(_join(call, "consumer"))
    said["a consumer joins the classic one"] = _beat(call, "classic", "c")
    return said


def play(call: Call) -> dict[str, Any]:
    return {**deletions(call), **members(call)}


if __name__ == "__main__":
    from .asking import record

    record(play, RECORDED)
