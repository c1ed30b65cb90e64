"""ACLs by Kafka's admin clients and by its own tool, and what users then may do."""

import subprocess
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from benchmarks.common import Skipped
from benchmarks.kafka_apache import jars
from confluent_kafka import ConsumerGroupTopicPartitions, KafkaError, KafkaException, Producer
from confluent_kafka.admin import (
    AclBinding,
    AclBindingFilter,
    AclOperation,
    AclPermissionType,
    AdminClient,
    ResourcePatternType,
    ResourceType,
    ScramCredentialInfo,
    ScramMechanism,
    UserScramCredentialDeletion,
    UserScramCredentialUpsertion,
)

from mockforge_tui import MockForge

from .conftest import wait_for

with warnings.catch_warnings():
    # Importing its schemas uses what Python 3.13 will not have.
    warnings.simplefilter("ignore", DeprecationWarning)
    from kafka import KafkaAdminClient
    from kafka.admin import ACL, ACLFilter, ACLOperation, ACLPermissionType
    from kafka.admin import ResourcePattern as Pattern
    from kafka.admin import ResourceType as Kind

pytestmark = pytest.mark.client


@pytest.fixture(scope="module")
def house() -> Iterator[MockForge]:
    with MockForge(
        random_ports=True,
        users=("admin:secret", "alice:secret"),
        kafka_super_users=("admin",),
        mqtt=False,
        amqp=False,
    ) as running:
        yield running


def settings(house: MockForge, user: str) -> dict[str, Any]:
    return {
        "bootstrap.servers": house.facts["kafka"]["bootstrap"],
        "security.protocol": "SASL_PLAINTEXT",
        "sasl.mechanism": "PLAIN",
        "sasl.username": user,
        "sasl.password": "secret",
    }


def produce(house: MockForge, topic: str) -> list[KafkaError | None]:
    said: list[KafkaError | None] = []
    producer = Producer({**settings(house, "alice"), "message.timeout.ms": 10_000})
    producer.produce(topic, "v", on_delivery=lambda error, _: said.append(error))
    producer.flush(20)
    return said


def test_confluent_adds_lists_and_deletes_acls_that_hold(house: MockForge) -> None:
    house.run("topic create confluent.acl")
    (denied,) = produce(house, "confluent.acl")
    assert denied is not None
    assert denied.code() == KafkaError.TOPIC_AUTHORIZATION_FAILED
    admin = AdminClient(settings(house, "admin"))
    made = AclBinding(
        ResourceType.TOPIC,
        "confluent.",
        ResourcePatternType.PREFIXED,
        "User:alice",
        "*",
        AclOperation.WRITE,
        AclPermissionType.ALLOW,
    )
    (future,) = admin.create_acls([made]).values()
    future.result(30)
    assert produce(house, "confluent.acl") == [None]
    every = AclBindingFilter(
        ResourceType.TOPIC,
        "confluent.acl",
        ResourcePatternType.MATCH,
        None,
        None,
        AclOperation.ANY,
        AclPermissionType.ANY,
    )
    assert admin.describe_acls(every).result(30) == [made]
    assert [row["principal"] for row in house.run("acl ls confluent.*").data] == ["User:alice"]
    (deleted,) = admin.delete_acls([every]).values()
    assert deleted.result(30) == [made]
    (denied,) = produce(house, "confluent.acl")
    assert denied is not None


def test_who_may_not_administer_is_refused(house: MockForge) -> None:
    alice = AdminClient(settings(house, "alice"))
    asked = [ConsumerGroupTopicPartitions("audit")]
    (future,) = alice.list_consumer_group_offsets(asked).values()
    with pytest.raises(KafkaException, match="GROUP_AUTHORIZATION_FAILED"):
        future.result(30)


