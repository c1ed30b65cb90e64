"""Redpanda Console beside the broker: what its pages ask for, over its own HTTP interface."""

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


def messages(start: int, count: int, **more: object) -> list[dict[str, Any]]:
    """What the page of messages shows, which is a stream of envelopes (Connect's protocol)."""
    wanted = {"topic": TOPIC, "startOffset": start, "partitionId": -1, "maxResults": count, **more}
    body = json.dumps(wanted).encode()
    path = "/redpanda.api.console.v1alpha1.ConsoleService/ListMessages"
    found = sent(path, "POST", struct.pack(">BI", 0, len(body)) + body, "application/connect+json")
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
    found = asked("cluster/overview")["kafka"]
    equal(found["status"], "HEALTHY")
    equal(found["brokersOnline"], 1)
    keys = {each["keyName"] for each in asked("api-versions")["apiVersions"]}
    equal({"Produce", "Fetch", "ConsumerGroupDescribe"} - keys, set(), "API keys not shown")
    (broker,) = asked("brokers")
    equal(broker["isController"], True)
    configs = asked(f"brokers/{broker['brokerId']}/config")["brokerConfigs"]
    equal("log.retention.hours" in {each["name"] for each in configs}, True)
    equal(asked("cluster")["clusterInfo"]["controllerId"], broker["brokerId"])
    asked("console/endpoints")


def topics() -> None:
    configs = [{"name": "retention.ms", "value": "600000"}]
    asked("topics", "POST", topicName=TOPIC, partitionCount=3, replicationFactor=1, configs=configs)
    found = {each["topicName"]: each for each in asked("topics")["topics"]}
    equal(found[TOPIC]["partitionCount"], 3)
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


def groups() -> None:
    name = f"{RUN}-console"
    member = Consumer(
        {"bootstrap.servers": os.environ["KAFKA_BOOTSTRAP_SERVERS"], "group.id": name}
    )
    member.commit(offsets=[TopicPartition(TOPIC, 0, 1)], asynchronous=False)
    member.close()
    places = [{"partitionId": number, "offset": 0} for number in range(3)]
    chosen = [{"topicName": TOPIC, "partitions": places}]
    asked(f"consumer-groups/{name}", "PATCH", groupId=name, topics=chosen)
    shown = {each["groupId"]: each for each in asked("consumer-groups")["consumerGroups"]}
    equal(shown[name]["topicOffsets"][0]["summedLag"] >= 15, True, "lag")
    asked(f"consumer-groups/{name}")
    readers = asked(f"topics/{TOPIC}/consumers")["topicConsumers"]
    equal([each["groupId"] for each in readers], [name])
    some = [{"topicName": TOPIC, "partitions": [{"partitionId": 0}]}]
    asked(f"consumer-groups/{name}/offsets", "DELETE", groupId=name, topics=some)
    asked(f"consumer-groups/{name}", "DELETE")


def access() -> None:
    every = "resourceType=Any&resourcePatternTypeFilter=Any&operation=Any&permissionType=Any"
    equal(asked(f"acls?{every}")["isAuthorizerEnabled"], False)
    asked("quotas")


def removal() -> None:
    end = asked(f"topics/{TOPIC}/partitions")["partitions"]
    places = [{"partitionId": each["id"], "offset": each["waterMarkHigh"]} for each in end]
    asked(f"topics/{TOPIC}/records", "DELETE", partitions=places)
    equal(messages(-1, 1), [])
    asked(f"topics/{TOPIC}", "DELETE")
    until(lambda: TOPIC not in {each["topicName"] for each in asked("topics")["topics"]}, "it goes")


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
    asked("cluster/overview")["console"]["version"],
    {
        "overview": overview,
        "topics": topics,
        "records": records,
        "groups": groups,
        "access": access,
        "removal": removal,
    },
    last=end,
)
