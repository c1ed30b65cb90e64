"""Which type of queue takes which argument: what RabbitMQ 3.10.8 answered, declare by declare."""

from typing import Any

import pytest
from mockforge_brokers.amqp.options import AmqpOptions
from mockforge_brokers.amqp.state import arguments, policies
from mockforge_brokers.amqp.state.queues import policy

from .client import Client, Scene

TAKEN = [
    ("x-expires", 100_000, "classic quorum"),
    ("x-message-ttl", 1000, "classic quorum"),
    ("x-dead-letter-exchange", "x", "classic quorum"),
    ("x-max-length", 5, "classic quorum"),
    ("x-max-length-bytes", 5, "classic quorum stream"),
    ("x-max-in-memory-length", 5, "quorum"),
    ("x-max-in-memory-bytes", 5, "quorum"),
    ("x-max-priority", 3, "classic"),
    ("x-overflow", "drop-head", "classic quorum"),
    ("x-queue-mode", "lazy", "classic"),
    ("x-queue-version", 2, "classic"),
    ("x-single-active-consumer", True, "classic quorum"),
    ("x-delivery-limit", 3, "quorum"),
    ("x-dead-letter-strategy", "at-most-once", "quorum"),
    ("x-max-age", "1h", "stream"),
    ("x-stream-max-segment-size-bytes", 100_000, "stream"),
    ("x-initial-cluster-size", 1, "stream"),
    ("x-quorum-initial-group-size", 1, "quorum"),
    ("x-queue-leader-locator", "client-local", "quorum stream"),
    ("x-queue-master-locator", "min-masters", "classic"),
    ("x-stream-filter-size-bytes", 32, "classic quorum stream"),
    ("x-consumer-timeout", 1000, "classic quorum stream"),
]
REFUSED = [
    ("stream", "x-max-age", "1y", "invalid_max_age"),
    ("stream", "x-max-age", "nope", "invalid_max_age"),
    ("stream", "x-max-age", 5, "{unacceptable_type,signedint}"),
    ("stream", "x-stream-max-segment-size-bytes", -1, "{value_negative,-1}"),
    ("stream", "x-stream-max-segment-size-bytes", "a", '"expected integer, got longstr"'),
    ("stream", "x-initial-cluster-size", 0, "{value_zero,0}"),
    ("quorum", "x-dead-letter-strategy", "x", "invalid_dlx_strategy"),
    ("quorum", "x-dead-letter-strategy", 5, "{unacceptable_type,signedint}"),
    ("quorum", "x-quorum-initial-group-size", 0, "{value_zero,0}"),
    ("quorum", "x-quorum-initial-group-size", "a", '"expected integer, got longstr"'),
    ("quorum", "x-queue-leader-locator", "x", "invalid_queue_locator_arg"),
]

DIFFERING = [
    ("classic", "x-message-ttl", "x-dead-letter-exchange"),
    ("classic", "x-dead-letter-exchange", "x-max-length"),
    ("quorum", "x-dead-letter-exchange", "x-message-ttl"),
    ("quorum", "x-expires", "x-max-length"),
    ("quorum", "x-delivery-limit", "x-message-ttl"),
    ("stream", "x-max-length-bytes", "x-max-age"),
]
"""A type, and of two arguments that differ the one that is named, then the other."""


@pytest.mark.parametrize(("kind", "named", "other"), DIFFERING)
def test_argument_that_differs_is_named_in_rabbitmqs_order(
    client: Client, kind: str, named: str, other: str
) -> None:
    values = {argument: value for argument, value, _ in TAKEN}
    both = {"x-queue-type": kind, other: values[other], named: values[named]}
    client.send("queue.declare", queue="q", durable=True, arguments=both)
    (close,) = client.send(
        "queue.declare", queue="q", durable=True, arguments={"x-queue-type": kind}
    )
    assert close["reply_text"].startswith(
        f"PRECONDITION_FAILED - inequivalent arg '{named}' for queue 'q'"
    )


@pytest.mark.parametrize(("argument", "value", "types"), TAKEN)
@pytest.mark.parametrize("kind", ["classic", "quorum", "stream"])
def test_type_takes_the_argument_or_says_that_it_does_not(
    client: Client, kind: str, argument: str, value: Any, types: str
) -> None:
    (answer,) = client.send(
        "queue.declare", queue="q", durable=True, arguments={"x-queue-type": kind, argument: value}
    )
    if kind in types.split():
        assert answer.name == "queue.declare-ok"
    else:
        assert (answer["reply_code"], answer["reply_text"]) == (
            406,
            f"PRECONDITION_FAILED - invalid arg '{argument}' for queue 'q' in vhost '/' "
            f"of queue type rabbit_{kind}_queue",
        )