def test_kafka_python_adds_and_lists_acls(house: MockForge) -> None:
    admin = KafkaAdminClient(
        bootstrap_servers=house.facts["kafka"]["bootstrap"],
        security_protocol="SASL_PLAINTEXT",
        sasl_mechanism="PLAIN",
        sasl_plain_username="admin",
        sasl_plain_password="secret",
    )
    made = ACL(
        "User:bob", "10.0.0.7", ACLOperation.READ, ACLPermissionType.DENY, Pattern(Kind.GROUP, "g")
    )
    admin.create_acls([made])
    wanted = ACLFilter(
        principal="User:bob",
        host=None,
        operation=ACLOperation.ANY,
        permission_type=ACLPermissionType.ANY,
        resource_pattern=Pattern(Kind.GROUP, "g"),
    )
    found, error = admin.describe_acls(wanted)
    assert found == [made]
    assert error.errno == 0
    admin.delete_acls([wanted])
    admin.close()


def test_confluent_makes_a_user_that_logs_in_by_scram(house: MockForge) -> None:
    admin = AdminClient(settings(house, "admin"))
    info = ScramCredentialInfo(ScramMechanism.SCRAM_SHA_512, 8192)
    made = UserScramCredentialUpsertion("carol", info, b"secret", b"salt of carol")
    admin.alter_user_scram_credentials([made])["carol"].result(30)
    found = admin.describe_user_scram_credentials(["carol"])["carol"].result(30)
    assert [(one.mechanism, one.iterations) for one in found.scram_credential_infos] == [
        (ScramMechanism.SCRAM_SHA_512, 8192)
    ]
    carol = AdminClient({**settings(house, "carol"), "sasl.mechanism": "SCRAM-SHA-512"})
    assert carol.list_topics(timeout=30).topics == {}
    listed = {"user": "carol", "protocols": ["kafka"], "tags": [], "password": "scram"}
    assert listed in house.run("user ls").data
    deletion = UserScramCredentialDeletion("carol", ScramMechanism.SCRAM_SHA_512)
    admin.alter_user_scram_credentials([deletion])["carol"].result(30)
    assert "carol" not in [row["user"] for row in house.run("user ls").data]


def test_librdkafka_is_throttled_and_says_so(house: MockForge) -> None:
    house.run("topic create quota.t")
    house.run("acl add User:alice write topic:quota.t")
    house.run("quota set user:alice --producer 1000")
    seen: list[float] = []
    producer = Producer(
        {**settings(house, "alice"), "throttle_cb": lambda event: seen.append(event.throttle_time)}
    )
    producer.produce("quota.t", b"x" * 20_000)
    assert producer.flush(20) == 0
    wait_for(lambda: producer.poll(0.1) is not None and seen, what="librdkafka's throttle_cb")
    # Ten seconds: long enough to be seen while it lasts.
    assert 10 <= seen[0] < 12
    assert "throttled" in [row["state"] for row in house.run("conn ls").data]
    house.run("quota rm user:alice")


@pytest.mark.slow
def test_kafkas_own_tool_adds_lists_and_removes(house: MockForge, tmp_path: Path) -> None:
    try:
        classes = f"{jars()}/*"
    except Skipped as reason:
        pytest.skip(str(reason))
    config = tmp_path / "admin.properties"
    config.write_text(
        "security.protocol=SASL_PLAINTEXT\nsasl.mechanism=PLAIN\nsasl.jaas.config="
        "org.apache.kafka.common.security.plain.PlainLoginModule required"
        ' username="admin" password="secret";\n'
    )

    def tool(*arguments: str) -> str:
        done = subprocess.run(
            ["java", "-Xmx128m", "-XX:TieredStopAtLevel=1", "-cp", classes,
             "org.apache.kafka.tools.AclCommand", "--command-config", str(config),
             "--bootstrap-server", house.facts["kafka"]["bootstrap"], *arguments],
            capture_output=True, text=True, timeout=120, check=False,
        )  # fmt: skip
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    resource = ("--topic", "tool.", "--resource-pattern-type", "prefixed")
    shown = tool("--add", "--allow-principal", "User:carol", "--producer", *resource)
    assert "operation=WRITE" in shown
    assert "resourceType=TOPIC, name=tool., patternType=PREFIXED" in tool("--list", *resource)
    operations = {row["operation"] for row in house.run("acl ls tool.*").data}
    assert operations == {"create", "describe", "write"}
    tool("--remove", "--force", *resource)
    assert house.run("acl ls tool.*").data == []
