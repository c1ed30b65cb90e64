"""What AMQP clients did once, exported as a test, does it again against the fixture's brokers."""

from pathlib import Path
from typing import Any

import pika
import pytest
from pika.exceptions import ChannelClosedByBroker

from mockforge_tui import MockForge

from .conftest import captured, replay

pytestmark = pytest.mark.client


def connection(mockforge: MockForge, name: str) -> pika.BlockingConnection:
    parameters = pika.URLParameters(mockforge.amqp.url)
    parameters.client_properties = {"connection_name": name}
    return pika.BlockingConnection(parameters)


def play(mockforge: MockForge) -> None:
    """A shop asks for prices by a queue that has no name of its own; a robot answers and errs."""
    shop, robot = connection(mockforge, "shop"), connection(mockforge, "robot")
    asking, answering = shop.channel(), robot.channel()
    answering.exchange_declare("prices", "topic", durable=True)
    answering.queue_declare("asked", arguments={"x-max-length": 5, "x-dead-letter-exchange": ""})
    answering.queue_bind("asked", "prices", "price.#")
    answering.basic_qos(prefetch_count=2)
    mine = asking.queue_declare("", exclusive=True).method.queue
    asking.confirm_delivery()
    got: list[Any] = []
    asking.basic_consume(mine, lambda *args: got.append(args[3]), auto_ack=True)
    question = pika.BasicProperties(reply_to=mine, headers={"n": 1}, content_type="text/plain")
    asking.basic_publish("prices", "price.tea", b"tea?", question)
    method, properties, body = answering.basic_get("asked")
    answering.basic_publish("", properties.reply_to, body + b"\xff")
    answering.basic_ack(method.delivery_tag)
    assert answering.basic_get("asked") == (None, None, None)
    while not got:
        shop.process_data_events(20)
    with pytest.raises(ChannelClosedByBroker):
        answering.queue_declare("missing", passive=True)
    shop.close()
    robot.close()


def test_a_captured_sequence_happens_again_and_each_message_is_asserted(
    running: MockForge, tmp_path: Path
) -> None:
    play(running)
    text = captured(running, "proto:amqp", tmp_path / "test_captured.py")
    assert ".gets('asked', b'tea?')" in text
    assert ".gets('asked', None)" in text
    assert ".is_closed(404)" in text
    running.run("reset -y")
    replay(text, running)
    assert [row["name"] for row in running.run("queue ls").records] == ["asked"]
    running.run("reset -y")
    for said, other in (("b'tea?\\xff')", "b'coffee')"), ("is_closed(404)", "is_closed(406)")):
        before, _, after = text.replace("WITHIN = 10.0", "WITHIN = 0.5").rpartition(said)
        assert before
        with pytest.raises(AssertionError):
            replay(before + other + after, running)
        running.run("reset -y")