@pytest.mark.parametrize(("kind", "argument", "value", "reason"), REFUSED)
def test_value_that_cannot_be_is_refused(
    client: Client, kind: str, argument: str, value: Any, reason: str
) -> None:
    (answer,) = client.send(
        "queue.declare", queue="q", durable=True, arguments={"x-queue-type": kind, argument: value}
    )
    assert (answer["reply_code"], answer["reply_text"]) == (
        406,
        f"PRECONDITION_FAILED - invalid arg '{argument}' for queue 'q' in vhost '/': {reason}",
    )


def test_every_argument_that_is_known_is_compared_at_a_redeclaration() -> None:
    compared = {name for names in arguments._COMPARED.values() for name in names}
    assert set(arguments._QUEUE_CHECKS) == compared


def test_every_argument_that_acts_is_checked_and_can_be_set_by_a_policy() -> None:
    assert set(arguments._QUEUE_CHECKS) >= policy.SERVED
    by_policy = {f"x-{name}" for name in policies.SETTINGS}
    assert policy.SERVED - by_policy == set(policy._ONLY_ARGUMENTS)


ABOUT_DISKS_AND_CLUSTERS = {
    "x-queue-mode",
    "x-queue-type",
    "x-queue-version",
    "x-max-in-memory-length",
    "x-max-in-memory-bytes",
    "x-quorum-initial-group-size",
    "x-initial-cluster-size",
    "x-queue-leader-locator",
    "x-queue-master-locator",
    "x-stream-max-segment-size-bytes",
}


def test_every_argument_that_is_checked_acts_where_one_node_in_memory_can() -> None:
    idle = set(arguments._QUEUE_CHECKS) - policy.SERVED - ABOUT_DISKS_AND_CLUSTERS
    assert idle <= {"x-max-age"}, "retention is read by stream.retention_of"


# Of consumers: asked of 3.10.8 and 4.3.6.

_OFFSET = ("x-stream-offset", "first")
_MIRRORS = ("x-cancel-on-ha-failover", True)
_MATCH = ("x-stream-match-unfiltered", True)


@pytest.mark.parametrize(
    ("argument", "kind", "refusing"),
    [
        (_OFFSET, "classic", ("3.10", "4.3")),
        (_OFFSET, "quorum", ("3.10", "4.3")),
        (_OFFSET, "stream", ()),
        (_MIRRORS, "classic", ()),
        (_MIRRORS, "quorum", ("3.10",)),
        (_MIRRORS, "stream", ("3.10",)),
        (("x-stream-filter", 5), "classic", ("4.3",)),
        (_MATCH, "quorum", ("4.3",)),
        (_MATCH, "stream", ()),
        (("x-own", 1), "quorum", ()),
    ],
)
@pytest.mark.parametrize("release", ["3.10", "4.3"])
def test_an_argument_that_another_type_of_queue_takes_is_refused_to_a_consumer(
    release: str, argument: tuple[str, Any], kind: str, refusing: tuple[str, ...]
) -> None:
    client = Scene(AmqpOptions(as_version=release)).client()
    client.send("queue.declare", queue="q", durable=True, arguments={"x-queue-type": kind})
    client.send("basic.qos", prefetch_count=5)
    name, value = argument
    (said,) = client.send("basic.consume", queue="q", arguments={name: value})
    if release not in refusing:
        assert said.name == "basic.consume-ok"
        return
    assert (said.name, said["reply_text"]) == (
        "channel.close",
        f"PRECONDITION_FAILED - invalid arg '{name}' for queue 'q' in vhost '/' of queue type "
        f"rabbit_{kind}_queue",
    )


def test_what_is_wrong_with_a_priority_is_said_before() -> None:
    client = Scene().client()
    client.send("queue.declare", queue="q", durable=True)
    given = {"x-stream-offset": "first", "x-priority": "high"}
    (said,) = client.send("basic.consume", queue="q", arguments=given)
    assert "invalid arg 'x-priority'" in said["reply_text"]


@pytest.mark.parametrize(
    ("release", "values", "text"),
    [
        ("3.10", {}, "consumer prefetch count is not set for 'queue 'q' in vhost '/''"),
        ("4.3", {}, "consumer prefetch count is not set for stream queue 'q' in vhost '/'"),
        (
            "3.10",
            {"no_ack": True},
            "automatic acknowledgement not supported by stream queues queue 'q' in vhost '/'",
        ),
        (
            "4.3",
            {"no_ack": True},
            "automatic acknowledgement not supported by stream queue 'q' in vhost '/'",
        ),
    ],
)
def test_what_a_stream_asks_of_its_consumers_is_in_each_release_s_words(
    release: str, values: dict[str, Any], text: str
) -> None:
    client = Scene(AmqpOptions(as_version=release)).client()
    client.send("queue.declare", queue="q", durable=True, arguments={"x-queue-type": "stream"})
    if values:
        client.send("basic.qos", prefetch_count=5)
    (said,) = client.send("basic.consume", queue="q", **values)
    assert said["reply_text"].endswith(text)
