"""A client of AMQP 1.0 with a session, for every test."""

import pytest

from ..client import House
from .client import Client


@pytest.fixture
def client(house: House) -> Client:
    house.broker.declare_queue("q", durable=True)
    return Client(house).connect()
