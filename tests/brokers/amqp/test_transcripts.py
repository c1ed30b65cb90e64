"""Golden transcripts: conversations as bytes."""

from pathlib import Path

import pytest

from brokers.playback import Playback, transcripts

from .client import Scene


@pytest.mark.parametrize("path", transcripts("amqp"), ids=lambda path: path.stem)
def test_transcript(path: Path) -> None:
    scene = Scene()
    Playback(scene.broker, scene.environment, scene.clock).play(path.read_text())
