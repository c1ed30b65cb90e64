"""What a topic's configuration does to the batches that are produced to it.

The answers are those of Apache Kafka 4.4, which was sent the same.
"""

import struct

import google_crc32c
import pytest
from mockforge_brokers.kafka.codes import ApiKey, Compression, ErrorCode
from mockforge_brokers.kafka.records import (
    Record,
    build_batch,
    read_batch_header,
    read_records,
    split_batches,
)
from mockforge_brokers.kafka.wire.messages.configs import (
    DescribeConfigsRequest,
    DescribeConfigsResource,
    IncrementalAlterableConfig,
    IncrementalAlterConfigsRequest,
    IncrementalAlterConfigsResource,
)
from mockforge_brokers.kafka.wire.messages.logs import (
    PartitionProduceData,
    ProduceRequest,
    TopicProduceData,
)

from .scene import Scene, fetch

NOW = 1_700_000_000_000
HOUR = 3_600_000


def stage_with(**config):
    scene = Scene(wall=NOW / 1000)
    values = {key.replace("_", "."): value for key, value in config.items()}
    scene.broker.create_topic("t", 1, values)
    return scene


def records(*timed, keys=True):
    return [Record(0, time, b"k" if keys else None, b"v") for time in timed]


def sent(scene, batch, *, version=9, acks=-1):
    data = PartitionProduceData(index=0, records=batch)
    topic = TopicProduceData(name="t", partition_data=[data])
    request = ProduceRequest(acks=acks, timeout_ms=0, topic_data=[topic])
    (answer,) = scene.call(request, version).responses[0].partition_responses
    return answer


def stored(scene, offset=0):
    partition = scene.call(fetch("t", offset), 12).responses[0].partitions[0]
    return split_batches(bytes(partition.records))


def marked(batch, attributes):
    """The batch with more attributes, its CRC made anew."""
    changed = bytearray(batch)
    changed[22] |= attributes
    changed[17:21] = struct.pack(">I", google_crc32c.value(bytes(changed[21:])))
    return bytes(changed)


def test_a_record_of_more_than_an_hour_ahead_is_refused_and_named():
    scene = stage_with()
    answer = sent(scene, build_batch(records(NOW, NOW + 2 * HOUR)))
    assert answer.error_code == ErrorCode.INVALID_TIMESTAMP
    assert answer.error_message == "One or more records have been rejected due to invalid timestamp"
    (refused,) = answer.record_errors
    assert refused.batch_index == 1
    assert refused.batch_index_error_message.startswith(
        f"Timestamp {NOW + 2 * HOUR} of message with offset 1 is out of range."
    )
    assert answer.log_start_offset == 0
    assert not sent(scene, build_batch(records(NOW + HOUR))).error_code


def test_the_hour_ahead_moves_with_the_clock():
    scene = stage_with()
    late = build_batch(records(NOW + 2 * HOUR))
    assert sent(scene, late).error_code
    scene.clock.advance(3600)
    assert not sent(scene, late).error_code


def test_bounds_before_and_after_are_the_topics():
    scene = stage_with(message_timestamp_before_max_ms="1000", message_timestamp_after_max_ms="10")
    answer = sent(scene, build_batch(records(NOW - 1001, NOW, NOW + 11)))
    assert [one.batch_index for one in answer.record_errors] == [0, 2]
    assert not sent(scene, build_batch(records(-1))).error_code, "no timestamp is not an old one"
    assert not sent(scene, build_batch(records(NOW - 1000, NOW + 10))).error_code


def test_append_time_is_the_brokers_and_the_answer_says_it():
    scene = stage_with(message_timestamp_type="LogAppendTime")
    for codec in (Compression.NONE, Compression.ZSTD):
        answer = sent(scene, build_batch(records(5, NOW + 9 * HOUR), compression=codec))
        assert (answer.error_code, answer.log_append_time_ms) == (0, NOW)
    for header, batch in stored(scene):
        assert header.has_log_append_time
        assert header.base_timestamp == 5
        assert [record.timestamp for record in read_records(batch)] == [NOW, NOW]


