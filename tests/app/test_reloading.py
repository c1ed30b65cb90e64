"""`--watch`: changed files are loaded while the brokers run, bad ones are not."""

import asyncio
import threading
from pathlib import Path

import pytest
from mockforge_brokers.events import Warned

from mockforge_tui import reloading
from mockforge_tui.config import Config
from mockforge_tui.fixtures.events import FixturesKept, FixturesReloaded
from mockforge_tui.rehearsal import read_fixtures
from mockforge_tui.reloading import FixtureWatch
from mockforge_tui.runtime import Runtime

FILE = """
mockforge: 1
kafka: {topics: {%s: {}}}
generators: [{id: a, to: {kafka: t}, value: %s}]
faults: [{id: slow, where: "proto:kafka", do: {delay: %s}}]
"""


class Watched:
    """A runtime with a folder that is watched."""

    def __init__(self, folder: Path) -> None:
        config = Config(random_ports=True)
        self.runtime = Runtime(config)
        self.events: list[object] = []
        self.runtime.spine.watch(self.events.append, FixturesKept, FixturesReloaded)
        self.runtime.load(read_fixtures([folder], config).fixtures)
        self.watch = FixtureWatch((str(folder),), self.runtime)

    def delays(self) -> list[float]:
        return [rule.action.duration for rule in self.runtime.faults.rules.values()]


def test_a_good_edit_is_loaded_and_what_clients_did_stays(tmp_path):
    async def story() -> None:
        file = tmp_path / "f.yaml"
        file.write_text(FILE % ("one", 1, "1s"))
        one = Watched(tmp_path)
        kafka = one.runtime.brokers.kafka
        kafka.publish("one", b"kept")
        by_hand = one.runtime.faults.rules
        assert one.delays() == [1.0]
        file.write_text(FILE % ("two", 2, "2s"))
        await one.watch.reload()
        assert one.events == [FixturesReloaded("kafka", 1, 1)]
        assert kafka.has_topic("one")
        assert kafka.has_topic("two")
        assert sum(end for _, end in kafka.offsets("one")) == 1
        assert one.delays() == [2.0]
        assert len(by_hand) == 1
        (message,) = one.runtime.production.engine.emit("a")
        assert message.payload == b"2"
        await one.runtime.stop()

    asyncio.run(story())


def test_a_bad_edit_keeps_what_was_loaded_and_says_so_in_one_line(tmp_path):
    async def story() -> None:
        file = tmp_path / "f.yaml"
        file.write_text(FILE % ("one", 1, "1s"))
        one = Watched(tmp_path)
        file.write_text("mockforge: 1\nnmae: x\ngenerators: 5\n")
        await one.watch.reload()
        (event,) = one.events
        assert event.reason == (
            f'{file}:2:1: the file: key "nmae" is not known, did you mean "name"? (and 1 more);'
            " the fixtures from before go on"
        ) or event.reason.startswith(f"{file}:")
        assert "\n" not in event.reason
        assert one.runtime.production.engine.emit("a")[0].payload == b"1"
        assert one.delays() == [1.0]
        await one.runtime.stop()

    asyncio.run(story())


def test_a_topic_that_an_edit_wants_otherwise_stays_and_is_named_with_the_remedy(tmp_path):
    declared = """
mockforge: 1
kafka: {topics: {orders: {partitions: %s, config: {retention.ms: %s}}}}
"""

    async def story() -> None:
        file = tmp_path / "f.yaml"
        file.write_text(declared % (3, 1000))
        one = Watched(tmp_path)
        warned: list[Warned] = []
        one.runtime.spine.watch(warned.append, Warned)
        kafka = one.runtime.brokers.kafka
        for partitions, retention, text in (
            (3, 1000, None),
            (6, 1000, "3 partitions and not 6 (topic grow orders -p 6)"),
            (2, 1000, "3 partitions and not 2 (none ever goes; topic rm orders, then load the"),
            (3, 5000, "retention.ms=1000 and not 5000 (topic set orders retention.ms=5000)"),
        ):
            file.write_text(declared % (partitions, retention))
            await one.watch.reload()
            assert isinstance(one.events[-1], FixturesReloaded)
            found = [(each.about, each.text) for each in warned]
            if text is None:
                assert found == []
            else:
                ((place, said),) = found
                assert place == f"{file}:3:18"
                assert said.startswith(f"topic orders is there already, with {text}")
            warned.clear()
        assert len(kafka.offsets("orders")) == 3
        await one.runtime.stop()

    asyncio.run(story())


