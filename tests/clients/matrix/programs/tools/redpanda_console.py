"""Redpanda Console 3 beside the broker: what its pages ask for, over its own HTTP interface.

`redpanda-console` is its server without the pages themselves, which Go builds from a checkout of
redpanda-data/console, in `backend`: `go build -o redpanda-console ./cmd/api` (with
`-ldflags "-X github.com/redpanda-data/console/backend/pkg/version.Version=3.9.0"` it says which).
"""

import base64
import json
import os
import shutil
import socket
import struct
import subprocess
import sys
import tempfile
import threading
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[1] / "python"))

from checks import RUN, equal, run, until
from confluent_kafka import Consumer, TopicPartition

TOPIC = f"{RUN}-console"
KAFKAS = ("/api/consumer-groups", "/api/operations", "/api/quotas", "/api/topics")
"""What Console offers wherever the broker can do it."""
with socket.create_server(("127.0.0.1", 0)) as probe:
    PORT = probe.getsockname()[1]
SETTINGS = {
    "kafka": {"brokers": [os.environ["KAFKA_BOOTSTRAP_SERVERS"]]},
    "server": {"listenAddress": "127.0.0.1", "listenPort": PORT},
    "serveFrontend": False,
}


def sent(path: str, method: str, body: bytes | None, kind: str) -> bytes:
    request = urllib.request.Request(
        f"http://127.0.0.1:{PORT}{path}", body, {"Content-Type": kind}, method=method
    )
    try:
        with urllib.request.urlopen(request, timeout=30) as answer:
            return answer.read()
    except urllib.error.HTTPError as error:
        raise AssertionError(f"{method} {path}: {error.code} {error.read().decode()}") from None


def asked(path: str, method: str = "GET", **body: object) -> Any:
    given = json.dumps(body).encode() if body else None
    found = sent(f"/api/{path}", method, given, "application/json")
    return json.loads(found) if found else None


def called(method: str, kind: str = "json", **body: object) -> bytes:
    """A method of Connect's protocol: `SERVICE/METHOD` below `redpanda.api`."""
    given = json.dumps(body).encode()
    given = struct.pack(">BI", 0, len(given)) + given if kind.startswith("connect") else given
    return sent(f"/redpanda.api.{method}", "POST", given, f"application/{kind}")


def say(method: str, **body: object) -> Any:
    return json.loads(called(method, **body))


def messages(start: int, count: int, **more: object) -> list[dict[str, Any]]:
    """What the page of messages shows, which is a stream of envelopes."""
    wanted = {"topic": TOPIC, "startOffset": start, "partitionId": -1, "maxResults": count, **more}
    found = called("console.v1alpha1.ConsoleService/ListMessages", "connect+json", **wanted)
    shown = []
    while found:
        size = struct.unpack_from(">I", found, 1)[0]
        line = json.loads(found[5 : 5 + size])
        if "error" in line:
            raise AssertionError(line["error"])
        shown += [line["data"]] if "data" in line else []
        found = found[5 + size :]
    return shown


def text(payload: dict[str, Any]) -> str:
    return base64.b64decode(payload["normalizedPayload"]).decode()


def overview() -> None:
    found = say("console.v1alpha1.ClusterStatusService/GetKafkaInfo")
    equal(found["status"]["status"], "STATUS_TYPE_HEALTHY")
    equal((found["distribution"], found["brokersOnline"]), ("KAFKA_DISTRIBUTION_APACHE_KAFKA", 1))
    keys = {each["keyName"] for each in asked("api-versions")["apiVersions"]}
    equal({"Produce", "Fetch", "ConsumerGroupDescribe"} - keys, set(), "API keys not shown")
    (broker,) = asked("brokers")
    equal(broker["isController"], True)
    configs = asked(f"brokers/{broker['brokerId']}/config")["brokerConfigs"]
    equal("log.retention.hours" in {each["name"] for each in configs}, True)
    equal(asked("cluster")["clusterInfo"]["controllerId"], broker["brokerId"])
    offered = asked("console/endpoints")["endpointCompatibility"]["endpoints"]
    kafkas = [each for each in offered if each["endpoint"].startswith(KAFKAS)]
    equal([each["endpoint"] for each in kafkas if not each["isSupported"]], [])