def test_a_producers_own_mark_of_append_time_is_refused_or_goes():
    made = marked(build_batch(records(5)), 0x08)
    answer = sent(stage_with(message_timestamp_type="LogAppendTime"), made)
    assert answer.error_code == ErrorCode.INVALID_TIMESTAMP
    scene = stage_with()
    assert not sent(scene, made).error_code
    [(header, _)] = stored(scene)
    assert not header.has_log_append_time


def test_a_compacted_topic_refuses_records_without_a_key_and_counts_them():
    scene = stage_with(cleanup_policy="compact,delete")
    made = build_batch([Record(0, NOW, key, b"v") for key in (b"k", None, None)])
    answer = sent(scene, made)
    assert answer.error_code == ErrorCode.INVALID_RECORD
    assert [one.batch_index for one in answer.record_errors] == [1, 2]
    text = "Compacted topic cannot accept message without key in topic partition t-0"
    assert answer.record_errors[0].batch_index_error_message == text
    assert answer.error_message.startswith(
        "One or more records have been rejected due to 2 record errors in total, and only"
        f" showing the first three errors at most: [RecordError(batchIndex=1, message='{text}'), "
    )
    assert sent(scene, made, version=7).error_code == ErrorCode.INVALID_RECORD


@pytest.mark.parametrize("codec", ["uncompressed", "gzip", "snappy", "lz4", "zstd"])
@pytest.mark.parametrize("came", [Compression.NONE, Compression.GZIP])
def test_batches_are_kept_in_the_topics_codec(codec, came):
    scene = stage_with(compression_type=codec)
    made = build_batch(
        records(NOW, NOW + 7), compression=came, producer_id=9, producer_epoch=3, base_sequence=0
    )
    assert not sent(scene, made).error_code
    [(header, batch)] = stored(scene)
    wanted = "NONE" if codec == "uncompressed" else codec.upper()
    assert header.compression is Compression[wanted]
    before = read_batch_header(made)
    for field in (
        "base_timestamp",
        "max_timestamp",
        "producer_id",
        "producer_epoch",
        "base_sequence",
    ):
        assert getattr(header, field) == getattr(before, field)
    assert list(read_records(batch)) == list(read_records(made))


@pytest.mark.parametrize("codec", list(Compression)[1:])
def test_a_batch_that_cannot_be_decompressed_is_refused_where_it_is_read(codec):
    scene = stage_with(cleanup_policy="compact")
    made = bytearray(build_batch(records(NOW), compression=codec))
    made[61:] = b"\x99" * (len(made) - 61)
    assert sent(scene, marked(made, 0)).error_code == ErrorCode.UNKNOWN_SERVER_ERROR
    assert not stored(scene)


def test_a_batch_that_grows_beyond_the_limit_is_too_large():
    scene = stage_with(max_message_bytes="100", compression_type="uncompressed")
    made = build_batch([Record(0, NOW, b"k", b"v" * 300)], compression=Compression.GZIP)
    answer = sent(scene, made)
    assert (answer.error_code, answer.log_start_offset) == (ErrorCode.MESSAGE_TOO_LARGE, -1)


def test_more_in_sync_replicas_than_there_are_replicas_refuse_nothing():
    """As Kafka 4.4 with one replica: it counts no further than there are."""
    scene = stage_with(min_insync_replicas="2")
    assert not sent(scene, build_batch(records(NOW))).error_code


def test_a_producer_on_its_way_meets_a_new_configuration():
    scene = stage_with()
    client = scene.network.connect()

    def ask():
        data = PartitionProduceData(index=0, records=build_batch(records(5)))
        topic = TopicProduceData(name="t", partition_data=[data])
        scene.ask(client, ProduceRequest(acks=-1, timeout_ms=0, topic_data=[topic]), 9)
        answer = scene.answer(client, ApiKey.PRODUCE, 9)
        return answer.responses[0].partition_responses[0].log_append_time_ms

    assert [ask(), ask()] == [-1, -1]
    scene.broker.configure_topic("t", "message.timestamp.type", "LogAppendTime")
    assert [ask(), ask()] == [NOW, NOW]
    scene.broker.configure_topic("t", "message.timestamp.type", None)
    assert ask() == -1


