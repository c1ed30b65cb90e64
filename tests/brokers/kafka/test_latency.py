"""How long requests took, as a scraper sees it; the time is a manual one."""

from mockforge_brokers.kafka.requests import _MEASURED

from .stage import Stage, fetch, produce


def timed() -> Stage:
    stage = Stage()
    stage.environment.turn.now = stage.clock.now
    stage.broker.create_topic("t", 1)
    return stage


def seen(stage):
    """How many of each API, and how long all of them took."""
    (histogram,) = stage.environment.histograms
    assert histogram.name == "kafka_request_seconds"
    return {labels[0]: (each.count, round(each.total, 6)) for labels, each in histogram.read()}


def test_a_request_that_is_parked_takes_until_its_answer():
    stage = timed()
    consumer, producer = stage.network.connect(), stage.network.connect()
    stage.ask(consumer, fetch("t", 0, wait=60_000), 11)
    assert seen(stage) == {}
    stage.clock.advance(0.25)
    stage.ask(producer, produce("t", b"v"), 9)
    assert seen(stage) == {"Fetch": (1, 0.25), "Produce": (1, 0)}
    # One that waits behind it does not count that as its own time.
    stage.ask(consumer, fetch("t", 1, wait=1_000), 11)
    stage.ask(consumer, fetch("t", 0, wait=1_000), 11)
    stage.clock.advance(1.0)
    stage.network.settle()
    assert seen(stage)["Fetch"] == (3, 1.25)


def test_of_the_short_way_one_stands_for_sixteen():
    stage = timed()
    producer = stage.network.connect()
    for _ in range(3 * _MEASURED):
        stage.ask(producer, produce("t", b"v"), 9)
    # The first one goes the long way, and each sixteenth stands for those before it.
    assert seen(stage) == {"Produce": (1 + 3 * _MEASURED, 0)}


def test_who_is_abandoned_or_asks_for_nothing_is_not_counted_and_a_reset_forgets():
    stage = timed()
    consumer = stage.network.connect()
    stage.ask(consumer, fetch("t", 0, wait=60_000), 11)
    consumer.vanish()
    stage.clock.advance(60)
    assert seen(stage) == {}
    stage.call(fetch("t", 0), 11)
    assert seen(stage) == {"Fetch": (1, 0)}
    stage.broker.reset()
    assert seen(stage) == {}
