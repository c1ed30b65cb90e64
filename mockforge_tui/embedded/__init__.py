"""The brokers inside your own Python process: tests, notebooks, scripts."""

from .forge import MockForge
from .verbs import ExpectationFailed

__all__ = ["ExpectationFailed", "MockForge"]