def altered(scene, kind, name, *changes, dry=False):
    resource = IncrementalAlterConfigsResource(
        resource_type=kind,
        resource_name=name,
        configs=[
            IncrementalAlterableConfig(name=key, config_operation=operation, value=value)
            for key, operation, value in changes
        ],
    )
    request = IncrementalAlterConfigsRequest(resources=[resource], validate_only=dry)
    answer = scene.call(request, 1).responses[0]
    return answer.error_code, answer.error_message


SET, DELETE, APPEND = 0, 1, 2
TOPIC, BROKER, LOGGER, GROUP = 2, 4, 8, 32

REFUSED = [
    (TOPIC, "t", [("retention.ms", SET, None)], 42, "Null value not supported for : retention.ms"),
    (
        TOPIC,
        "t",
        [("retention.ms", SET, "5"), ("retention.ms", SET, "6")],
        42,
        "Error due to duplicate config keys",
    ),
    (
        TOPIC,
        "t",
        [("retention.ms", SET, "x")],
        40,
        "Invalid value x for configuration retention.ms: Not a number of type LONG",
    ),
    (
        TOPIC,
        "t",
        [("retention.ms", SET, "-2")],
        40,
        "Invalid value -2 for configuration retention.ms: Value must be at least -1",
    ),
    (
        TOPIC,
        "t",
        [("retention.ms", APPEND, "1")],
        40,
        "Can't APPEND to key retention.ms because its type is not LIST.",
    ),
    (
        TOPIC,
        "t",
        [("cleanup.policy", SET, "foo")],
        40,
        "Invalid value foo for configuration cleanup.policy: String must be one of: compact,"
        " delete",
    ),
    (TOPIC, "t", [("nope", SET, "1")], 40, "Unknown topic config name: nope"),
    (TOPIC, "", [("retention.ms", SET, "1")], 42, "Default topic resources are not allowed."),
    (
        TOPIC,
        "t",
        [("min.compaction.lag.ms", SET, "10"), ("max.compaction.lag.ms", SET, "5")],
        40,
        "conflict topic config setting min.compaction.lag.ms (10) > max.compaction.lag.ms (5)",
    ),
    (
        TOPIC,
        "t",
        [("segment.bytes", SET, "10")],
        40,
        "Invalid value 10 for configuration segment.bytes: Value must be at least 1048576",
    ),
    (
        TOPIC,
        "t",
        [("min.cleanable.dirty.ratio", SET, "1.5")],
        40,
        "Invalid value 1.5 for configuration min.cleanable.dirty.ratio: Value must be no more"
        " than 1",
    ),
    (
        TOPIC,
        "t",
        [("max.message.bytes", SET, "99999999999")],
        40,
        "Invalid value 99999999999 for configuration max.message.bytes: Not a number of type INT",
    ),
    (
        BROKER,
        "",
        [("num.partitions", SET, "7")],
        42,
        "Cannot update these configs dynamically: [num.partitions]",
    ),
    (
        BROKER,
        "2",
        [("log.retention.ms", SET, "5")],
        42,
        "Unexpected broker id, expected 1, but received 2",
    ),
    (
        BROKER,
        "x",
        [("log.retention.ms", SET, "5")],
        42,
        "Node id must be an integer, but it is: x",
    ),
    (
        BROKER,
        "1",
        [("log.retention.ms", SET, "x")],
        42,
        "Invalid value x for configuration log.retention.ms: Not a number of type LONG",
    ),
    (
        BROKER,
        "",
        [("listeners", SET, "x")],
        42,
        "Cannot update these configs at default cluster level, broker id must be specified:"
        " [listeners]",
    ),
    (GROUP, "g", [("nope", SET, "1")], 40, "Unknown group config name: nope"),
    (
        GROUP,
        "",
        [("consumer.session.timeout.ms", SET, "50000")],
        42,
        "Default group resources are not allowed.",
    ),
    (LOGGER, "1", [("nope.x", SET, "INFO")], 40, "Logger nope.x does not exist!"),
    (
        LOGGER,
        "1",
        [("root", SET, "FOO")],
        40,
        "Cannot set the log level of root to FOO as it is not a supported log level. Valid log"
        " levels are DEBUG, ERROR, FATAL, INFO, TRACE, WARN",
    ),
    (
        LOGGER,
        "1",
        [("root", DELETE, None)],
        42,
        "Removing the log level of the root logger is not allowed",
    ),
    (
        LOGGER,
        "1",
        [("root", APPEND, "INFO")],
        42,
        "APPEND operation is not allowed for the BROKER_LOGGER resource",
    ),
    (64, "x", [("a", SET, "b")], 42, "Unknown resource type 64"),
]


