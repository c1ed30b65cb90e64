"""Kafka in the app."""

from collections.abc import Callable, Iterable, Iterator
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from mockforge_brokers.access import Access
from mockforge_brokers.errors import InvalidInput, PlainRefusals
from mockforge_brokers.permissions import acl_of

from ..config import Config, ConfigError
from .receipt import Receipt
from .ways import Ways

if TYPE_CHECKING:
    from mockforge_brokers.environment import Environment
    from mockforge_brokers.kafka.broker import KafkaBroker

    from ..fixtures.messages import KafkaMessage
    from ..fixtures.model import FixtureSet, Topic
    from ..fixtures.source.problems import Position


WAYS = Ways("kafka", nodes=lambda config: config.kafka_nodes or 1)


def build(environment: "Environment", config: Config) -> "KafkaBroker":
    """Raises ConfigError."""
    from mockforge_brokers.kafka.broker import KafkaBroker
    from mockforge_brokers.kafka.options import KafkaOptions
    from mockforge_brokers.kafka.state.configs.broker import started_with

    options = KafkaOptions(
        broker_id=config.broker_id,
        nodes=config.kafka_nodes or 1,
        racks=config.kafka_racks,
        auto_create_topics=config.auto_create_topics,
        default_partitions=config.default_partitions,
        verify_transactions=config.verify_transactions,
        consumer_heartbeat_interval=config.consumer_heartbeat_interval,
        consumer_session_timeout=config.consumer_session_timeout,
        oauth=oauth_key(config),
        max_reauth=config.kafka_max_reauth,
        as_version=config.kafka_as_version,
        api_versions=config.kafka_api_versions,
        check_records=config.kafka_check_records,
        client_metrics=_client_metrics(config.kafka_client_metrics),
    )
    restrict(environment.access, config)
    given = dict(one.split("=", 1) for one in config.kafka_configs)
    return KafkaBroker(environment, started_with(options, given))


def restrict(access: Access, config: Config) -> None:
    """Rules of Kafka's own kind, and an authorizer that lets nobody do what no rule allows."""
    try:
        for text in config.kafka_acls:
            access.add_rule(acl_of(text))
    except InvalidInput as error:
        raise ConfigError(str(error)) from None
    if config.kafka_authorizer or config.kafka_super_users or config.kafka_acls:
        access.restrict("kafka", (each.removeprefix("User:") for each in config.kafka_super_users))


def _client_metrics(prefixes: str) -> dict[str, dict[str, str]]:
    """The subscription that is there from the start, if there is one."""
    return {"start": {"metrics": prefixes, "interval.ms": "5000"}} if prefixes else {}


def oauth_key(config: Config) -> str:
    """What OAUTHBEARER's tokens are checked with. Raises ConfigError for a key of no use."""
    from mockforge_brokers.kafka.oauth import UNSECURED, verifier

    given = config.kafka_oauth or ""
    if given in ("", UNSECURED):
        return given
    try:
        key = Path(given).read_text()
        verifier(key)
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"--kafka-oauth {given}: {error}; give unsecured, or a file") from None
    except InvalidInput as error:
        raise ConfigError(f"--kafka-oauth {given}: {error}") from None
    if not key.strip():
        raise ConfigError(f"--kafka-oauth {given}: the file is empty, and a key is wanted")
    return key


def lacking(kafka: "KafkaBroker | None", fixtures: "FixtureSet | None") -> str:
    """What is to be said where fixtures want more or fewer brokers than run, which never change."""
    wanted = None if fixtures is None else fixtures.kafka_nodes
    if kafka is None or wanted in (None, kafka.options.nodes):
        return ""
    return (
        f"these fixtures want {wanted} Kafka brokers, {kafka.options.nodes} here now: start"
        " with them (@pytest.mark.mockforge(fresh=True)), or say kafka_nodes"
    )


def declarations(
    kafka: "KafkaBroker", fixtures: "FixtureSet"
) -> Iterator[tuple["Position", Callable[[], str | None]]]:
    """See `production.declarations`."""
    if fixtures.cluster_id is not None:
        text, position = fixtures.cluster_id
        yield position, partial(setattr, kafka.cluster, "cluster_id", text)
    for topic in fixtures.topics:
        yield topic.position, partial(_declare_topic, kafka, topic)


def _declare_topic(kafka: "KafkaBroker", topic: "Topic") -> str | None:
    if kafka.has_topic(topic.name):
        return _differences(kafka, topic)
    replicas = topic.replication_factor
    if replicas is not None:
        # Files that are written for a larger cluster work here too; `check` says so.
        replicas = min(replicas, kafka.options.nodes)
    kafka.create_topic(topic.name, topic.partitions, topic.config, replicas=replicas)
    return None


def _differences(kafka: "KafkaBroker", topic: "Topic") -> str | None:
    """How a topic that is there, from before or by a client, differs from what a file says.

    It stays as it is: there may be records in it, and clients that count its partitions. Raises
    InvalidInput for a configuration that no topic can have.
    """
    from mockforge_brokers.kafka.state.configs.topic import new_topic_config

    with PlainRefusals():
        new_topic_config(kafka.cluster.config, topic.config)
    name, wanted = topic.name, topic.partitions
    there = kafka.cluster.topics.named(name)
    found = []
    if wanted is not None and wanted != (count := len(there.logs)):
        remedy = (
            f"topic grow {name} -p {wanted}"
            if wanted > count
            else f"none ever goes; topic rm {name}, then load the file again"
        )
        found.append(f"{count} partitions and not {wanted} ({remedy})")
    found += [
        f"{key}={there.config.value(key)} and not {value} (topic set {name} {key}={value})"
        for key, value in topic.config.items()
        if there.config.value(key) != value
    ]
    return f"topic {name} is there already, with {', '.join(found)}" if found else None


def publish(broker: "KafkaBroker", message: "KafkaMessage") -> Receipt:
    """Raises InvalidInput."""
    partition, offset = broker.publish(
        message.topic,
        message.payload,
        key=message.key,
        headers=message.headers,
        partition=message.partition,
        source=message.source,
    )
    return Receipt(f"{message.topic} p{partition}@{offset}")


def create_topics_for(broker: "KafkaBroker", messages: "Iterable[KafkaMessage]") -> None:
    """Create the topics of recorded messages that are not there.

    Messages go to the partitions where they were: a topic made by the first of them would have
    only the default number.
    """
    partitions: dict[str, int] = {}
    for message in messages:
        if message.partition is not None:
            least = partitions.get(message.topic, broker.options.default_partitions)
            partitions[message.topic] = max(least, message.partition + 1)
    for topic, count in partitions.items():
        if not broker.has_topic(topic):
            broker.create_topic(topic, count)
