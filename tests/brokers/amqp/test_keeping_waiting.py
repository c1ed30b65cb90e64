"""What waits outside of its queue and is on disk all the same: undelivered dead letters, delays."""

import itertools

import pytest
from mockforge_brokers.amqp.records import plain
from mockforge_brokers.amqp.state.memory import COST
from mockforge_brokers.amqp.state.queues.quorum import QuorumQueue
from mockforge_brokers.amqp.v1_0.wire import message
from mockforge_brokers.errors import InvalidInput
from msgspec import msgpack

from ..storage.memory_disk import MemoryDisk
from .client import AT_LEAST_ONCE, Client, Scene
from .test_keeping import PERSISTENT, drain, on_disk, reopened, rows
from .v1_0.client import Client as LaterClient

TO_DLX = {**AT_LEAST_ONCE, "x-dead-letter-exchange": "dlx"}
RETRY = 180


def dying(client: Client, *, count: int = 3, durable: bool = True) -> None:
    """Messages of a quorum queue that were rejected, and whose exchange leads nowhere yet."""
    client.send("exchange.declare", exchange="dlx", exchange_type="fanout", durable=durable)
    client.send("queue.declare", queue="q", durable=True, arguments=TO_DLX)
    for number in range(count):
        client.publish("", "q", b"%d" % number, **PERSISTENT)
        client.send("basic.get", queue="q")
    client.send("basic.nack", delivery_tag=0, multiple=True, requeue=False)


def bind(client: Client) -> None:
    client.send("queue.declare", queue="dead", durable=True)
    client.send("queue.bind", queue="dead", exchange="dlx")


def note_of(scene: Scene, name: str = "q") -> str:
    (view,) = (view for view in scene.broker.destinations() if view.name == name)
    return view.note


def test_dead_letters_that_wait_for_a_queue_are_there_again_and_are_tried_at_once() -> None:
    scene, disk = on_disk()
    dying(scene.client())
    assert note_of(scene) == "3 dead-lettered, 3 dead letters wait for a queue"
    scene.advance(0.01)
    assert rows(disk) == 3
    later = reopened(scene, disk)
    assert note_of(later).endswith("3 dead letters wait for a queue")
    client = later.client()
    bind(client)
    later.advance(0)
    assert [body for body, _ in drain(client, "dead")] == [b"0", b"1", b"2"]
    assert later.broker.memory.used == 0


def test_a_dead_letter_that_finds_no_queue_after_a_start_either_is_tried_again() -> None:
    scene, disk = on_disk()
    dying(scene.client(), count=1)
    scene.advance(0.01)
    for _ in range(2):
        later = Scene(disk=disk, found=disk.kept(clean=False))
        later.advance(RETRY + 1)
        assert rows(disk) == 1
    bind(later.client())
    later.advance(RETRY + 1)
    client = later.client()
    (got,) = client.send("basic.get", queue="dead", no_ack=True)
    (death,) = plain(got.properties["headers"])["x-death"]
    assert (got.body, death["queue"], death["reason"]) == (b"0", "q", "rejected")
    later.advance(0.01)
    assert rows(disk) == 0


def test_a_dead_letter_goes_from_one_log_to_the_other_in_one_group() -> None:
    scene, disk = on_disk()
    client = scene.client()
    dying(client, count=1)
    bind(client)
    scene.advance(0.01)
    (before,) = disk.rows
    scene.advance(RETRY)
    scene.advance(0.01)
    (after,) = disk.rows
    assert before != after
    assert [body for body, _ in drain(reopened(scene, disk).client(), "dead")] == [b"0"]


AT_MOST_ONCE = [
    {"x-dead-letter-exchange": "dlx"},
    {"x-dead-letter-exchange": "dlx", "x-queue-type": "quorum"},
]


def wide_dead_letters(scene: Scene, *, count: int, arguments: dict[str, str] = TO_DLX) -> None:
    """The first of them is in some of very many queues, the others wait behind it."""
    turn, vhost = scene.environment.turn, scene.broker.vhost()
    client = scene.client()
    client.send("exchange.declare", exchange="dlx", exchange_type="fanout", durable=True)
    for number in range(WIDE):
        name = f"dead-{number}"
        vhost.declare_queue(name, durable=True)
        vhost.bind_queue(name, "dlx", "", {})
    client.send("queue.declare", queue="q", durable=True, arguments=arguments)
    for number in range(count):
        client.publish("", "q", b"%d" % number, **PERSISTENT)
    scene.advance(0.01)
    turn.now, turn.length = itertools.count().__next__, 0.0
    for _ in range(count):
        client.send("basic.get", queue="q")
    client.send("basic.nack", delivery_tag=0, multiple=True, requeue=False)
    assert scene.broker.vhost().queues["dead-0"].messages
    assert not scene.broker.vhost().queues[LAST].messages


