"""Bytes into packets and back; knows nothing of sessions or subscriptions."""