@pytest.mark.parametrize(("kind", "name", "changes", "code", "text"), REFUSED)
def test_what_cannot_be_altered_is_refused_in_kafkas_words(kind, name, changes, code, text):
    assert altered(stage_with(), kind, name, *changes) == (code, text)


def test_topics_follow_what_the_broker_is_altered_to():
    scene = stage_with()
    topic = scene.broker.cluster.topics["t"]
    assert altered(scene, BROKER, "", ("message.max.bytes", SET, "100")) == (0, None)
    large = build_batch([Record(0, NOW, b"k", b"v" * 300)])
    assert sent(scene, large).error_code == ErrorCode.MESSAGE_TOO_LARGE
    assert altered(scene, BROKER, "1", ("message.max.bytes", SET, "1000")) == (0, None)
    assert not sent(scene, large).error_code
    assert topic.config.value("max.message.bytes") == "1000"
    assert altered(scene, BROKER, "1", ("message.max.bytes", DELETE, None)) == (0, None)
    assert topic.config.value("max.message.bytes") == "100"
    scene.broker.restart()
    assert scene.broker.cluster.topics["t"].config.value("max.message.bytes") == "100"
    scene.broker.reset()
    assert scene.broker.cluster.config.value("message.max.bytes") == "1048588"


def test_retention_of_the_broker_may_be_in_other_units():
    scene = stage_with()
    config = scene.broker.cluster.config
    topic = scene.broker.cluster.topics["t"].config
    assert topic.value("retention.ms") == "604800000"
    config.static["log.retention.hours"] = "2"
    assert topic.value("retention.ms") == "7200000"
    config.static["log.retention.minutes"] = "3"
    assert topic.value("retention.ms") == "180000"
    assert altered(scene, BROKER, "", ("log.retention.ms", SET, "7")) == (0, None)
    assert topic.value("retention.ms") == "7"
    assert [one.name for one in topic.sources("retention.ms")] == [
        "log.retention.ms",
        "log.retention.minutes",
        "log.retention.hours",
        "log.retention.hours",
    ]


def test_a_logger_is_told_to_say_more_and_less():
    scene = stage_with()
    name = "mockforge_brokers.spine"
    assert altered(scene, LOGGER, "1", (name, SET, "DEBUG"), dry=True) == (0, None)
    assert altered(scene, LOGGER, "1", (name, SET, "TRACE")) == (0, None)
    try:
        from mockforge_brokers.kafka.apis.configs.loggers import loggers

        assert loggers()[name] == "TRACE"
    finally:
        assert altered(scene, LOGGER, "1", (name, DELETE, None)) == (0, None)


@pytest.mark.parametrize("zeros", [0, 5000])
def test_a_broker_is_named_by_any_int32_in_digits(zeros):
    def described(name):
        resource = DescribeConfigsResource(
            resource_type=BROKER, resource_name=name, configuration_keys=[]
        )
        request = DescribeConfigsRequest(resources=[resource])
        (found,) = Scene().call(request, 4).results
        return found.error_code, found.error_message

    digits = "0" * zeros
    assert described(f"+{digits}1") == (0, "")
    name = f"{digits}2147483647"
    assert described(name)[1].startswith("Unexpected broker id, expected 1 or empty string")
    name = f"{digits}2147483648"
    assert described(name) == (42, f"Broker id must be an integer, but it is: {name}")
