"""What tests of the data folder share."""

import pytest


@pytest.fixture
def unsynced(monkeypatch):
    """No waiting for the disk, where hundreds of folders are opened."""
    monkeypatch.setattr("mockforge_brokers.storage.disk._FLAGS", 0)