def known() -> dict[str, dict[str, Any]]:
    return {each["topicName"]: each for each in asked("topics")["topics"]}


def topics() -> None:
    configs = [{"name": "retention.ms", "value": "600000"}]
    asked("topics", "POST", topicName=TOPIC, partitionCount=3, replicationFactor=1, configs=configs)
    until(lambda: TOPIC in known(), "the topic")
    equal(known()[TOPIC]["partitionCount"], 3)
    equal(len(asked(f"topics/{TOPIC}/partitions")["partitions"]), 3)
    change = [{"key": "cleanup.policy", "op": "SET", "value": "compact"}]
    asked(f"topics/{TOPIC}/configuration", "PATCH", configs=change)
    described = asked(f"topics/{TOPIC}/configuration")["topicDescription"]["configEntries"]
    shown = {each["name"]: each["value"] for each in described}
    equal((shown["retention.ms"], shown["cleanup.policy"]), ("600000", "compact"))
    asked("topics-configs")
    asked("operations/topic-details")
    equal(asked("operations/reassign-partitions")["topics"], [])
    move = [{"topicName": TOPIC, "partitions": [{"partitionId": 0, "replicas": [1]}]}]
    asked("operations/reassign-partitions", "PATCH", topics=move)


def publish(name: str, compression: int, transaction: bool) -> None:
    made = [
        {
            "key": base64.b64encode(name.encode()).decode(),
            "value": base64.b64encode(json.dumps({"n": number}).encode()).decode(),
            "headers": [{"key": "a", "value": base64.b64encode(b"1").decode()}],
            "partitionId": number % 3,
        }
        for number in range(6)
    ]
    done = asked(
        "topics-records",
        "POST",
        topicNames=[TOPIC],
        compressionType=compression,
        useTransactions=transaction,
        records=made,
    )
    equal([each.get("error") for each in done["records"]], [None] * 6)


def records() -> None:
    publish("plain", 0, False)
    publish("gzip", 1, False)
    equal(len(messages(-1, 6)), 6)
    publish("zstd", 4, True)
    oldest = messages(-2, 18)
    named = ["gzip"] * 6 + ["plain"] * 6 + ["zstd"] * 6
    equal(sorted(text(each["key"]) for each in oldest), named)
    equal({each["headers"][0]["key"] for each in oldest}, {"a"})
    equal(len(messages(-4, 18, startTimestamp="1")), 18)
    code = base64.b64encode(b"return value.n == 3").decode()
    equal(len(messages(-2, 3, filterInterpreterCode=code)), 3)
    offsets = asked(f"topics-offsets?topicNames={TOPIC}&timestamp=1")["topicOffsets"]
    equal(len(offsets[0]["partitions"]), 3)


def partitions() -> None:
    more = {"topicName": TOPIC, "partitionCount": 4}
    say("dataplane.v1.TopicService/SetTopicPartitions", **more)
    until(lambda: len(asked(f"topics/{TOPIC}/partitions")["partitions"]) == 4, "four partitions")
    found = say("dataplane.v1.TopicService/ListTopics", filter={"nameContains": TOPIC})["topics"]
    equal(found[0]["partitionCount"], 4)
    one = {"encoding": "PAYLOAD_ENCODING_TEXT", "data": base64.b64encode(b"by hand").decode()}
    place = say(
        "console.v1alpha1.ConsoleService/PublishMessage",
        topic=TOPIC,
        partitionId=3,
        key=one,
        value=one,
    )
    equal((place["partitionId"], place.get("offset", "0")), (3, "0"))
    equal([text(each["value"]) for each in messages(0, 5, partitionId=3)], ["by hand"])


