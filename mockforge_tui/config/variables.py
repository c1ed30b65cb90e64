"""Environment variables in the ports, hosts and paths that files have; never in payloads."""

import re
from collections.abc import Mapping
from typing import Final

_VARIABLE: Final = re.compile(r"\$\{(\w+)(?::-([^}]*))?\}")


def is_variable(text: str) -> bool:
    """Whether it is one variable that has no default."""
    found = _VARIABLE.fullmatch(text)
    return found is not None and found[2] is None


def with_variables(text: str, environment: Mapping[str, str]) -> str:
    """`${NAME}` and `${NAME:-default}` as their values; one that is not set is empty."""
    return _VARIABLE.sub(lambda found: environment.get(found[1]) or found[2] or "", text)
