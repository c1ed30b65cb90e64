"""The brokers inside the process that uses them."""

import asyncio
import gc
import socket
import threading
import weakref
from pathlib import Path

import pytest
from mockforge_brokers.errors import InvalidInput, LocalError

from app.beats import Beats
from mockforge_tui import MockForge
from mockforge_tui.fixtures.source.problems import FixtureError
from mockforge_tui.listeners import CannotListen


def connects(address: str) -> bool:
    host, _, port = (
        address.rpartition("://")[2].rpartition("@")[2].partition("/")[0].rpartition(":")
    )
    try:
        socket.create_connection((host, int(port)), timeout=5).close()
    except ConnectionRefusedError:
        return False
    return True


def test_clients_connect_inside_the_block_and_not_after_it() -> None:
    with MockForge() as mockforge:
        addresses = [mockforge.kafka.bootstrap, mockforge.mqtt.url, mockforge.amqp.url]
        assert all(map(connects, addresses))
    assert not any(map(connects, addresses))


def test_the_async_block_leaves_the_callers_loop_free() -> None:
    async def main() -> None:
        async with MockForge(mqtt=False) as mockforge:
            host, _, port = mockforge.kafka.bootstrap.rpartition(":")
            _, writer = await asyncio.open_connection(host, int(port))
            writer.close()

    asyncio.run(main())


class Slow(MockForge):
    """Brokers whose start takes until it is let go on."""

    def __init__(self) -> None:
        super().__init__(mqtt=False, amqp=False)
        self.begun, self.go_on, self.done = (threading.Event() for _ in range(3))

    def start(self) -> MockForge:
        self.begun.set()
        self.go_on.wait()
        try:
            return super().start()
        finally:
            self.done.set()


def test_an_async_block_that_is_cancelled_before_it_began_leaves_nothing_running() -> None:
    mockforge = Slow()

    async def main() -> None:
        entering = asyncio.ensure_future(mockforge.__aenter__())
        await asyncio.to_thread(mockforge.begun.wait)
        entering.cancel()
        mockforge.go_on.set()
        with pytest.raises(asyncio.CancelledError):
            await entering
        await asyncio.to_thread(mockforge.done.wait)

    asyncio.run(main())
    with pytest.raises(LocalError, match="does not run"):
        _ = mockforge.runtime


def test_another_start_is_as_the_first_one_was(tmp_path: Path) -> None:
    path = tmp_path / "shop.yaml"
    path.write_text("mockforge: 1\nkafka: {topics: {orders: {}}}\n")
    mockforge = MockForge(mqtt=False, amqp=False)
    with mockforge:
        mockforge.load(path)
        assert [row["name"] for row in mockforge.run("topic ls").data] == ["orders"]
    with mockforge:
        assert mockforge.run("topic ls").data == []


def test_commands_run_in_the_brokers_thread_and_give_their_result() -> None:
    with MockForge(seed=1) as mockforge:
        mockforge.run("pub kafka:orders 1 -k o-1")
        assert [row["name"] for row in mockforge.run("topic ls").data] == ["orders"]
        here = threading.current_thread()
        assert mockforge.call(threading.current_thread) is not here


def test_a_wrong_command_raises_what_the_console_says() -> None:
    with MockForge() as mockforge, pytest.raises(InvalidInput, match="frobnicate"):
        mockforge.run("frobnicate")


