"""A Kafka broker asked over a socket, by messages of our own table."""

import json
import socket
import sys
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

from mockforge_brokers.kafka.wire.frames import decode_response, encode_request
from mockforge_brokers.kafka.wire.messages.security import (
    SaslAuthenticateRequest,
    SaslHandshakeRequest,
)
from mockforge_brokers.kafka.wire.schema import Message


class Asking(AbstractContextManager["Asking"]):
    """One connection; each request waits for its answer."""

    def __init__(
        self, host: str, port: int, *, timeout: float = 60, user: str = "", password: str = ""
    ) -> None:
        """A `user` logs in by SASL PLAIN."""
        self._socket = socket.create_connection((host, port), timeout=timeout)
        self._answers = self._socket.makefile("rb")
        self._correlation_id = 0
        if user:
            self.call(SaslHandshakeRequest(mechanism="PLAIN"), 1)
            token = f"\0{user}\0{password}".encode()
            assert self.call(SaslAuthenticateRequest(auth_bytes=token), 1).error_code == 0

    def call(self, message: Message, version: int) -> Any:
        assert message.api_key is not None
        self._correlation_id += 1
        self._socket.sendall(encode_request(message, version, self._correlation_id, "asking"))
        size = self._read(4)
        frame = size + self._read(int.from_bytes(size, "big"))
        return decode_response(frame, message.api_key, version)[1]

    def __exit__(self, *exc: object) -> None:
        self._answers.close()
        self._socket.close()

    def _read(self, size: int) -> bytes:
        data = self._answers.read(size)
        assert len(data) == size, "the broker closed the connection"
        return data


def record(play: Callable[[Callable[[Message, int], Any]], Mapping[str, Any]], kept: Path) -> None:
    """Play it to the broker that the command line names (HOST:PORT); a line for each answer."""
    host, port = sys.argv[1].rsplit(":", 1)
    with Asking(host, int(port)) as asking:
        said = play(asking.call)
    lines = [f"{json.dumps(name)}: {json.dumps(answer)}" for name, answer in said.items()]
    kept.write_text("{\n" + ",\n".join(lines) + "\n}\n")
