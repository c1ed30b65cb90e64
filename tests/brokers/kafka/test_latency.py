"""How long requests took, as a scraper sees it; the time is a manual one."""

from mockforge_brokers.kafka.requests import _MEASURED

from .scene import Scene, fetch, produce


def timed() -> Scene:
    scene = Scene()
    scene.environment.turn.now = scene.clock.now
    scene.broker.create_topic("t", 1)
    return scene


def seen(scene):
    """How many of each API, and how long all of them took."""
    (histogram,) = scene.environment.histograms
    assert histogram.name == "kafka_request_seconds"
    return {labels[0]: (each.count, round(each.total, 6)) for labels, each in histogram.read()}


def test_a_request_that_is_parked_takes_until_its_answer():
    scene = timed()
    consumer, producer = scene.network.connect(), scene.network.connect()
    scene.ask(consumer, fetch("t", 0, wait=60_000), 11)
    assert seen(scene) == {}
    scene.clock.advance(0.25)
    scene.ask(producer, produce("t", b"v"), 9)
    assert seen(scene) == {"Fetch": (1, 0.25), "Produce": (1, 0)}
    # One that waits behind it does not count that as its own time.
    scene.ask(consumer, fetch("t", 1, wait=1_000), 11)
    scene.ask(consumer, fetch("t", 0, wait=1_000), 11)
    scene.clock.advance(1.0)
    scene.network.settle()
    assert seen(scene)["Fetch"] == (3, 1.25)


def test_of_the_short_way_one_stands_for_sixteen():
    scene = timed()
    producer = scene.network.connect()
    for _ in range(3 * _MEASURED):
        scene.ask(producer, produce("t", b"v"), 9)
    # The first one goes the long way, and each sixteenth stands for those before it.
    assert seen(scene) == {"Produce": (1 + 3 * _MEASURED, 0)}


def test_who_is_abandoned_or_asks_for_nothing_is_not_counted_and_a_reset_forgets():
    scene = timed()
    consumer = scene.network.connect()
    scene.ask(consumer, fetch("t", 0, wait=60_000), 11)
    consumer.vanish()
    scene.clock.advance(60)
    assert seen(scene) == {}
    scene.call(fetch("t", 0), 11)
    assert seen(scene) == {"Fetch": (1, 0)}
    scene.broker.reset()
    assert seen(scene) == {}
