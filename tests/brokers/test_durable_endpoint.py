"""What confirms leaves when it is true, in order, and in one write; no sockets."""

import asyncio

import pytest
from mockforge_brokers.clock import ManualClock
from mockforge_brokers.environment import Environment
from mockforge_brokers.fairness import FULL
from mockforge_brokers.journal import OUT
from mockforge_brokers.listener import Listener
from mockforge_brokers.misbehaviour.actions import Delay, Disconnect, Duplicate, Reorder
from mockforge_brokers.transport import Server

from .keeping_lines import KeepingBroker
from .lines import is_word
from .misbehaving import fault, hold
from .storage.memory_disk import MemoryDisk
from .wire import Wire


class Scene:
    """A server on a disk in the test's hands; `turn` is what the loop does at a turn's end."""

    def __init__(self, *, prompt=False):
        self.clock = ManualClock(1.0)
        self.environment = Environment.create(self.clock, seed=1)
        self.disk = MemoryDisk(at_once=prompt)
        self.store = self.disk.store_for(self.environment, prompt=prompt)
        self.broker = KeepingBroker(self.environment)
        self.server = Server(self.broker, self.environment)
        # However slow the machine is, what comes is handled in one go, and at once.
        self.environment.turn.length = 60.0
        self.server.backlog.crowded = lambda: False

    def join(self):
        endpoint = self.server._endpoint(Listener("lines"))
        endpoint.connection_made(Wire())
        return endpoint, endpoint.transport.writes

    def commit(self):
        self.clock.advance(self.store.interval)
        self.disk.commit()


def run(test, **how):
    async def main():
        await test(Scene(**how))

    asyncio.run(main())


def test_an_answer_waits_for_its_group_and_those_behind_it_wait_too():
    async def test(scene):
        one, written = scene.join()
        other, heard = scene.join()
        one.data_received(b"keep a\n")
        one.data_received(b"hello\n")
        other.data_received(b"hello\n")
        await asyncio.sleep(0)
        assert (written, heard) == ([], [b"hello\n"])
        assert one.waiting == len(b"keep a\nhello\n")
        scene.commit()
        assert written == [b"keep a\nhello\n"], "one write for all of them"
        assert one.waiting == 0
        one.data_received(b"again\n")
        assert written[1:] == [b"again\n"]

    run(test)


def test_a_later_group_waits_longer():
    async def test(scene):
        one, written = scene.join()
        one.data_received(b"keep a\n")
        scene.clock.advance(scene.store.interval)
        for text in (b"keep b\n", b"c\n"):
            one.data_received(text)
        scene.disk.commit()
        assert written == [b"keep a\n"]
        scene.commit()
        assert written == [b"keep a\n", b"keep b\nc\n"]

    run(test)


def test_each_shape_of_output_is_held_whole():
    async def test(scene):
        one, written = scene.join()
        expected = b""
        for asked, answer in (
            (b"keep a\nb\nc\n", b"keep a\nb\nc\n"),
            (b"keep a\nbig 70000\n", b"keep a\n" + b"x" * 69_999 + b"\nend\n"),
            (b"keep a\nviews 1\n", b"keep a\n1\n"),
        ):
            one.data_received(asked)
            one.data_received(b"views 2\n")
            expected += answer + b"2\n"
            assert one.waiting == len(answer + b"2\n"), asked
            scene.commit()
            assert b"".join(written) == expected, asked
        chunks = sorted(scene.environment.journal.since(0), key=lambda chunk: chunk.seq)
        assert b"".join(chunk.data for chunk in chunks if chunk.direction == OUT) == expected

    run(test)


def test_a_fault_that_is_added_meanwhile_is_about_what_is_held():
    async def test(scene):
        one, written = scene.join()
        one.data_received(b"keep a\n")
        rule = scene.environment.faults.add(fault(Delay(0.5), is_word("keep", OUT)))
        scene.commit()
        assert written == []
        scene.clock.advance(0.5)
        assert written == [b"keep a\n"]
        scene.environment.faults.remove(rule)

    run(test)


def test_what_waits_in_vain_is_never_written_and_its_connection_is_cut_off():
    async def test(scene):
        one, written = scene.join()
        one.data_received(b"keep a\n")
        scene.clock.advance(scene.store.interval)
        scene.store.failed("the disk is full")
        scene.disk.commit()
        assert written == []
        assert one.closing

    run(test)


def test_who_is_closed_hears_what_was_held_first():
    async def test(scene):
        one, written = scene.join()
        one.data_received(b"keep a\nbye\n")
        assert (written, one.closing) == ([], True)
        scene.commit()
        assert b"".join(written) == b"keep a\nbye\n"

    run(test)


def test_where_the_disk_makes_nobody_wait_an_answer_leaves_when_its_fact_is_written():
    async def test(scene):
        one, written = scene.join()
        one.data_received(b"keep a\n")
        assert (written, list(scene.disk.rows.values())) == ([b"keep a\n"], [b"a"])
        one.data_received(b"hello\n")
        assert written[1:] == [b"hello\n"]

    run(test, prompt=True)


