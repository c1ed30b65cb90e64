"""A real Apache Kafka, of one node or several, where Java is and its jars are or can be fetched."""

import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from zlib import crc32

from .common import Port, Skipped, Subject, free_port, wait_for_port

VERSION = "4.4.0"
_POM = f"""<project xmlns="http://maven.apache.org/POM/4.0.0"><modelVersion>4.0.0</modelVersion>
<groupId>x</groupId><artifactId>x</artifactId><version>1</version><dependencies>
<dependency><groupId>org.apache.kafka</groupId><artifactId>kafka_2.13</artifactId>
<version>{VERSION}</version></dependency>
<dependency><groupId>org.apache.kafka</groupId><artifactId>kafka-streams</artifactId>
<version>{VERSION}</version></dependency>
<dependency><groupId>org.apache.kafka</groupId><artifactId>kafka-tools</artifactId>
<version>{VERSION}</version></dependency></dependencies></project>
"""
_PROPERTIES = """process.roles=broker,controller
node.id=1
controller.quorum.voters=1@127.0.0.1:{controller}
listeners=PLAINTEXT://127.0.0.1:{port},CONTROLLER://127.0.0.1:{controller}
advertised.listeners=PLAINTEXT://127.0.0.1:{port}
controller.listener.names=CONTROLLER
listener.security.protocol.map=PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT
log.dirs={folder}/data
num.partitions=1
auto.create.topics.enable=true
offsets.topic.replication.factor=1
transaction.state.log.replication.factor=1
transaction.state.log.min.isr=1
transaction.state.log.num.partitions=4
group.initial.rebalance.delay.ms=0
group.consumer.assignment.interval.ms=0
"""


def jars() -> Path:
    """The folder of Kafka's jars (`KAFKA_LIB`, or fetched once by Maven); raises Skipped."""
    if shutil.which("java") is None:
        raise Skipped("Apache Kafka: no java")
    given = os.environ.get("KAFKA_LIB")
    # Named by what is asked for: another list of jars is another folder.
    name = f"{VERSION}-{crc32(_POM.encode()):08x}"
    folder = Path(given) if given else Path.home() / ".cache" / "mockforge-benchmarks" / name
    if not list(folder.glob("kafka_2.13-*.jar")):
        if given or shutil.which("mvn") is None:
            raise Skipped(f"Apache Kafka: no jars in {folder}, and no Maven to fetch them")
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "pom.xml").write_text(_POM)
        fetched = subprocess.run(
            ["mvn", "-q", "-B", "dependency:copy-dependencies", f"-DoutputDirectory={folder}"],
            cwd=folder,
            capture_output=True,
            text=True,
            check=False,
            timeout=600,
        )
        if fetched.returncode:
            raise Skipped(f"Apache Kafka: Maven: {fetched.stdout.strip()[:200]}")
    return folder


SECURED = """listeners=SASL_PLAINTEXT://127.0.0.1:{port},CONTROLLER://127.0.0.1:{controller}
advertised.listeners=SASL_PLAINTEXT://127.0.0.1:{port}
listener.security.protocol.map=SASL_PLAINTEXT:SASL_PLAINTEXT,CONTROLLER:PLAINTEXT
sasl.enabled.mechanisms=PLAIN
sasl.mechanism.inter.broker.protocol=PLAIN
security.inter.broker.protocol=SASL_PLAINTEXT
authorizer.class.name=org.apache.kafka.metadata.authorizer.StandardAuthorizer
super.users=User:admin;User:ANONYMOUS
listener.name.sasl_plaintext.plain.sasl.jaas.config=\
org.apache.kafka.common.security.plain.PlainLoginModule required username="admin" \
password="admin" user_admin="admin" user_alice="secret";
"""
"""With an authorizer, a super user (admin, password admin) and alice (password secret)."""


