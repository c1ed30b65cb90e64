"""What the spine emits is in the log of a run without a screen."""

import logging

import pytest
from mockforge_brokers.clock import ManualClock
from mockforge_brokers.events import (
    AccessDenied,
    BrokerFailed,
    ClientBehindProxy,
    ConnectionClosed,
    ConnectionOpened,
    Event,
    FeatureNotServed,
    LintFound,
    ProtocolViolated,
    Warned,
)
from mockforge_brokers.spine import Spine

from mockforge_tui.event_log import log_events
from mockforge_tui.fixtures.events import FixtureFailed


def logged(caplog: pytest.LogCaptureFixture, level: int, *events: Event) -> list[tuple[str, str]]:
    spine = Spine(ManualClock())
    with caplog.at_level(level, "mockforge"):
        log_events(spine)
        for event in events:
            spine.emit(event)
    return [(record.levelname, record.message) for record in caplog.records]


@pytest.mark.parametrize(
    ("event", "line"),
    [
        (
            ProtocolViolated("mqtt", 3, "dev-1", "a reserved bit is set"),
            "mqtt protocol error dev-1: a reserved bit is set",
        ),
        (
            FeatureNotServed("kafka", 1, "billing", "transactions", "transactional id a: no"),
            "kafka not served billing: transactions: transactional id a: no",
        ),
        (
            LintFound("mqtt", 3, "dev-1", "MQTT-3.3.1-2", "PUBLISH: DUP with QoS 0"),
            "mqtt lint dev-1: MQTT-3.3.1-2: PUBLISH: DUP with QoS 0",
        ),
        (Warned("amqp", "queue q", "x-quorum is not acted on"), "queue q: x-quorum is not"),
        (FixtureFailed("kafka", "orders", "no such topic"), "orders  no such topic"),
    ],
)
def test_what_went_wrong_is_a_warning(caplog, event, line):
    ((level, text),) = logged(caplog, logging.WARNING, event)
    assert level == "WARNING"
    assert line in text


def test_what_merely_happened_is_told_to_those_who_want_it(caplog):
    event = ConnectionOpened("kafka", 1, "127.0.0.1:5000")
    assert logged(caplog, logging.WARNING, event) == []
    assert logged(caplog, logging.INFO, event) == [("INFO", "kafka connected: from 127.0.0.1:5000")]


def test_a_bug_of_ours_is_left_to_the_transport(caplog):
    assert logged(caplog, logging.DEBUG, BrokerFailed("mqtt", 1, "", "oops", "trace")) == []


def test_a_client_that_has_no_name_is_named_by_its_address(caplog):
    lines = logged(
        caplog,
        logging.WARNING,
        ConnectionOpened("kafka", 1, "127.0.0.1:5000"),
        ConnectionOpened("mqtt", 2, "10.0.0.1:6000"),
        ClientBehindProxy("mqtt", 2, "10.0.0.7:7000", "10.0.0.1:6000"),
        ProtocolViolated("kafka", 1, "", "it speaks TLS to the plain Kafka port 9092"),
        AccessDenied("mqtt", 2, "", "alice", "connect", "wrong password"),
        ConnectionClosed("kafka", 1, "shop", "it ended"),
        ProtocolViolated("kafka", 1, "", "it is over"),
    )
    assert [text for _, text in lines] == [
        "kafka protocol error 127.0.0.1:5000: it speaks TLS to the plain Kafka port 9092",
        "mqtt access denied 10.0.0.7:7000: alice: connect: wrong password",
        "kafka protocol error: it is over",
    ]
