"""What a path's function gets."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from mockforge_brokers.fairness import Steps
from msgspec import Struct

from .refusals import Refused, bad_request, missing
from .sight import Sight

if TYPE_CHECKING:
    from mockforge_brokers.amqp.broker import AmqpBroker

    from ..runtime import Runtime

CREATED, NO_CONTENT = 201, 204


class Made(Struct, frozen=True):
    """What an answer of 201 names by its header Location."""

    location: str


class Lengthy(Struct, frozen=True):
    """An answer without a body after steps, between which others have their turns.

    What a step raises is the answer instead.
    """

    status: int
    steps: Steps


class Asked(Struct, frozen=True):
    """One request: `names` are the path's variable parts, decoded; `body` is its JSON object."""

    runtime: Runtime
    broker: AmqpBroker
    user: str
    names: tuple[str, ...]
    query: Mapping[str, str]
    body: Mapping[str, Any]
    sight: Sight
    """What that user sees and may do."""
    server: tuple[str, int] = ("127.0.0.1", 15672)
    """Where it came in."""
    reason: str = ""
    """Why, in the words of who asks (the header X-Reason)."""

    def need(self, *names: str) -> None:
        """Raises Refused, which names all that are missing."""
        lacking = [name for name in names if name not in self.body]
        if lacking:
            raise missing(*lacking)

    def flag(self, name: str) -> bool:
        """A boolean of the body; false where it is not given. Raises Refused.

        1 is none, which Python takes for True.
        """
        value = self.body.get(name, False)
        if isinstance(value, bool):
            return value
        if value in ("true", "false"):
            return bool(value == "true")
        raise Refused(400, "bad_request", ["not_boolean", value])

    def text(self, name: str, default: str | None = None) -> str:
        """Raises Refused where it is missing or no text."""
        value = self.body.get(name, default)
        if not isinstance(value, str):
            if value is None:
                raise missing(name)
            raise bad_request(f"{name}: not a text: {value!r}")
        return value

    def number(self, name: str, default: int | None = None) -> int:
        """Raises Refused where it is missing or no number."""
        value = self.body.get(name, default)
        if value is None:
            raise missing(name)
        try:
            return int(value)
        except (TypeError, ValueError, OverflowError):
            raise bad_request(f"{name}: a number is wanted, not {value!r}") from None

    def arguments(self) -> dict[str, Any]:
        """As `table`, of a declaration or binding. Raises Refused."""
        found = self.table("arguments")
        check_no_null(found)
        return found

    def table(self, name: str) -> dict[str, Any]:
        value = self.body.get(name) or {}
        if not isinstance(value, dict):
            raise bad_request(f"{name}: an object is wanted, not {value!r}")
        return value


def check_no_null(value: object) -> None:
    """JSON's null is no value of a field table, however deep it is. Raises Refused."""
    left = [value]
    while left:
        match left.pop():
            case None:
                raise bad_request("null_not_allowed")
            case dict() as table:
                left += table.values()
            case list() as array:
                left += array
