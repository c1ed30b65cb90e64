"""What tests of the data folder share."""

import pytest


@pytest.fixture
def unsynced(monkeypatch):
    """No waiting for the disk, where hundreds of folders are opened."""
    for name, value in (
        ("disk._SYNCED", 0),
        ("disk._to_disk", lambda handle: None),
        ("disk.sync_folder", lambda folder: None),
        ("syncer.sync_folder", lambda folder: None),
    ):
        monkeypatch.setattr(f"mockforge_brokers.storage.{name}", value)
