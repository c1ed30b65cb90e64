"""The notebook in which the two compilers write a function's source."""

import linecache
import struct
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import cache
from typing import Any, Final

from .schema import Field, Message

_ITEMS: Final = 16
Place = Sequence[tuple[str, int]]
"""The fields that a line is about, with the bytes that each of them takes (0 if it varies)."""


class Source:
    """Lines of Python, the constants that they use, and the fields that each line is about."""

    def __init__(self, signature: str, *, steps: bool = False) -> None:
        """With `steps` what is compiled is a generator, be it one that never yields."""
        self.scope: dict[str, Any] = {}
        self.places: list[Place] = [()]
        self._lines = [f"def {signature}:"]
        self.steps = steps
        self._depth = 1
        self._path: list[str] = []
        self._names = 0
        if steps:
            self.line(f"left = {_ITEMS}")
            self.line("if not left: yield")

    def line(self, text: str, place: Place | None = None) -> None:
        self._lines.append("    " * self._depth + text)
        self.places.append(place or ((self.path, 0),))

    @contextmanager
    def block(self, head: str) -> Iterator[None]:
        """An indented block: `for`, `if`, `else`."""
        self.line(head)
        self._depth += 1
        yield
        self._depth -= 1

    @contextmanager
    def about(self, field: Field) -> Iterator[None]:
        """What is written meanwhile belongs to this field: errors will name it."""
        self._path.append(field.name)
        yield
        self._path.pop()

    @property
    def path(self) -> str:
        return ".".join(self._path)

    def step(self) -> None:
        """Behind so many items somebody else may have a turn."""
        if self.steps:
            self.line("left -= 1")
            self.line(f"if not left: yield; left = {_ITEMS}")

    def name(self, stem: str) -> str:
        """A variable name that nothing else in the function has."""
        self._names += 1
        return f"{stem}{self._names}"

    def constant(self, value: object) -> str:
        """An expression for a value: literal where Python can write it, else a global's name."""
        if value is None or isinstance(value, bool | int | str | bytes) or value == ():
            return repr(value)
        return self._global("k", value)

    def layout(self, codes: str, method: str) -> str:
        """The name of `struct.Struct(codes).method`, big-endian."""
        return self._global("s", getattr(_layout(codes), method))

    def _global(self, stem: str, value: object) -> str:
        for name, known in self.scope.items():
            if known == value:
                return name
        name = self.name(stem)
        self.scope[name] = value
        return name

    def compile(self, title: str) -> Callable[..., Any]:
        """The finished function, whose code carries `title` as its file name."""
        text = "\n".join(self._lines) + "\n"
        # So that a traceback through the function shows its lines.
        linecache.cache[title] = (len(text), None, text.splitlines(keepends=True), title)
        exec(compile(text, title, "exec"), self.scope)
        name = self._lines[0].partition("(")[0].removeprefix("def ")
        function: Callable[..., Any] = self.scope[name]
        return function


def title(verb: str, message: type[Message], version: int, steps: bool = False) -> str:
    return f"<{verb} {message.__name__} v{version}{' by steps' if steps else ''}>"


@cache
def _layout(codes: str) -> struct.Struct:
    return struct.Struct(f">{codes}")