WIDE = 1000
LAST = f"dead-{WIDE - 1}"


def test_dead_letters_behind_one_for_very_many_queues_are_on_disk() -> None:
    scene, disk = on_disk()
    wide_dead_letters(scene, count=3)
    disk.store.prompt = True
    disk.store.commit()
    later = Scene(disk=MemoryDisk(), found=disk.kept(clean=False))
    later.advance(0)
    client = later.client()
    assert [body for body, _ in drain(client, LAST)] == [b"0", b"1", b"2"]
    # The first one reached some of them before: at least once.
    assert [body for body, _ in drain(client, "dead-0")] == [b"0", b"0", b"1", b"2"]


def test_dead_letters_for_very_many_queues_are_nowhere_twice_after_a_clean_stop() -> None:
    scene, disk = on_disk()
    wide_dead_letters(scene, count=3)
    disk.store.close()
    disk_of_later = MemoryDisk()
    later = Scene(disk=disk_of_later, found=disk.kept())
    later.advance(0)
    client = later.client()
    for name in ("dead-0", LAST):
        assert [body for body, _ in drain(client, name)] == [b"0", b"1", b"2"]
    later.advance(0.01)
    assert later.broker.memory.used == (WIDE - 2) * 3 * (1 + COST)


@pytest.mark.parametrize("arguments", AT_MOST_ONCE)
def test_dead_letters_that_have_no_row_are_in_very_many_queues_after_a_clean_stop(
    arguments: dict[str, str],
) -> None:
    scene, disk = on_disk()
    wide_dead_letters(scene, count=3, arguments=arguments)
    disk.store.close()
    later = Scene(disk=MemoryDisk(), found=disk.kept())
    later.advance(0)
    client = later.client()
    for name in ("dead-0", LAST):
        assert [body for body, _ in drain(client, name)] == [b"0", b"1", b"2"]
    assert drain(client, "q") == []
    # Whoever did the steps so far finds none left.
    scene.advance(0)
    assert len(scene.broker.vhost().queues[LAST].messages) == 3


def test_dead_letters_for_very_many_queues_leave_no_row_behind() -> None:
    scene, disk = on_disk()
    wide_dead_letters(scene, count=3)
    scene.advance(0.01)
    scene.advance(0.01)
    assert rows(disk) == WIDE * 3


def test_a_group_that_is_written_among_the_steps_of_a_retry_has_each_dead_letter() -> None:
    scene, disk = on_disk()
    client = scene.client()
    dying(client, count=1000)
    bind(client)
    scene.advance(0.01)
    queue = scene.broker.vhost().queues["q"]
    assert isinstance(queue, QuorumQueue)
    assert rows(disk) == len(queue.undelivered) == 1000
    turn = scene.environment.turn
    turn.now, turn.length = itertools.count().__next__, 0.0
    queue.retry()
    assert 0 < len(queue.undelivered) < 1000
    disk.store.close()
    assert rows(disk) == 1000


@pytest.mark.parametrize("hard", [False, True])
def test_a_restart_keeps_dead_letters_that_wait(hard: bool) -> None:
    scene, disk = on_disk()
    dying(scene.client())
    scene.advance(0.01)
    scene.broker.restart(hard=hard)
    assert note_of(scene).endswith("3 dead letters wait for a queue")
    client = scene.client()
    bind(client)
    scene.advance(0)
    assert [body for body, _ in drain(client, "dead")] == [b"0", b"1", b"2"]
    scene.advance(0.01)
    assert rows(disk) == 0


def test_in_memory_a_restart_keeps_dead_letters_that_wait_too() -> None:
    scene = Scene()
    dying(scene.client())
    scene.broker.restart()
    client = scene.client()
    bind(client)
    scene.advance(0)
    assert [body for body, _ in drain(client, "dead")] == [b"0", b"1", b"2"]


def test_a_purge_leaves_dead_letters_that_wait_and_a_deletion_does_not() -> None:
    scene, disk = on_disk()
    client = scene.client()
    dying(client, count=2)
    client.publish("", "q", b"ready", **PERSISTENT)
    client.send("queue.purge", queue="q")
    scene.advance(0.01)
    assert rows(disk) == 2
    later = reopened(scene, disk)
    assert note_of(later).endswith("2 dead letters wait for a queue")
    client.send("queue.delete", queue="q")
    scene.advance(0.01)
    assert rows(disk) == 0


