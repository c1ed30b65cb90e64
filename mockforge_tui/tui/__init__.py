"""The full screen: widgets that read snapshots, keys that are commands."""