def test_where_many_speak_all_facts_of_the_turn_are_written_as_one_before_the_answers():
    async def test(scene):
        ends = [scene.join() for _ in range(6)]
        # However long it takes, they speak at one time.
        scene.server.turns._now = lambda: 0.0
        groups = scene.store.group
        for number, (one, _) in enumerate(ends):
            one.data_received(b"keep %d\n" % number)
        answered = [bool(written) for _, written in ends]
        assert answered == [True, True, False, False, False, False]
        assert len(scene.disk.rows) == 2
        await asyncio.sleep(0)
        assert [written for _, written in ends] == [[b"keep %d\n" % each] for each in range(6)]
        assert (len(scene.disk.rows), scene.store.group - groups) == (6, 3)

    run(test, prompt=True)


def test_no_crowd_is_answered_before_its_facts_are_on_disk():
    async def test(scene):
        ends = [scene.join() for _ in range(12)]
        scene.server.turns._now = lambda: 0.0
        scene.disk.at_once = False
        for number, (one, _) in enumerate(ends):
            one.data_received(b"keep %d\n" % number)
        await asyncio.sleep(0)
        assert [written for _, written in ends] == [[] for _ in ends]
        for _ in range(2):
            scene.disk.commit()
        assert [written for _, written in ends] == [[b"keep %d\n" % each] for each in range(12)]

    run(test, prompt=True)


def test_a_full_read_is_written_and_answered_while_its_client_sends_more():
    async def test(scene):
        one, written = scene.join()
        for number in range(1, 4):
            one.data_received(b"keep %b\n" % (b"%d" % number * FULL))
            assert (len(scene.disk.rows), len(written)) == (number, number)

    run(test, prompt=True)


@pytest.mark.parametrize("at_once", [True, False])
def test_who_told_others_and_heard_nothing_waits_for_that_fact_and_no_later_one(at_once):
    """It is written before the others hear of it, and the next group may never come."""

    async def test(scene):
        one, written = scene.join()
        _, heard = scene.join()
        scene.disk.at_once = at_once
        one.data_received(b"tell a\n")
        assert heard == [b"a\n"]
        one.data_received(b"hello\n")
        if not at_once:
            assert written == []
            scene.disk.commit()
        assert written == [b"hello\n"]
        assert list(scene.disk.rows.values()) == [b"a"]

    run(test, prompt=True)


def test_what_is_written_by_a_thread_is_waited_for_all_the_same():
    async def test(scene):
        one, written = scene.join()
        other, heard = scene.join()
        scene.disk.at_once = False
        one.data_received(b"keep a\n")
        other.data_received(b"keep b\n")
        await asyncio.sleep(0)
        assert (written, heard) == ([], [])
        scene.disk.commit()
        assert (written, heard) == ([b"keep a\n"], [])
        # What came meanwhile is the next group at once, whether anybody speaks again or not.
        scene.disk.commit()
        assert heard == [b"keep b\n"]

    run(test, prompt=True)


def test_the_end_of_another_in_the_midst_of_a_request_writes_no_half_of_it():
    """What closes a connection flushes it, and that may be somebody else's request."""

    async def test(scene):
        one, written = scene.join()

        def request():
            scene.store.append(1, 900, b"first")
            one.connection.out.append(b"x")
            one.close("a takeover")
            scene.store.append(1, 901, b"second")

        one.work(request)
        assert (written, scene.disk.rows) == ([], {})
        scene.clock.advance(scene.store.interval)
        assert (written, list(scene.disk.rows.values())) == ([b"x"], [b"first", b"second"])

    run(test, prompt=True)


@pytest.mark.parametrize("how", ["delayed", "held", "overtaken", "repeated"])
def test_what_a_fault_or_hold_let_wait_is_answered_when_it_is_on_disk(how):
    async def test(scene):
        one, written = scene.join()
        environment = scene.environment
        if how == "held":
            environment.holds.add(hold(is_word("keep")))
        else:
            actions = {"delayed": Delay(1.0), "overtaken": Reorder(9, 1.0), "repeated": Delay(1.0)}
            environment.faults.add(fault(actions[how], is_word("keep")))
        if how == "repeated":
            environment.faults.add(fault(Duplicate(), is_word("again")))
        one.data_received(b"keep a\nagain\n" if how == "repeated" else b"keep a\n")
        if how == "held":
            environment.holds.clear()
        else:
            scene.clock.advance(1.0)
        await asyncio.sleep(0)
        assert one.connection.lines[0] == b"keep a\n"
        assert written == []
        scene.commit()
        assert written[0].startswith(b"keep a\n")

    run(test)


def test_a_fault_that_ends_the_connection_as_an_answer_goes_out_ends_it_for_good():
    async def test(scene):
        one, written = scene.join()
        one.data_received(b"keep a\n")
        scene.environment.faults.add(fault(Disconnect(), is_word("keep", OUT)))
        scene.commit()
        one.data_received(b"late\n")
        assert (written, one.closing) == ([], True)
        assert one.connection.lines == [b"keep a\n"], "what comes after the end has no effect"

    run(test)
