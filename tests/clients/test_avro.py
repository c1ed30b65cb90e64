"""What real clients send in Avro is matched by its fields, on each protocol."""

import json
from collections.abc import Iterator
from typing import Any
from urllib.parse import urlsplit

import pika
import pytest
from confluent_kafka import Producer
from pika.exceptions import NackError

from mockforge_tui import MockForge

pytestmark = pytest.mark.client
SCHEMA = {
    "type": "record",
    "name": "Order",
    "fields": [{"name": "customer", "type": "string"}, {"name": "total", "type": "double"}],
}
FRAME = b"\0\0\0\0\1"
SMALL = FRAME + bytes.fromhex("06616e6e") + bytes.fromhex("0000000000002440")
LARGE = FRAME + bytes.fromhex("06626f62") + bytes.fromhex("0000000000408f40")
RULES = """mockforge: 1
faults:
  - {id: large, where: "topic:orders json.total>100", do: {refuse: INVALID_RECORD}}
  - {id: bobs, where: "proto:amqp op:basic.publish json.customer:bob", do: {refuse: NACK}}
"""


@pytest.fixture(scope="module")
def mockforge(tmp_path_factory: pytest.TempPathFactory) -> Iterator[MockForge]:
    folder = tmp_path_factory.mktemp("avro")
    (folder / "order.avsc").write_text(json.dumps(SCHEMA))
    (folder / "rules.yaml").write_text(RULES)
    schemas = (f"orders={folder / 'order.avsc'}", f"amq.*={folder / 'order.avsc'}")
    with MockForge(str(folder / "rules.yaml"), schemas=schemas) as made:
        made.run("topic add orders -p 1")
        yield made


def test_a_kafka_record_is_refused_expected_and_read_by_an_avro_field(mockforge: MockForge) -> None:
    errors: list[Any] = []
    producer = Producer({"bootstrap.servers": mockforge.kafka.bootstrap})
    for value in (SMALL, LARGE):
        producer.produce("orders", value, on_delivery=lambda error, _: errors.append(error))
        assert producer.flush(20) == 0
    assert errors[0] is None
    assert errors[1].name() == "INVALID_RECORD"
    message = mockforge.kafka.expect("orders", json={"customer": "ann"})
    assert message.value == {"customer": "ann", "total": 10.0}
    (row,) = mockforge.run("topic read orders").records
    assert (row["payload_form"], row["payload_value"]["total"]) == ("Avro", 10.0)


def test_an_amqp_message_is_refused_by_an_avro_field(mockforge: MockForge) -> None:
    place = urlsplit(mockforge.amqp.url)
    taken = []
    with pika.BlockingConnection(pika.ConnectionParameters(place.hostname, place.port)) as one:
        channel = one.channel()
        channel.confirm_delivery()
        for body in (SMALL, LARGE):
            try:
                channel.basic_publish("amq.fanout", "", body)
                taken.append(True)
            except NackError:
                taken.append(False)
    assert taken == [True, False]