def apache_kafka(more: str = "") -> Subject:
    """On all cores: it can use them. `more` are further lines of its properties."""
    jars()

    @contextmanager
    def start() -> Iterator[int]:
        with tempfile.TemporaryDirectory(prefix="kafka-") as folder:
            port = free_port()
            node = Node(1, port, Path(folder))
            node.format(
                (_PROPERTIES + more).format(port=port, controller=free_port(), folder=folder)
            )
            node.start()
            try:
                node.wait()
                assert node.process is not None
                yield Port.of(port, node.process.pid)
            finally:
                node.stop()

    return Subject("Apache Kafka", VERSION, start)


@dataclass(slots=True)
class Node:
    """One server in a folder of its own, which it keeps over a restart."""

    node_id: int
    port: int
    folder: Path
    memory: str = "700m"
    process: "subprocess.Popen[bytes] | None" = None

    def format(self, properties: str) -> None:
        """Once, before the first start. Raises Skipped."""
        self._properties.write_text(properties)
        made = subprocess.run(
            [
                *self._java,
                *("kafka.tools.StorageTool", "format", "--ignore-formatted"),
                *("-t", "MkU3OEVBNTcwNTJENDM2Qk", "-c", str(self._properties)),
            ],
            capture_output=True,
            text=True,
            check=False,
        )
        if made.returncode:
            raise Skipped(f"Apache Kafka: {made.stderr.strip()[-200:]}")

    def start(self) -> None:
        with (self.folder / "output").open("a") as output:
            self.process = subprocess.Popen(
                [*self._java, "kafka.Kafka", str(self._properties)], stdout=output, stderr=output
            )

    def wait(self) -> None:
        """Until it listens, for which several nodes need each other."""
        try:
            wait_for_port(self.port, 300)
        except Skipped as reason:
            last = (self.folder / "output").read_text()[-300:]
            raise Skipped(f"Apache Kafka, node {self.node_id}: {reason}: {last}") from None

    def stop(self) -> None:
        """In order: what it leads is led by others first."""
        if self.process is None:
            return
        self.process.terminate()
        try:
            self.process.wait(30)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        self.process = None

    @property
    def _properties(self) -> Path:
        return self.folder / "server.properties"

    @property
    def _java(self) -> list[str]:
        return ["java", "-Xms128m", f"-Xmx{self.memory}", "-cp", f"{jars()}/*"]


# Without retention: what scenarios write is of 1970, and a slow start would delete it.
_SEVERAL = """node.id={node}
controller.quorum.voters={voters}
offsets.topic.replication.factor=3
offsets.topic.num.partitions=6
transaction.state.log.replication.factor=3
default.replication.factor=3
auto.leader.rebalance.enable=false
log.retention.ms=-1
controlled.shutdown.retry.backoff.ms=500
"""

RACKS = """broker.rack={rack}
replica.selector.class=org.apache.kafka.common.replica.RackAwareReplicaSelector
"""
"""Further lines: nodes 1, 2 and 3 are in racks a, b and c."""


@contextmanager
def apache_cluster(nodes: int = 3, more: str = "") -> Iterator[dict[int, Node]]:
    """So many nodes, by number, each broker and controller; a majority of them must be there.

    `more` are further lines of their properties.
    """
    ports = {number: (free_port(), free_port()) for number in range(1, nodes + 1)}
    voters = ",".join(f"{number}@127.0.0.1:{ports[number][1]}" for number in ports)
    with tempfile.TemporaryDirectory(prefix="kafka-") as folder:
        found = {}
        for number, (port, controller) in ports.items():
            node = found[number] = Node(number, port, Path(folder, str(number)), "300m")
            node.folder.mkdir()
            node.format(
                (_PROPERTIES + _SEVERAL + more).format(
                    port=port,
                    controller=controller,
                    folder=node.folder,
                    node=number,
                    voters=voters,
                    rack=" abcdefghi"[number],
                )
            )
        try:
            for node in found.values():
                node.start()
            for node in found.values():
                node.wait()
            yield found
        finally:
            for node in found.values():
                node.stop()
