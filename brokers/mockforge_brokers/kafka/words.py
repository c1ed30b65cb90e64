"""The words of Kafka that a rule may ask for: what its frames are called, and the codes in them."""

from typing import Final

from .codes import ApiKey, ErrorCode

OPERATIONS: Final = tuple(key.title for key in ApiKey)
CODES: Final = tuple(code.name for code in ErrorCode if code)
"""Without NONE: what bears it says nothing of a code."""
