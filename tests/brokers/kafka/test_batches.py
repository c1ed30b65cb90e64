"""Which batches are refused after a look at their records, and when they are looked at."""

import pytest

from .batching import BODY, CASES, GOOD, batch, codes, create, produce
from .stage import Stage

KAFKAS = {name: code for name, (_, code) in CASES.items()}
BAD, WHOLE = batch(BODY, count=2), CASES["good"][0]


def test_each_connections_first_batch_is_answered_as_apache_kafka_does():
    assert codes(Stage().call, "t") == KAFKAS


def sender(stage):
    """Produces on one connection."""
    client = stage.network.connect()

    def call(message, version):
        stage.ask(client, message, version)
        return stage.answer(client, message.api_key, version)

    create(call, "t")
    return lambda records: produce(call, "t", records)


def test_a_connection_is_trusted_after_a_good_batch_into_a_partition_and_not_before():
    send = sender(Stage())
    assert [send(BAD), send(BAD), send(WHOLE), send(BAD)] == [87, 87, GOOD, GOOD]


def test_with_check_records_every_batch_is_read():
    send = sender(Stage(check_records=True))
    assert [send(WHOLE), send(BAD), send(WHOLE), send(BAD)] == [GOOD, 87, GOOD, 87]


@pytest.mark.parametrize("value", ["compact", "delete"])
def test_a_policy_that_reads_batches_refuses_with_the_same_codes(value):
    stage = Stage(check_records=value == "delete")
    stage.broker.create_topic("t", 1, config={"cleanup.policy": value})
    assert codes(stage.call, "t") == KAFKAS
