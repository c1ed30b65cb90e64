"""The brokers' time moved on, for who waits until it has passed."""

from asyncio import Future, get_running_loop

from mockforge_brokers.clock import MovableClock


async def advance(clock: MovableClock, seconds: float) -> None:
    """Move on by `seconds`; whatever falls due on the way has happened when this returns.

    Time stops where its caller is cancelled. Raises InvalidInput for too far a way, and what a call
    on it raises.
    """
    over: Future[None] = get_running_loop().create_future()
    way = clock.walk(seconds, lambda way: None if over.done() else over.set_result(None))
    try:
        if not way.over:
            await over
    finally:
        way.cancel()
    if way.failure is not None:
        raise way.failure