def test_what_is_published_after_a_start_takes_no_row_of_a_dead_letter() -> None:
    scene, disk = on_disk()
    dying(scene.client(), count=2)
    scene.advance(0.01)
    later = Scene(disk=disk, found=disk.kept(clean=False))
    later.client().publish("", "q", b"new", **PERSISTENT)
    later.advance(0.01)
    assert rows(disk) == 3
    again = reopened(later, disk)
    assert [body for body, _ in drain(again.client(), "q")] == [b"new"]
    assert note_of(again).endswith("2 dead letters wait for a queue")


# x-delayed-message.


def delaying(client: Client, *, durable: bool = True) -> None:
    client.send(
        "exchange.declare",
        exchange="later",
        exchange_type="x-delayed-message",
        durable=durable,
        arguments={"x-delayed-type": "topic"},
    )
    client.send("queue.declare", queue="q", durable=True)
    client.send("queue.bind", queue="q", exchange="later", routing_key="a.#")


def delay(client: Client, body: bytes, milliseconds: int, **properties: object) -> None:
    client.publish("later", "a.b", body, headers={"x-delay": milliseconds}, **properties)


def test_what_is_delayed_is_there_again_and_comes_when_it_is_due() -> None:
    scene, disk = on_disk()
    client = scene.client()
    delaying(client)
    delay(client, b"later", 9000, **PERSISTENT)
    delay(client, b"soon", 5000, **PERSISTENT)
    # As with the plugin, whose table knows no delivery mode.
    delay(client, b"transient", 7000)
    scene.advance(1)
    later = Scene(disk=MemoryDisk())
    later.clock.advance(1.01)
    later.broker.take_up(disk.kept())
    client = later.client()
    came = []
    for _ in range(9):
        came.append(b"".join(body for body, _ in drain(client, "q")))
        later.advance(1)
    assert came == [b"", b"", b"", b"", b"soon", b"", b"transient", b"", b"later"]
    assert later.broker.memory.used == 0


def test_what_fell_due_while_nobody_ran_comes_at_once_and_in_order() -> None:
    scene, disk = on_disk()
    client = scene.client()
    delaying(client)
    for seconds in (3, 1, 2):
        delay(client, b"%d" % seconds, seconds * 1000, **PERSISTENT)
    scene.advance(0.01)
    later = Scene(disk=disk)
    later.clock.advance(60)
    later.broker.take_up(disk.kept())
    later.advance(0.01)
    assert [body for body, _ in drain(later.client(), "q")] == [b"1", b"2", b"3"]
    later.advance(0.01)
    assert rows(disk) == 0


def test_what_falls_due_while_nothing_can_be_written_waits_until_it_can() -> None:
    scene, disk = on_disk()
    client = scene.client()
    delaying(client)
    for number in (1, 2):
        delay(client, b"%d" % number, number * 1000, **PERSISTENT)
    scene.advance(0.01)
    disk.store.failed("the disk is full")
    scene.advance(3)
    assert note_of(scene, "later").endswith("2 delayed")
    assert rows(disk) == 2
    client.send("queue.declare", queue="other", durable=True)
    scene.advance(0.01)
    assert not disk.store.failing
    assert [body for body, _ in drain(reopened(scene, disk).client(), "q")] == [b"1", b"2"]
    assert [body for body, _ in drain(client, "q")] == [b"1", b"2"]
    assert scene.broker.memory.used == 0


def test_what_is_to_be_held_while_nothing_can_be_written_is_refused() -> None:
    scene, disk = on_disk()
    delaying(scene.client())
    later = LaterClient(scene).connect()
    later.sender("/exchanges/later/a.b")
    scene.advance(0.01)
    disk.store.failed("the disk is full")
    with pytest.raises(InvalidInput):
        scene.broker.publish("later", "a.b", b"x", properties={"headers": {"x-delay": 1000}})
    data = message.data_section(b"x")
    sent = message.bare_message({}, {"x-delay": 1000}, data)
    (disposition,) = later.transfer(payload=sent)
    assert disposition.state == "released"
    assert scene.broker.memory.used == 0


def test_what_is_overdue_goes_with_its_exchange() -> None:
    scene, disk = on_disk()
    client = scene.client()
    delaying(client)
    delay(client, b"x", 1000, **PERSISTENT)
    scene.advance(0.01)
    disk.store.failed("the disk is full")
    scene.advance(2)
    client.send("exchange.delete", exchange="later")
    scene.advance(0.01)
    assert not disk.store.failing
    assert drain(client, "q") == []
    assert rows(disk) == 0


