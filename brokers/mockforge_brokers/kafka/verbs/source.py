"""Who a change is put down to in events where nobody else says."""

from typing import Final

PROMPT: Final = "prompt"
