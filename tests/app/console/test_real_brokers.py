"""The same commands on the brokers themselves."""

import asyncio
import json
from collections.abc import Awaitable, Callable
from typing import TypeVar

from mockforge_tui.config import Config
from mockforge_tui.console.generators import generator_of
from mockforge_tui.console.payloads import Payload
from mockforge_tui.console.results import Notice, Result
from mockforge_tui.console.session import Session
from mockforge_tui.console.targets import parse_target
from mockforge_tui.runtime import Runtime

from .scene import Screen

T = TypeVar("T")

FURNITURE = (
    "topic add orders -p 2",
    "queue add q.mail",
    "queue add q.inv",
    "exchange add events --type topic",
    "bind events q.inv order.*",
    "pub mqtt:sensors/room1/temp 21.5 -r",
    "pub kafka:orders x -n 3",
)


class Console:
    """A session on a runtime of its own."""

    def __init__(self, runtime: Runtime) -> None:
        self.runtime = runtime
        self.notices: list[Notice] = []
        self.session = Session(runtime, view=Screen(), report=self.notices.append, files=True)

    def run(self, line: str) -> Result:
        result = self.session.run(line)
        assert result.ok, f"{line}: {result.as_text()}"
        json.loads(result.as_line())
        return result

    def furnish(self) -> None:
        for line in FURNITURE:
            self.run(line)
        for name in ("order-created", "sensors"):
            target, payload = parse_target("kafka:orders"), Payload("text", "x")
            self.runtime.production.engine.add(
                generator_of(name, target, payload, key=None, per_second=2, files=False)
            )


def with_brokers(act: Callable[[Console], Awaitable[T]]) -> T:
    async def main() -> T:
        runtime = Runtime(Config(kafka_port=0, mqtt_port=0, amqp_port=0, admin=False, seed=1))
        await runtime.start()
        console = Console(runtime)
        try:
            return await asyncio.wait_for(act(console), 30)
        finally:
            console.session.close()
            await runtime.stop()

    return asyncio.run(main())


def test_what_is_published_is_stored_routed_and_retained() -> None:
    async def act(console: Console) -> None:
        console.furnish()
        console.run('pub kafka:orders[1] {"id": 7} -k a -H t=x')
        console.run("tail kafka:orders[1]@begin -f '%p %k %v %h'")
        console.run("tail stop")
        assert '1 a {"id": 7} t=x' in [notice.text for notice in console.notices]
        console.run("pub amqp:events/order.paid x -n 2")
        row = next(r for r in console.run("queue ls").records if r["name"] == "q.inv")
        assert row["depth"] == 2
        (kept,) = console.run("retained ls").records
        assert kept["payload"] == "21.5"
        assert "no queue takes" in console.session.run("pub amqp:events/x y --mandatory").as_text()

    with_brokers(act)


def test_refusals_of_the_brokers_are_said_plainly() -> None:
    async def act(console: Console) -> None:
        console.furnish()
        for line, text in (
            ("topic add orders", "exists"),
            ("topic add no/slash", "no/slash"),
            ("topic set orders retention.ms=soon", "soon"),
            ("topic set orders nonsense=1", "nonsense"),
            ("topic grow orders -p 1", "would not be an increase"),
            ("queue add q.mail --ttl 3s", "x-message-ttl"),
            ("exchange add events --type fanout", "type"),
            ("bind events q.none x", "q.none"),
            ("pub mqtt:a/# 1", "#"),
            ("pub kafka:orders[9] 1", "9"),
            ("pub amqp:none/x 1", "none"),
            ("pub amqp:events/x 1 --prop nonsense=1", "nonsense"),
            ("group rebalance none", "no Kafka group none"),
        ):
            result = console.session.run(line)
            assert not result.ok, line
            assert text in result.as_text(), (line, result.as_text())
            assert "bug" not in result.as_text(), line

    with_brokers(act)


def test_tail_shows_the_traffic_of_the_console_itself() -> None:
    async def act(console: Console) -> None:
        told = asyncio.Event()

        def report(notice: Notice) -> None:
            console.notices.append(notice)
            if notice.kind == "row":
                told.set()

        console.session.report = report
        console.run("tail (@mine proto:mqtt)")
        console.run('pub mqtt:room {"t": 1}')
        await told.wait()
        assert '{"t": 1}' in console.notices[-1].text

    with_brokers(act)


CONNECT = bytes.fromhex("100d 0004 4d515454 04 02 003c 0001 61")
"""MQTT 3.1.1, clean session, client id a."""
SUBSCRIBE = bytes.fromhex("8208 0001 0003 782f23 00")
"""x/#"""
PUBLISH = bytes.fromhex("3006 0003 782f79 31")
"""x/y: 1"""


class Client:
    """One MQTT client on a socket."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader = reader
        self.writer = writer

    async def gets(self, data: bytes) -> None:
        assert await asyncio.wait_for(self.reader.readexactly(len(data)), 50) == data


async def connected(console: Console) -> Client:
    client = Client(
        *await asyncio.open_connection("127.0.0.1", console.runtime.listeners.ports["mqtt"])
    )
    client.writer.write(CONNECT + SUBSCRIBE)
    await client.gets(bytes.fromhex("20020000 9003000100"))
    return client


async def until(fact: Callable[[], object]) -> None:
    while not fact():
        await asyncio.sleep(0.005)


def test_a_client_is_listed_explained_and_ended() -> None:
    async def act(console: Console) -> None:
        client = await connected(console)
        (row,) = console.run("conns client:a proto:mqtt").records
        assert "client" in console.run(f"conn show c{row['id']}").text
        (session,) = console.run("session ls").records
        assert session["client"] == "a"
        console.run(f"conn kill c{row['id']} -y")
        assert await asyncio.wait_for(client.reader.read(), 50) == b""
        await until(lambda: not console.run("conns").records)
        client.writer.close()

    with_brokers(act)


def test_what_the_prompt_publishes_reaches_a_client() -> None:
    async def act(console: Console) -> None:
        client = await connected(console)
        console.run("pub mqtt:x/y 1")
        await client.gets(PUBLISH)
        client.writer.close()

    with_brokers(act)


def test_a_held_frame_waits_for_its_release() -> None:
    async def act(console: Console) -> None:
        client = await connected(console)
        console.run("hold topic:x/+ dir:out")
        console.run("pub mqtt:x/y 1")
        await until(lambda: console.run("held").records)
        (row,) = console.run("held").records
        assert (row["client"], row["destination"]) == ("a", "x/y")
        console.run(f"release h{row['id']}")
        await client.gets(PUBLISH)
        console.run("hold off")
        client.writer.close()

    with_brokers(act)


def test_a_fault_meets_whom_its_filter_names() -> None:
    async def act(console: Console) -> None:
        client = await connected(console)
        console.run("fault add drop client:a dir:out op:publish --times 1")
        console.run("pub mqtt:x/y 0")
        console.run("pub mqtt:x/y 1")
        await client.gets(PUBLISH)
        (rule,) = console.run("fault ls").records
        assert rule["hits"] == 1
        client.writer.close()

    with_brokers(act)


def test_a_restarted_broker_says_what_it_kept() -> None:
    async def act(console: Console) -> None:
        console.run("pub mqtt:status on -r")
        result = console.run("broker restart mqtt -y")
        assert "1 retained messages" in result.text
        assert console.run("retained ls").records[0]["topic"] == "status"
        kinds = [type(event).__name__ for _, event in console.runtime.spine.history]
        assert "BrokerRestarted" in kinds

    with_brokers(act)