def test_an_edit_that_what_is_there_stands_against_is_said_and_the_next_one_is_loaded(tmp_path):
    declared = """
mockforge: 1
amqp: {exchanges: [{name: shop, type: %s}]}
generators: [{id: a, to: {amqp: {exchange: shop, routing_key: x}}, value: %s}]
faults: [{id: slow, where: "proto:amqp", do: {delay: %s}}]
"""

    async def story() -> None:
        file = tmp_path / "f.yaml"
        file.write_text(declared % ("direct", 1, "1s"))
        one = Watched(tmp_path)
        file.write_text(declared % ("topic", 2, "2s"))
        await one.watch.reload()
        (event,) = one.events
        assert str(file) in event.reason
        assert event.reason.endswith("the fixtures from before go on")
        assert one.runtime.production.engine.emit("a")[0].payload == b"1"
        assert one.delays() == [1.0]
        file.write_text(declared % ("direct", 3, "3s"))
        await one.watch.reload()
        assert isinstance(one.events[-1], FixturesReloaded)
        assert one.runtime.production.engine.emit("a")[0].payload == b"3"
        assert one.delays() == [3.0]
        await one.runtime.stop()

    asyncio.run(story())


def test_retained_messages_and_the_cluster_id_of_an_edit_wait_until_nothing_is_in_its_way(tmp_path):
    declared = """
mockforge: 1
kafka: {cluster: {id: id-%s}, topics: {t-%s: {}}}
amqp: {exchanges: [{name: shop, type: %s}]}
mqtt: {retained: {a/b: {payload: %s}}}
reactions: [{id: r, when: {mqtt: a/b}, do: [{publish: {to: {mqtt: out/x}, value: 9}}]}]
"""

    async def story() -> None:
        file = tmp_path / "f.yaml"
        file.write_text(declared % (1, 1, "direct", 1))
        one = Watched(tmp_path)
        kafka, mqtt = one.runtime.brokers.kafka, one.runtime.brokers.mqtt
        seen: list[tuple[str, bytes]] = []
        mqtt.watch(lambda event: seen.append((event.destination, event.payload)))
        file.write_text(declared % (2, 2, "topic", 2))
        await one.watch.reload()
        (event,) = one.events
        assert "what was declared before it stays" in event.reason
        assert kafka.has_topic("t-2")
        assert (seen, kafka.cluster.cluster_id) == ([], "id-1")
        file.write_text(declared % (3, 3, "direct", 3))
        await one.watch.reload()
        assert (seen, kafka.cluster.cluster_id) == ([("a/b", b"3")], "id-3")
        await one.runtime.stop()

    asyncio.run(story())


def test_a_new_file_of_a_watched_folder_is_seen(tmp_path):
    async def story() -> None:
        (tmp_path / "f.yaml").write_text(FILE % ("one", 1, "1s"))
        one = Watched(tmp_path)
        loaded = asyncio.Event()
        one.runtime.spine.watch(lambda event: loaded.set(), FixturesReloaded)
        one.watch.start()
        (tmp_path / "g.yaml").write_text(
            "mockforge: 1\ngenerators: [{id: b, to: {kafka: t}, value: 3}]\n"
        )
        await loaded.wait()
        assert list(one.runtime.production.engine.names()) == ["a", "b"]
        await one.watch.stop()
        await one.runtime.stop()

    asyncio.run(story())


def test_a_look_at_very_many_files_holds_up_no_client(tmp_path, monkeypatch: pytest.MonkeyPatch):
    stamps_of = reloading.stamps_of
    threads: list[threading.Thread] = []

    def look(*given):
        threads.append(threading.current_thread())
        return stamps_of(*given)

    async def story() -> None:
        (tmp_path / "f.yaml").write_text(FILE % ("one", 1, "1s"))
        one = Watched(tmp_path)
        looked = asyncio.Event()
        one.watch.looked = looked.set
        monkeypatch.setattr(reloading, "stamps_of", look)
        one.watch.start()
        await looked.wait()
        await one.watch.stop()
        await one.runtime.stop()

    asyncio.run(story())
    assert threads
    assert threading.main_thread() not in threads
