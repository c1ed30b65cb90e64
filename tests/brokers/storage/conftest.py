"""What tests of the data folder share."""

import pytest


@pytest.fixture
def unsynced(monkeypatch):
    """No waiting for the disk, where hundreds of folders are opened."""
    for name, value in (
        ("segment_file._SYNCED", 0),
        ("segment_file.to_disk", lambda handle: None),
        ("segment_file.sync_folder", lambda folder: None),
        ("disk.to_disk", lambda handle: None),
        ("disk.sync_folder", lambda folder: None),
        ("syncer.sync_folder", lambda folder: None),
    ):
        monkeypatch.setattr(f"mockforge_brokers.storage.{name}", value)
