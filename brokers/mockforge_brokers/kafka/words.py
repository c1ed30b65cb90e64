"""The words of Kafka that a rule may ask for: what its frames are called, and the codes in them."""

from typing import Final

from .codes import ApiKey, ErrorCode

OPERATIONS: Final = (*(key.title for key in ApiKey), "request", "response")
"""The last two are too short to say of which API they are, or answer what is no longer known."""
NUMBERED: Final = ("API {} v{}", *(f"{key.title} v{{}}" for key in ApiKey))
"""What a request is called that cannot be read."""
CODES: Final = tuple(code.name for code in ErrorCode if code)
"""Without NONE: what bears it says nothing of a code."""
