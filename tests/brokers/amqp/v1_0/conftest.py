"""A client of AMQP 1.0 with a session, for every test."""

import pytest

from ..client import Scene
from .client import Client


@pytest.fixture
def client(scene: Scene) -> Client:
    scene.broker.declare_queue("q", durable=True)
    return Client(scene).connect()
