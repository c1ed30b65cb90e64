"""The loops that the servers run on: asyncio's own, and uvloop where it is."""

import asyncio
from collections.abc import Callable

LOOPS: list[Callable[[], asyncio.AbstractEventLoop]] = [asyncio.new_event_loop]
try:
    import uvloop
except ImportError:
    pass
else:
    LOOPS.append(uvloop.new_event_loop)
