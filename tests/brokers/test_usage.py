"""Limits: how far they are used, how often they were met, and how that is reported."""

from mockforge_brokers.clock import ManualClock
from mockforge_brokers.events import LimitReached
from mockforge_brokers.limits import LIMITS, Limits
from mockforge_brokers.spine import Spine
from mockforge_brokers.usage import REPORT_EVERY, Usage

EFFECT = "messages dropped: {lost:,}, the last to {last}"


class World:
    def __init__(self) -> None:
        self.clock = ManualClock()
        spine = Spine(self.clock)
        self.usage = Usage(self.clock, spine, Limits())
        self.events: list[LimitReached] = []
        spine.watch(self.events.append, LimitReached)

    def meet(self, where: str = "s", last: str = "t", lost: int = 1) -> None:
        self.usage.met("mqtt", "mqtt_retained", where, EFFECT, lost=lost, last=last)

    def view(self, name: str = "mqtt_retained"):
        return next(view for view in self.usage.views() if view.name == name)


def test_the_first_time_is_reported_at_once_and_the_rest_in_one_event() -> None:
    world = World()
    for number in range(2_001):
        world.meet(last=f"t/{number}")
    assert [event.effect for event in world.events] == ["messages dropped: 1, the last to t/0"]
    world.clock.advance(REPORT_EVERY)
    event = world.events[1]
    assert event.effect == "messages dropped: 2,000, the last to t/2000"
    assert (event.times, event.lost) == (2_000, 2_000)
    assert (world.view().met, world.view().lost) == (2_001, 2_001)


def test_a_place_where_nothing_more_happens_is_quiet_and_forgotten() -> None:
    world = World()
    world.meet()
    world.clock.advance(REPORT_EVERY * 5)
    assert len(world.events) == 1
    world.meet(lost=7)
    assert [event.lost for event in world.events] == [1, 7], "new, so at once"


def test_at_the_end_nothing_stays_unreported() -> None:
    world = World()
    for _ in range(5):
        world.meet()
    world.usage.report()
    assert [event.lost for event in world.events] == [1, 4]


def test_very_many_places_are_reported_as_one() -> None:
    world = World()
    for number in range(3_000):
        world.meet(where=f"client-{number}")
    assert len(world.events) == 1_000
    world.clock.advance(REPORT_EVERY)
    assert len(world.events) == 1_001
    assert (world.events[-1].where, world.events[-1].lost) == ("elsewhere", 2_000)


def test_each_limit_shows_its_value_and_what_is_in_use() -> None:
    world = World()
    assert [view.name for view in world.usage.views()] == list(LIMITS)
    assert (world.view().used, world.view().value) == (None, Limits().mqtt_retained)
    world.usage.gauge("mqtt_retained", lambda: 3)
    world.usage.gauge("mqtt_retained", lambda: 5, lambda: 2)
    assert (world.view().used, world.view().met) == (5, 2)
