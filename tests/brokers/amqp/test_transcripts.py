"""Golden transcripts: conversations as bytes."""

from pathlib import Path

import pytest

from brokers.playback import Playback, transcripts

from .client import House


@pytest.mark.parametrize("path", transcripts("amqp"), ids=lambda path: path.stem)
def test_transcript(path: Path) -> None:
    house = House()
    Playback(house.broker, house.environment, house.clock).play(path.read_text())
