"""A whole instance on loopback in a thread of its own: brokers, admin port, commands."""

import asyncio
import http.client
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from urllib.parse import urlsplit

from mockforge_tui.config import Config
from mockforge_tui.instance import running


class Live:
    """`facts` has the addresses; `run` runs a line by the admin port and returns its answer."""

    def __init__(self) -> None:
        self.facts: dict[str, Any] = {}
        self.url = ""
        self.ready = threading.Event()
        self.stop = threading.Event()

    def run(self, line: str) -> dict[str, Any]:
        place = urlsplit(self.url)
        connection = http.client.HTTPConnection(str(place.hostname), place.port, timeout=30)
        try:
            body = json.dumps({"line": line})
            connection.request("POST", f"{place.path}/commands", body)
            answer: dict[str, Any] = json.loads(connection.getresponse().read())
        finally:
            connection.close()
        return answer

    async def serve(self) -> None:
        config = Config(kafka_port=0, mqtt_port=0, amqp_port=0, admin_port=0)
        async with running(config, None) as instance:
            assert instance.admin is not None
            self.facts = instance.facts()
            instance.admin.load(self.facts)
            self.url = instance.admin.url
            self.ready.set()
            await asyncio.to_thread(self.stop.wait)


@contextmanager
def live() -> Iterator[Live]:
    instance = Live()
    thread = threading.Thread(target=lambda: asyncio.run(instance.serve()))
    thread.start()
    try:
        assert instance.ready.wait(30)
        yield instance
    finally:
        instance.stop.set()
        thread.join(30)
