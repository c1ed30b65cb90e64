"""A broker on a manual clock for every AMQP test."""

import pytest

from .client import Client, House


@pytest.fixture
def house() -> House:
    return House()


@pytest.fixture
def client(house: House) -> Client:
    return house.client()
