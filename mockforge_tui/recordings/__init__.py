"""Messages written down as they come, to be replayed: each recording has a name."""

from .lines import Lines
from .recorder import Recording, Recordings

__all__ = ["Lines", "Recording", "Recordings"]
