"""A partition cuts a connection's ways for a while, and loses nothing of what waits."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from mockforge_brokers.journal import IN, OUT
from mockforge_brokers.limits import Limits
from mockforge_brokers.misbehaviour.actions import Delay, Partition
from mockforge_brokers.misbehaviour.exchanges import Exchanges
from mockforge_brokers.misbehaviour.lane import Lane

from ..lines import is_word
from ..misbehaving import fault, lane
from .scene import Scene

BOTH = (IN, OUT)


class Line(Scene):
    """Both directions of one connection, and what passed in each."""

    def __init__(self, limits: Limits | None = None) -> None:
        super().__init__(limits=limits)
        self.exchanges = Exchanges()
        self.arrived: dict[int, list[bytes]] = {IN: [], OUT: []}
        self.lanes: dict[int, Lane] = {
            way: lane(
                way,
                self.connection,
                self.peer,
                self.environment,
                self.arrived[way].append,
                self.exchanges,
            )
            for way in BOTH
        }

    def send(self, way: int, data: bytes) -> None:
        self.lanes[way].feed(data)

    def text(self, way: int) -> bytes:
        return b"".join(self.arrived[way])


@pytest.mark.parametrize(("direction", "cut"), [(None, {IN, OUT}), (IN, {IN}), (OUT, {OUT})])
def test_what_waits_goes_on_in_order_when_the_partition_is_mended(direction, cut) -> None:
    line = Line()
    rule = line.faults.add(
        fault(Partition(), is_word("x", direction or IN), direction=direction, times=1)
    )
    line.send(direction or IN, b"a\nx\nb\n")
    for way in BOTH:
        line.send(way, b"c\nd\n")
    line.clock.advance(3_600)
    assert line.text(direction or IN) == b"a\n"
    assert {way for way in BOTH if not line.lanes[way].idle} == cut
    line.faults.remove(rule.id)
    assert line.text(direction or IN) == b"a\nx\nb\nc\nd\n"
    other = OUT if direction in (None, IN) else IN
    assert line.text(other) == b"c\nd\n"
    assert line.peer.ended == ""
    assert all(line.lanes[way].idle for way in BOTH)


def test_a_partition_of_a_duration_is_mended_by_itself_and_may_come_again() -> None:
    line = Line()
    rule = line.faults.add(fault(Partition(10.0), is_word("x")))
    for _ in range(2):
        line.send(IN, b"x\n")
        line.clock.advance(9.9)
        line.send(IN, b"x\n")
        assert line.text(IN) == b""
        line.clock.advance(0.1)
        assert line.text(IN) == b"x\nx\n"
        line.arrived[IN].clear()
    assert rule.hits == 4
    assert rule.effects == {}


def test_of_two_partitions_the_last_to_end_mends_the_connection() -> None:
    line = Line()
    first, second = (
        line.faults.add(fault(Partition(), is_word(word), direction=way))
        for word, way in (("x", None), ("y", IN))
    )
    line.send(IN, b"x\n")
    line.faults.enable(first.id, False)
    assert line.text(IN) == b"x\n"
    line.send(IN, b"y\n")
    line.faults.enable(first.id, True)
    line.send(IN, b"x\n")
    line.send(OUT, b"z\n")
    line.faults.remove(first.id)
    assert (line.text(IN), line.text(OUT)) == (b"x\n", b"z\n")
    line.faults.remove(second.id)
    assert line.text(IN) == b"x\ny\nx\n"


def test_what_was_on_its_way_before_the_cut_still_arrives() -> None:
    line = Line()
    line.faults.add(fault(Delay(1.0), is_word("slow")))
    line.faults.add(fault(Partition(), is_word("x")))
    line.send(IN, b"slow\nx\n")
    line.clock.advance(1.0)
    assert line.text(IN) == b"slow\n"


def test_more_than_may_wait_is_left_in_the_network() -> None:
    line = Line(Limits(delayed_bytes=6))
    rule = line.faults.add(fault(Partition(), is_word("x")))
    line.send(IN, b"x\n12\n34\n")
    assert line.peer.paused
    line.faults.remove(rule.id)
    assert line.text(IN) == b"x\n12\n34\n"
    assert not line.peer.paused


def test_a_connection_that_is_gone_is_no_concern_of_the_partition() -> None:
    line = Line()
    rule = line.faults.add(fault(Partition(10.0), is_word("x")))
    line.send(IN, b"x\n")
    for way in BOTH:
        line.lanes[way].end()
    line.exchanges.lighten()
    assert rule.effects == {}
    line.clock.advance(10)
    assert line.text(IN) == b""


@given(
    st.lists(
        st.one_of(
            st.tuples(st.sampled_from(BOTH), st.sampled_from([b"x\n", b"y\n", b"12", b"34\n"])),
            st.sampled_from(["mend", "later", "cut"]),
        ),
        max_size=30,
    )
)
def test_whatever_is_cut_and_mended_nothing_is_lost_or_overtaken(steps) -> None:
    line = Line()
    sent: dict[int, bytes] = {IN: b"", OUT: b""}
    line.faults.add(fault(Partition(5.0), is_word("x")))
    for step in steps:
        match step:
            case "mend":
                line.faults.clear()
            case "later":
                line.clock.advance(2.0)
            case "cut":
                line.faults.add(fault(Partition(), is_word("y", OUT), direction=OUT))
            case (way, data):
                sent[way] += data
                line.send(way, data)
        for way in BOTH:
            assert sent[way].startswith(line.text(way))
    line.faults.clear()
    for way in BOTH:
        whole = sent[way][: sent[way].rfind(b"\n") + 1]
        assert line.text(way) == whole
        assert line.lanes[way].idle
