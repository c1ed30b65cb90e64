"""Apache Kafka's own clients and tools, from the jars of the server that the benchmarks run."""

import os
import shutil
import subprocess
from pathlib import Path

import pytest
from benchmarks.common import Skipped
from benchmarks.kafka_apache import jars
from mockforge_brokers.kafka.records import Record, build_batch

from mockforge_tui import MockForge

from .conftest import Servers

pytestmark = [pytest.mark.client, pytest.mark.slow, pytest.mark.timeout(200)]

JAVA = Path(__file__).with_name("java")


@pytest.fixture(scope="module")
def classes() -> str:
    if shutil.which("java") is None:
        pytest.skip("no java on this machine")
    try:
        return f"{jars()}/*"
    except Skipped as reason:
        pytest.skip(str(reason))


def run(servers: Servers, classes: str, *arguments: str, **more: str) -> str:
    """The output of a Java program that must succeed."""
    bootstrap = f"127.0.0.1:{servers.ports['kafka']}"
    done = subprocess.run(
        ["java", "-Xmx256m", "-XX:TieredStopAtLevel=1", "-cp", classes, *arguments],
        env={**os.environ, "KAFKA_BOOTSTRAP_SERVERS": bootstrap, **more},
        capture_output=True,
        text=True,
        timeout=150,
        check=False,
    )
    assert done.returncode == 0, f"{done.stdout}\n{done.stderr[-4000:]}"
    return done.stdout


def tool(servers: Servers, classes: str, name: str, *arguments: str) -> list[list[str]]:
    """The words of each line that one of Kafka's command line tools prints."""
    bootstrap = f"127.0.0.1:{servers.ports['kafka']}"
    shown = run(
        servers,
        classes,
        f"org.apache.kafka.tools.{name}",
        "--bootstrap-server",
        bootstrap,
        *arguments,
    )
    return [line.split() for line in shown.splitlines()]


def test_assignors_go_by_the_racks_of_nodes_and_by_new_ones(classes: str) -> None:
    """KIP-881: the assignor is the client's own, and sees the racks in the broker's answers."""
    with MockForge(kafka_nodes=3, kafka_racks=("a", "b", "c")) as running:
        bootstrap = running.kafka.bootstrap
        with subprocess.Popen(
            ["java", "-Xmx256m", "-XX:TieredStopAtLevel=1", "-cp", classes, JAVA / "Racks.java"],
            env={**os.environ, "KAFKA_BOOTSTRAP_SERVERS": bootstrap},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        ) as consumers:
            assert consumers.stdin is not None
            assert consumers.stdout is not None
            for _ in ("RangeAssignor", "CooperativeStickyAssignor"):
                for said, racks in (("settled", "cab"), ("settled anew", "abc")):
                    line = consumers.stdout.readline().strip()
                    assert line == said, consumers.stderr and consumers.stderr.read()[-2000:]
                    for node, rack in enumerate(racks, 1):
                        running.run(f"node rack {node} {rack}")
                    consumers.stdin.write("go on\n")
                    consumers.stdin.flush()
            assert consumers.stdout.readline() == "ok\n"


def test_transactions_of_version_2(servers: Servers, classes: str) -> None:
    assert run(servers, classes, str(JAVA / "Transactions.java")) == "ok\n"


@pytest.mark.parametrize("guarantee", ["exactly_once_v2", "at_least_once"])
def test_streams_count_words(servers, classes, guarantee, tmp_path):
    if not list(Path(classes).parent.glob("kafka-streams-*.jar")):
        pytest.skip("Kafka Streams is not among the jars")
    shown = run(
        servers, classes, str(JAVA / "Exactly.java"), guarantee, STREAMS_STATE=str(tmp_path)
    )
    assert shown.endswith("ok {milk=200, tea=100}\n")


def test_the_tool_for_transactions_finds_and_aborts_one_that_hangs(servers, classes):
    broker = servers.brokers["kafka"]
    batch = build_batch(
        [Record(0, 1000, None, b"v")],
        producer_id=77,
        producer_epoch=3,
        base_sequence=0,
        transactional=True,
    )

    def hang():
        broker.create_topic("java.hangs", 1)
        log = broker.cluster.topics["java.hangs"].logs[0]
        broker.cluster.append(log, batch, begin=lambda log, header: None)
        return log

    log = servers.call(hang)
    place = ["--topic", "java.hangs", "--partition", "0"]
    found = tool(servers, classes, "TransactionsCommand", "find-hanging", "--broker-id", "1")
    assert [line[:6] for line in found[1:]] == [["java.hangs", "0", "77", "3", "-1", "0"]]
    producers = tool(servers, classes, "TransactionsCommand", "describe-producers", *place)
    assert producers[1][0] == "77"
    tool(servers, classes, "TransactionsCommand", "abort", *place, "--start-offset", "0")
    assert log.last_stable_offset == 2
    found = tool(servers, classes, "TransactionsCommand", "find-hanging", "--broker-id", "1")
    assert found[1:] == []


def test_clients_push_the_metrics_that_the_tool_asks_for(servers: Servers, classes: str) -> None:
    servers.run("pub kafka:measured 1")
    chosen = ("--metrics", "org.apache.kafka.consumer.", "--interval", "100")
    reading = ("--topic", "measured", "--from-beginning", "--max-messages", "1")
    tool(servers, classes, "ClientMetricsCommand", "--alter", "--name", "lag", *chosen)
    try:
        assert ["lag"] in tool(servers, classes, "ClientMetricsCommand", "--list")
        tool(servers, classes, "consumer.ConsoleConsumer", *reading)
        pushed = [row for row in servers.run("telemetry ls").data if row["pushes"]]
        assert [row["software"].split()[0] for row in pushed] == ["apache-kafka-java"]
        assert servers.run(f"telemetry show {pushed[0]['instance']}").data
    finally:
        servers.run("telemetry rm lag")
