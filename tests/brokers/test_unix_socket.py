"""A listener that is a path: what it replaces, what it refuses, and that nothing of it stays."""

import asyncio
import os
import socket
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any, TypeVar

import pytest
from mockforge_brokers import unix_socket

from mockforge_tui.config import Config
from mockforge_tui.console.session import Session
from mockforge_tui.listeners import CannotListen
from mockforge_tui.runtime import Runtime

T = TypeVar("T")
CONNECT = bytes.fromhex("10 0d 0004 4d515454 04 02 0000 0001 61")
CONNACK = bytes.fromhex("20 02 00 00")

pytestmark = pytest.mark.skipif(
    not hasattr(socket, "AF_UNIX"), reason="this system has no Unix sockets"
)


@pytest.fixture
def place(tmp_path: Path) -> Path:
    return tmp_path / "mqtt.sock"


def started(place: Path, act: Callable[[Runtime], Awaitable[T]], **settings: Any) -> T:
    async def main() -> T:
        config = Config(
            mqtt_port=0, kafka=False, amqp=False, mqtt_ws=False, mqtt_unix=str(place), **settings
        )
        runtime = Runtime(config)
        try:
            await runtime.start()
            return await act(runtime)
        finally:
            await runtime.stop()

    return asyncio.run(main())


async def dial(place: Path) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    reader, writer = await asyncio.open_unix_connection(str(place))
    writer.write(CONNECT)
    assert await reader.readexactly(4) == CONNACK
    return reader, writer


async def served(runtime: Runtime) -> list[Any]:
    _, writer = await dial(Path(runtime.listeners[-1].path))
    views = runtime.brokers["mqtt"].connections()
    writer.close()
    return views


def test_a_client_is_served_and_shown_with_its_process(place: Path) -> None:
    [view] = started(place, served)
    assert (view.listener, view.client) == ("unix", "a")
    assert view.address in (f"unix:pid {os.getpid()}", "unix")
    assert not place.exists(), "removed at the end"


def test_the_ready_line_variables_and_listener_ls_have_the_path(place: Path) -> None:
    async def look(runtime: Runtime) -> tuple[dict[str, Any], Any]:
        return runtime.facts(), Session(runtime).run("listener ls")

    facts, listed = started(place, look)
    assert facts["mqtt"]["unix"] == f"unix://{place}"
    row = listed.data[-1]
    assert (row["name"], row["host"], row["port"]) == ("unix", "", None)
    assert row["address"] == f"unix://{place}"


def test_what_a_killed_program_left_is_replaced(place: Path) -> None:
    with socket.socket(socket.AF_UNIX) as killed:
        killed.bind(str(place))
    assert place.exists()
    assert len(started(place, served)) == 1


def test_a_path_where_another_program_accepts_is_refused(place: Path) -> None:
    with socket.socket(socket.AF_UNIX) as other:
        other.bind(str(place))
        other.listen()
        with pytest.raises(CannotListen) as refused:
            started(place, served)
        assert place.exists(), "the other program's socket stays"
    assert str(refused.value) == (
        f"mqtt-unix cannot listen at {place}: another program accepts clients there; "
        "choose another path with --mqtt-unix"
    )


@pytest.mark.parametrize(
    ("prepare", "words"),
    [
        (lambda place: place.write_text("notes"), "there is a file that is no socket"),
        (lambda place: place.mkdir(), "there is a file that is no socket"),
    ],
)
def test_a_path_of_something_else_is_refused_and_left(
    place: Path, prepare: Callable[[Path], object], words: str
) -> None:
    prepare(place)
    with pytest.raises(CannotListen, match=words):
        started(place, served)
    assert place.exists()


def test_a_folder_that_is_not_there_and_a_path_too_long_are_named(tmp_path: Path) -> None:
    with pytest.raises(CannotListen, match="No such file or directory; choose another path"):
        started(tmp_path / "none" / "mqtt.sock", served)
    with pytest.raises(CannotListen, match="too long for a Unix socket"):
        started(tmp_path / ("x" * 120), served)


def test_a_socket_that_another_program_put_in_its_place_is_not_removed(place: Path) -> None:
    with unix_socket.bound(str(place)):
        ours = unix_socket.Place(str(place))
    other = place.with_name("other")
    other.write_text("somebody else's")
    other.replace(place)
    ours.remove()
    assert place.exists()


def test_a_stopped_broker_is_not_there_and_comes_back_at_the_same_path(place: Path) -> None:
    async def stop_and_start(runtime: Runtime) -> list[bool]:
        seen = [place.exists()]
        runtime.stop_broker("mqtt")
        seen.append(place.exists())
        runtime.start_broker("mqtt")
        _, writer = await dial(place)
        writer.close()
        return [*seen, place.exists()]

    assert started(place, stop_and_start) == [True, False, True]


def test_all_of_a_client_that_writes_much_and_leaves_at_once_is_handled(place: Path) -> None:
    """A Unix socket's close looks like a hang-up before what was sent is read."""

    async def flood(runtime: Runtime) -> int:
        publish = bytes.fromhex("30 07 0003 612f62") + b"hi"
        _, writer = await dial(place)
        _, other = await dial_as(b"b")
        count = 40_000
        for each in (writer, other):
            each.write(publish * count)
        for each in (writer, other):
            await each.drain()
            each.close()
        while runtime.brokers["mqtt"].connections():
            await asyncio.sleep(0)
        [topic] = runtime.brokers["mqtt"].destinations()
        return topic.messages_in - 2 * count

    async def dial_as(name: bytes) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        reader, writer = await asyncio.open_unix_connection(str(place))
        writer.write(CONNECT[:-1] + name)
        assert await reader.readexactly(4) == CONNACK
        return reader, writer

    assert started(place, flood) == 0


def test_another_protocol_at_the_path_is_named(place: Path) -> None:
    async def speak(runtime: Runtime) -> str:
        reader, writer = await asyncio.open_unix_connection(str(place))
        writer.write(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
        await reader.read()
        writer.close()
        [ended] = runtime.ended
        return ended.reason

    assert f"it speaks HTTP to the plain MQTT socket {place}: HTTP is at" in started(place, speak)