def test_a_delayed_message_keeps_where_it_came_from_and_what_it_carries() -> None:
    scene, disk = on_disk()
    client = scene.client()
    delaying(client)
    client.send("exchange.declare", exchange="front", exchange_type="fanout", durable=True)
    client.send("exchange.bind", destination="later", source="front")
    client.publish(
        "front", "a.x", b"v", headers={"x-delay": 50, "n": 7}, message_id="m1", **PERSISTENT
    )
    later = reopened(scene, disk)
    later.advance(1)
    (got,) = later.client().send("basic.get", queue="q")
    assert (got["exchange"], got["routing_key"], got.body) == ("front", "a.x", b"v")
    assert got.properties["message_id"] == "m1"
    assert plain(got.properties["headers"]) == {"x-delay": -50, "n": 7}


@pytest.mark.parametrize("how", ["restart", "start", "start of old"])
def test_a_delayed_message_goes_by_its_bcc_after_a_start_too(how: str) -> None:
    scene, disk = on_disk()
    client = scene.client()
    delaying(client)
    client.send("queue.declare", queue="copied", durable=True)
    client.send("queue.bind", queue="copied", exchange="later", routing_key="copied")
    headers = {"x-delay": 5000, "BCC": ["copied"]}
    client.publish("later", "a.b", b"x", headers=headers, **PERSISTENT)
    scene.advance(0.01)
    if how == "restart":
        scene.broker.restart()
    else:
        if how == "start of old":
            ((number, row),) = disk.rows.items()
            disk.rows[number] = msgpack.encode(msgpack.decode(row)[:-1])
        scene = reopened(scene, disk)
    scene.advance(6)
    client = scene.client()
    assert [body for body, _ in drain(client, "q")] == [b"x"]
    copied = [] if how == "start of old" else [b"x"]
    assert [body for body, _ in drain(client, "copied")] == copied


def test_what_came_and_what_is_gone_leaves_no_row() -> None:
    scene, disk = on_disk()
    client = scene.client()
    delaying(client)
    delay(client, b"a", 1000, **PERSISTENT)
    scene.advance(0.01)
    assert rows(disk) == 1
    scene.advance(2)
    assert [body for body, _ in drain(client, "q")] == [b"a"]
    scene.advance(0.01)
    assert rows(disk) == 0
    delay(client, b"b", 1000, **PERSISTENT)
    scene.advance(0.01)
    client.send("exchange.delete", exchange="later")
    scene.advance(0.01)
    assert rows(disk) == 0


@pytest.mark.parametrize("hard", [False, True])
@pytest.mark.parametrize("kept", [False, True])
def test_a_restart_keeps_what_is_delayed(hard: bool, kept: bool) -> None:
    scene, disk = on_disk() if kept else (Scene(), None)
    client = scene.client()
    delaying(client)
    delay(client, b"a", 5000, **PERSISTENT)
    scene.advance(1)
    scene.broker.restart(hard=hard)
    assert note_of(scene, "later").endswith("1 delayed")
    client = scene.client()
    scene.advance(3.9)
    assert drain(client, "q") == []
    scene.advance(0.2)
    assert [body for body, _ in drain(client, "q")] == [b"a"]
    scene.advance(0.01)
    assert disk is None or rows(disk) == 0


def test_an_exchange_that_is_not_durable_keeps_nothing() -> None:
    scene, disk = on_disk()
    client = scene.client()
    delaying(client, durable=False)
    delay(client, b"a", 5000, **PERSISTENT)
    scene.advance(0.01)
    assert rows(disk) == 0


def test_an_exchange_of_an_older_folder_keeps_what_it_gets_from_now_on() -> None:
    scene, disk = on_disk()
    delaying(scene.client())
    scene.advance(0.01)
    found = disk.kept()
    ((name, row),) = found.entities["amqp.exchange"].items()
    # As it was written before it had a log.
    found.entities["amqp.exchange"][name] = without_log(row)
    later = Scene(disk=disk, found=found)
    delay(later.client(), b"a", 5000, **PERSISTENT)
    later.advance(0.01)
    again = reopened(later, disk)
    again.advance(6)
    assert [body for body, _ in drain(again.client(), "q")] == [b"a"]


def without_log(row: bytes) -> bytes:
    values = msgpack.decode(row)
    del values["exchange"]["number"], values["exchange"]["held"]
    return msgpack.encode(values)
