"""A broker on a manual clock for every AMQP test."""

import pytest

from .client import Client, Scene


@pytest.fixture
def scene() -> Scene:
    return Scene()


@pytest.fixture
def client(scene: Scene) -> Client:
    return scene.client()
