"""A real Apache Kafka of one node, where Java and its jars are here or Maven can fetch them."""

import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
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
    classes = f"{jars()}/*"

    @contextmanager
    def start() -> Iterator[int]:
        with tempfile.TemporaryDirectory(prefix="kafka-") as folder:
            port = free_port()
            properties = Path(folder, "server.properties")
            properties.write_text(
                (_PROPERTIES + more).format(port=port, controller=free_port(), folder=folder)
            )
            java = ["java", "-Xms256m", "-Xmx700m", "-cp", classes]
            storage = [*java, "kafka.tools.StorageTool", "format", "--ignore-formatted"]
            made = subprocess.run(
                [*storage, "-t", "MkU3OEVBNTcwNTJENDM2Qk", "-c", str(properties)],
                capture_output=True,
                text=True,
                check=False,
            )
            if made.returncode:
                raise Skipped(f"Apache Kafka: {made.stderr.strip()[-200:]}")
            with Path(folder, "output").open("w") as output:
                process = subprocess.Popen(
                    [*java, "kafka.Kafka", str(properties)], stdout=output, stderr=output
                )
            try:
                wait_for_port(port, 60)
                yield Port.of(port, process.pid)
            finally:
                process.terminate()
                try:
                    process.wait(15)
                except subprocess.TimeoutExpired:
                    process.kill()
                    process.wait()

    return Subject("Apache Kafka", VERSION, start)
