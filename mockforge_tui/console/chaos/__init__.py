"""Trouble by name: presets, runs of them, and what clients made of it."""
