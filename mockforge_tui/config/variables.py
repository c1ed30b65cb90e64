"""Environment variables in the ports, hosts and paths that files have; never in payloads.

And those that look as if they were settings, and are none.
"""

import re
from collections.abc import Collection, Iterator, Mapping
from typing import Final

from ..nearest import get_close_matches

_VARIABLE: Final = re.compile(r"\$\{(\w+)(?::-([^}]*))?\}")

_OURS: Final = "MOCKFORGE_"
_ALIKE: Final = 0.75
"""Of what is behind our prefix: other programs have variables that begin so, too."""
_OF_KUBERNETES: Final = re.compile(r"_SERVICE_(HOST|PORT)|_PORT_\d+_")
_OF_A_SERVICE: Final = ("tcp://", "udp://", "sctp://")


def is_variable(text: str) -> bool:
    """Whether it is one variable that has no default."""
    found = _VARIABLE.fullmatch(text)
    return found is not None and found[2] is None


def with_variables(text: str, environment: Mapping[str, str]) -> str:
    """`${NAME}` and `${NAME:-default}` as their values; one that is not set is empty."""
    return _VARIABLE.sub(lambda found: environment.get(found[1]) or found[2] or "", text)


def names_in(text: str) -> Iterator[str]:
    """The variables that a text names."""
    return (found[1] for found in _VARIABLE.finditer(text))


def is_of_kubernetes(name: str, text: str) -> bool:
    """Whether it is set in each pod, for a service of its namespace that is named so."""
    plain = name.endswith("_PORT") and text.startswith(_OF_A_SERVICE)
    return plain or _OF_KUBERNETES.search(name) is not None


def mistyped(environment: Mapping[str, str], known: Collection[str]) -> Iterator[str]:
    """What to say of variables that nobody reads and that have nearly the name of a setting."""
    endings = [name.removeprefix(_OURS) for name in known]
    for name in sorted(environment.keys() - known):
        if name.startswith(_OURS) and not is_of_kubernetes(name, environment[name]):
            near = get_close_matches(name.removeprefix(_OURS), endings, 1, _ALIKE)
            if near:
                yield f'{name}: no such setting, ignored, did you mean "{_OURS}{near[0]}"?'