def test_an_error_of_a_called_function_reaches_its_caller_and_harms_nothing() -> None:
    with MockForge() as mockforge:
        with pytest.raises(ZeroDivisionError):
            mockforge.call(lambda: 1 // 0)
        assert connects(mockforge.kafka.bootstrap)


def test_fixtures_are_declared_before_the_block_begins(tmp_path: Path) -> None:
    path = tmp_path / "shop.yaml"
    path.write_text("mockforge: 1\nname: shop\nkafka:\n  topics: {orders: {partitions: 2}}\n")
    with MockForge(path) as mockforge:
        assert mockforge.run("topic ls").data[0]["name"] == "orders"


def test_broken_fixtures_open_no_port_and_name_their_place(tmp_path: Path) -> None:
    path = tmp_path / "shop.yaml"
    path.write_text("mockforge: 1\nname: shop\nkafka:\n  topics: {orders: {partitions: 0}}\n")
    mockforge = MockForge(path)
    with pytest.raises(FixtureError, match=r"shop\.yaml:4:"):
        mockforge.start()
    assert mockforge.facts == {}


def test_a_taken_port_raises_and_the_same_object_can_start_later() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        mockforge = MockForge(
            kafka_port=taken.getsockname()[1],
            random_ports=False,
            mqtt_port=0,
            amqp_port=0,
            mqtt_ws_port=0,
        )
        with pytest.raises(CannotListen, match="kafka cannot listen"):
            mockforge.start()
    with mockforge:
        assert connects(mockforge.kafka.bootstrap)


def test_two_at_once_do_not_meet() -> None:
    with MockForge() as one, MockForge() as other:
        one.run("topic add orders")
        assert other.run("topic ls").data == []


def test_what_is_not_served_says_what_is() -> None:
    with MockForge(mqtt=False) as mockforge:
        with pytest.raises(AttributeError, match="mqtt has no 'url': it is not served"):
            _ = mockforge.mqtt.url
        with pytest.raises(AttributeError, match="kafka has no 'url': bootstrap"):
            _ = mockforge.kafka.url


def test_an_unknown_setting_is_named_with_the_nearest() -> None:
    with pytest.raises(InvalidInput, match="did you mean seed"):
        MockForge(sead=1)


def test_what_does_not_run_says_how_to_start_it() -> None:
    with pytest.raises(LocalError, match="with block"):
        MockForge().run("topic ls")


def test_the_admin_port_serves_commands_when_asked_for() -> None:
    with MockForge(admin=True, admin_port=0) as mockforge:
        assert connects(mockforge.facts["admin"]["url"])


@pytest.mark.usefixtures("frozen_by_starts")
def test_nothing_of_brokers_that_ended_stays_in_memory() -> None:
    with MockForge(seed=1) as mockforge:
        for line in ("queue add q", "pub queue:q hi", "pub kafka:t hi", "pub mqtt:a hi -r"):
            mockforge.run(line)
        brokers = [weakref.ref(each) for each in mockforge.runtime.brokers.values()]
    del mockforge
    gc.collect()
    assert [each() for each in brokers] == [None, None, None]


def test_a_reset_lets_brokers_and_nodes_run_that_were_stopped() -> None:
    with MockForge(kafka_nodes=2, mqtt=False) as mockforge:
        mockforge.run("broker stop amqp --for 1h -y")
        mockforge.run("broker stop kafka/2 -y")
        mockforge.reset()
        assert all(map(connects, [mockforge.amqp.url, *mockforge.kafka.bootstrap.split(",")]))
        mockforge.amqp.publish(b"x", queue="q")
        kafka = mockforge.runtime.brokers.kafka
        assert kafka is not None
        assert not kafka.nodes.stopped
        mockforge.clock.advance("2h")
        assert not [line for line in mockforge.journal() if "already" in line]


def test_a_long_way_of_the_clock_is_over_when_the_call_is_and_leaves_others_their_turns() -> None:
    with MockForge(kafka=False, mqtt=False) as mockforge:
        beats = Beats(mockforge)
        mockforge.clock.advance("1h")
        assert mockforge.runtime.clock.offset > 3_599
        assert beats.count > 3_590
        assert beats.most < 1_000


def test_what_falls_due_and_fails_is_raised_to_who_moves_the_clock() -> None:
    with MockForge(kafka=False, mqtt=False) as mockforge:
        Beats(mockforge)

        def fail() -> None:
            raise RuntimeError("a bug of a callback")

        mockforge.call(mockforge.runtime.clock.call_later, 1_800, fail)
        with pytest.raises(RuntimeError, match="a bug"):
            mockforge.clock.advance("1h")
        mockforge.clock.advance("1h")
        assert 5_000 < mockforge.runtime.clock.offset < 5_500


@pytest.mark.parametrize("wrong", [{"tls": "none.pem,none.key"}, {"rules": ["nonsense"]}])
def test_a_start_that_failed_lets_go_of_its_data_folder(tmp_path, wrong):
    with pytest.raises(InvalidInput):
        MockForge(data_dir=tmp_path, **wrong).start()
    with MockForge(data_dir=tmp_path) as mockforge:
        assert mockforge.kafka.bootstrap


def test_a_segment_that_is_missing_is_said_with_what_was_in_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for module in ("writer", "disk"):
        monkeypatch.setattr(f"mockforge_brokers.storage.{module}.SEGMENT", 5_000)
    with MockForge(data_dir=tmp_path) as mockforge:
        for line in ("topic add t", "queue add q --durable"):
            mockforge.run(line)
        while len(list(tmp_path.glob("*.seg"))) < 5:
            for target in ("kafka:t", "queue:q"):
                mockforge.run(f"publish {target} {'x' * 1_000}")
    segments = sorted(tmp_path.glob("*.seg"))
    for path, said in (
        (segments[-1], "the newest of the folder; .* Without it: topic t partition 0 ends at "),
        (segments[1], "and others follow; .* It had: up to [0-9]+ "),
        (segments[0], "the oldest of the folder; .* It had: the name of what has [0-9]+ rows"),
    ):
        data = path.read_bytes()
        path.unlink()
        with pytest.raises(InvalidInput, match=f"{path.name} is missing, {said}"):
            MockForge(data_dir=tmp_path).start()
        path.write_bytes(data)
    segments[0].unlink()
    (tmp_path / "segments").unlink()
    with MockForge(data_dir=tmp_path) as mockforge:
        assert mockforge.run("data").text
