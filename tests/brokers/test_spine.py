from mockforge_brokers.clock import ManualClock
from mockforge_brokers.events import ConnectionClosed, ConnectionOpened, Event
from mockforge_brokers.spine import Spine

OPENED = ConnectionOpened("mqtt", 1, "127.0.0.1:5")
CLOSED = ConnectionClosed("mqtt", 1, "a", "went")


def test_watchers_get_the_kinds_they_asked_for_in_order():
    spine = Spine(ManualClock())
    everything: list[Event] = []
    closings: list[Event] = []
    spine.watch(everything.append)
    spine.watch(closings.append, ConnectionClosed)
    spine.emit(OPENED)
    spine.emit(CLOSED)
    assert everything == [OPENED, CLOSED]
    assert closings == [CLOSED]


def test_a_watcher_that_stopped_is_told_nothing_more():
    spine = Spine(ManualClock())
    seen: list[Event] = []
    stop = spine.watch(seen.append)
    stop()
    stop()
    spine.emit(OPENED)
    assert seen == []


def test_a_failing_watcher_stops_nobody(caplog):
    spine = Spine(ManualClock())
    seen: list[Event] = []
    spine.watch(lambda event: 1 / 0)
    spine.watch(seen.append)
    spine.emit(OPENED)
    assert seen == [OPENED]
    assert "a watcher failed" in caplog.text


def test_history_keeps_the_newest_with_their_time():
    clock = ManualClock(wall=100.0)
    spine = Spine(clock, keep=1)
    spine.emit(OPENED)
    clock.advance(1)
    spine.emit(CLOSED)
    assert list(spine.history) == [(101.0, CLOSED)]
    assert spine.emitted == 2
