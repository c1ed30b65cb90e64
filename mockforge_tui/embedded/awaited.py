"""Methods that wait, for callers on an event loop: awaited, they leave it free."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

T = TypeVar("T")


class Awaited:
    """An object of ours whose methods are awaited; its attributes are as they are."""

    def __init__(self, inner: Any) -> None:
        self._inner = inner

    def __getattr__(self, name: str) -> Any:
        value = getattr(self._inner, name)
        return _awaited(value) if callable(value) else value


def _awaited(function: Callable[..., T]) -> Callable[..., Any]:
    import asyncio
    from functools import wraps

    @wraps(function)
    async def run(*args: Any, **kwargs: Any) -> T:
        __tracebackhide__ = True
        return await asyncio.to_thread(function, *args, **kwargs)

    return run
