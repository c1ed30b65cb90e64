"""What becomes of a frame that was held: it is changed, refused, or goes on as it is."""

from collections.abc import Callable, Mapping
from typing import Any, Final

from msgspec import UNSET, Struct, UnsetType, field

from .actions import Refuse


class Changes(Struct, frozen=True):
    """What a person changes in a held frame; UNSET stays as it is.

    A header or property set to None is taken out. `fields` are the whole frame's, as those of
    `SetFields`: any frame has them, and no check keeps them legal.
    """

    payload: bytes | UnsetType | None = UNSET
    key: bytes | UnsetType | None = UNSET
    headers: Mapping[str, Any] = field(default_factory=dict)
    properties: Mapping[str, Any] = field(default_factory=dict)
    fields: Mapping[str, str] = field(default_factory=dict)

    @property
    def of_message(self) -> bool:
        """Whether it changes a message that the frame carries."""
        return bool(
            self.headers or self.properties or self.payload is not UNSET or self.key is not UNSET
        )

    @property
    def empty(self) -> bool:
        return not (self.fields or self.of_message)


class Edit(Struct, frozen=True):
    """What a hold changes by itself: in message `number` (from 0), or in all that it matches.

    `changes` is asked for each message, so that no two need be alike. Raises BrokerError.
    """

    changes: Callable[[], Changes]
    number: int | None = None


class Release(Struct, frozen=True):
    """How a held frame goes on: after `delay` s, or behind the next `behind` of its connection.

    It goes on alone where those have not come within `wait` s.
    """

    delay: float = 0.0
    behind: int = 0
    wait: float = 1.0

    @property
    def outcome(self) -> str:
        if self.behind:
            return f"moved behind the next {self.behind}"
        return f"released in {self.delay:g} s" if self.delay else "released"


AT_ONCE: Final = Release()

Decision = Edit | Refuse
"""What becomes of a held frame when nobody decides about it; without one it is released."""
