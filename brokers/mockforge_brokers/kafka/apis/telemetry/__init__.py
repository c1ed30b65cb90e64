"""Clients that push their own metrics."""