def groups() -> None:
    name = f"{RUN}-console"
    member = Consumer(
        {"bootstrap.servers": os.environ["KAFKA_BOOTSTRAP_SERVERS"], "group.id": name}
    )
    member.commit(offsets=[TopicPartition(TOPIC, 0, 1)], asynchronous=False)
    member.close()
    places = [{"partitionId": number, "offset": 0} for number in range(3)]
    chosen = [{"topicName": TOPIC, "partitions": places}]
    (moved,) = asked(f"consumer-groups/{name}", "PATCH", groupId=name, topics=chosen)["topics"]
    # Console names topics in a version that goes by their ids alone: Apache Kafka refuses it, too.
    told = {each.get("error", "").split(":")[0] for each in moved["partitions"]}
    equal(told <= {"", "UNKNOWN_TOPIC_ID"}, True, f"offsets set: {told}")
    shown = {each["groupId"]: each for each in asked("consumer-groups")["consumerGroups"]}
    equal(shown[name]["topicOffsets"][0]["summedLag"] >= 6, True, "lag")
    asked(f"consumer-groups/{name}")
    readers = asked(f"topics/{TOPIC}/consumers")["topicConsumers"]
    equal([each["groupId"] for each in readers], [name])
    some = [{"topicName": TOPIC, "partitions": [{"partitionId": 0}]}]
    asked(f"consumer-groups/{name}/offsets", "DELETE", groupId=name, topics=some)
    asked(f"consumer-groups/{name}", "DELETE")


def quotas() -> None:
    service = "dataplane.v1.QuotaService"
    entity = {"entityType": "ENTITY_TYPE_CLIENT_ID", "entityName": f"{RUN}-console"}
    rate = {"valueType": "VALUE_TYPE_PRODUCER_BYTE_RATE", "value": 5_000_000}
    say(f"{service}/SetQuota", entity=entity, value=rate)
    shown = [{"entity": entity, "values": [rate]}]
    until(lambda: say(f"{service}/ListQuotas", filter=entity).get("quotas") == shown, "the quota")
    say(f"{service}/DeleteQuota", entity=entity, valueType=rate["valueType"])
    until(lambda: say(f"{service}/ListQuotas", filter=entity) == {}, "the quota goes")


def users() -> None:
    service, name = "dataplane.v1.UserService", f"{RUN}-console"
    user = {"name": name, "password": "secret", "mechanism": "SASL_MECHANISM_SCRAM_SHA_256"}
    say(f"{service}/CreateUser", user=user)
    shown = lambda: {each["name"] for each in say(f"{service}/ListUsers").get("users", ())}  # noqa: E731
    until(lambda: name in shown(), "the user")
    say(f"{service}/DeleteUser", name=name)
    until(lambda: name not in shown(), "the user goes")


def access() -> None:
    every = "resourceType=Any&resourcePatternTypeFilter=Any&operation=Any&permissionType=Any"
    equal(asked(f"acls?{every}")["isAuthorizerEnabled"], False)


def removal() -> None:
    end = asked(f"topics/{TOPIC}/partitions")["partitions"]
    places = [{"partitionId": each["id"], "offset": each["waterMarkHigh"]} for each in end]
    asked(f"topics/{TOPIC}/records", "DELETE", partitions=places)
    until(lambda: messages(-1, 1) == [], "records go")
    asked(f"topics/{TOPIC}", "DELETE")
    until(lambda: TOPIC not in known(), "it goes")


folder = tempfile.mkdtemp(prefix="console-")
(Path(folder) / "console.yaml").write_text(json.dumps(SETTINGS))
process = subprocess.Popen(
    ["redpanda-console", f"-config.filepath={folder}/console.yaml"],
    stdout=subprocess.PIPE,
    stderr=subprocess.STDOUT,
    text=True,
)
assert process.stdout is not None
lines: list[str] = []
for line in process.stdout:
    lines.append(line)
    if "Server listening" in line:
        break
else:
    raise SystemExit(f"redpanda-console ended: {''.join(lines[-3:])}")
# Read on, or it would come to wait for room in the pipe.
threading.Thread(target=process.stdout.read, daemon=True).start()


def end() -> None:
    process.kill()
    shutil.rmtree(folder)


run(
    "Redpanda Console",
    say("console.v1alpha1.ClusterStatusService/GetConsoleInfo")["version"],
    {
        "overview": overview,
        "topics": topics,
        "records": records,
        "partitions": partitions,
        "groups": groups,
        "quotas": quotas,
        "users": users,
        "access": access,
        "removal": removal,
    },
    last=end,
)
