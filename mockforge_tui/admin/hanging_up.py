"""Clients that hang up before they are answered."""

import asyncio
from collections.abc import Coroutine
from typing import Any, TypeVar

from starlette.types import Receive

T = TypeVar("T")


async def hung_up(receive: Receive) -> None:
    """Returns when the client has."""
    while (await receive())["type"] != "http.disconnect":
        pass


async def unless_hung_up(receive: Receive, work: Coroutine[Any, Any, T]) -> T | None:
    """What `work` comes to; None where the client hangs up first, and then its work ends."""
    working = asyncio.ensure_future(work)
    leaving = asyncio.ensure_future(hung_up(receive))
    try:
        await asyncio.wait({working, leaving}, return_when=asyncio.FIRST_COMPLETED)
    finally:
        leaving.cancel()
        working.cancel()
        # What was under way has ended when this returns.
        await asyncio.wait({working})
    return None if working.cancelled() else working.result()
