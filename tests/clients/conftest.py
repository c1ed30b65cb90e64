"""The three brokers on loopback, in a thread of their own, for real client libraries."""

import asyncio
import threading
import time
from collections.abc import Callable, Iterator
from importlib import import_module
from typing import Any, TypeVar

import pytest
from mockforge_brokers.clock import LoopClock
from mockforge_brokers.environment import Environment
from mockforge_brokers.listener import Listener
from mockforge_brokers.transport import Server

T = TypeVar("T")

_BROKERS = {
    "kafka": ("KafkaBroker", "KafkaOptions"),
    "mqtt": ("MqttBroker", "MqttOptions"),
    "amqp": ("AmqpBroker", "AmqpOptions"),
}


def wait_for(fact: Callable[[], T], seconds: float = 10.0, what: str = "") -> T:
    """The first true value of `fact`; fails when there is none within `seconds`."""
    deadline = time.monotonic() + seconds
    while not (value := fact()):
        assert time.monotonic() < deadline, f"not within {seconds:g} s: {what or fact}"
        time.sleep(0.005)
    return value


class Servers:
    """Running brokers: `ports` by protocol, `brokers` to ask, `call` to touch them safely."""

    def __init__(self) -> None:
        self.ports: dict[str, int] = {}
        self.brokers: dict[str, Any] = {}
        self.environment: Environment
        self._loop = asyncio.new_event_loop()
        self._servers: list[Server] = []
        self._ready = threading.Event()
        self._failure: BaseException | None = None
        self._stop = asyncio.Event()
        self._thread = threading.Thread(target=self._run, name="brokers", daemon=True)

    def start(self) -> "Servers":
        self._thread.start()
        self._ready.wait(20)
        if self._failure is not None:
            raise self._failure
        return self

    def stop(self) -> None:
        self._loop.call_soon_threadsafe(self._stop.set)
        self._thread.join(10)

    def call(self, function: Callable[..., T], *args: Any, **kwargs: Any) -> T:
        """Run `function` in the brokers' thread and hand back what it returns."""

        async def run() -> T:
            return function(*args, **kwargs)

        return asyncio.run_coroutine_threadsafe(run(), self._loop).result(10)

    def _run(self) -> None:
        with asyncio.Runner(loop_factory=lambda: self._loop) as runner:
            runner.run(self._serve())

    async def _serve(self) -> None:
        try:
            self.environment = Environment.create(LoopClock(self._loop), seed=1)
            for protocol, (broker, options) in _BROKERS.items():
                await self._listen(protocol, broker, options)
        except BaseException as error:
            self._failure = error
        self._ready.set()
        await self._stop.wait()
        for server in self._servers:
            await server.close()

    async def _listen(self, protocol: str, broker: str, options: str) -> None:
        try:
            module = import_module(f"mockforge_brokers.{protocol}.broker")
            settings = import_module(f"mockforge_brokers.{protocol}.options")
        except ModuleNotFoundError:
            return
        made = getattr(module, broker)(self.environment, getattr(settings, options)())
        server = Server(made, self.environment)
        self._servers.append(server)
        self.brokers[protocol] = made
        self.ports[protocol] = (await server.listen(Listener(protocol))).port


@pytest.fixture(scope="session")
def servers() -> Iterator[Servers]:
    """The brokers that exist, on free ports, for the whole session."""
    running = Servers().start()
    yield running
    running.stop()
