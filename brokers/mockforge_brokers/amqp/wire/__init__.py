"""Frames, methods, properties and field tables: bytes to values and back."""
