"""Regular expressions that users give to match names, in time that is bounded.

Python's engine goes back and tries again: `(a+)+$` and a queue's name of forty letters hold the
loop for hours. RabbitMQ's gives up after many tries. Here an expression that could go back far is
run as an automaton instead: it has all that may have matched so far at once, and goes over a name
but once. It says whether there is a match, not what matched, which is all that is asked.
"""

import re
from collections.abc import Iterable
from contextlib import suppress
from functools import lru_cache
from re import _compiler, _parser  # type: ignore[attr-defined]
from re import _constants as sre  # type: ignore[attr-defined]
from typing import Any, Final, Protocol

_LONGEST: Final = 256
"""Characters of a name in which Python's engine has no far way back."""
_MOST_OPEN: Final = 2
_MOST_CHOICES: Final = 6
_MOST_STATES: Final = 4000
_MOST_TRIES: Final = 200_000
"""States that are looked at for one name; what did not match by then does not, as in RabbitMQ."""
_ONE_CHARACTER: Final = (sre.LITERAL, sre.NOT_LITERAL, sre.ANY, sre.IN)
_REPEATS: Final = (sre.MAX_REPEAT, sre.MIN_REPEAT, sre.POSSESSIVE_REPEAT)
_NO_FLAGS: Final = (0, 0)


class Expression(Protocol):
    """What `compiled` gives: a `re.Pattern` of plain ones is one."""

    def search(self, name: str, /) -> object:
        """Something true where some part of the name matches."""
        ...

    def fullmatch(self, name: str, /) -> object:
        """Something true where all of the name matches."""
        ...


@lru_cache(maxsize=1024)
def compiled(text: str, flags: int = 0) -> Expression:
    """Raises re.error for what is no regular expression, or cannot be run in bounded time."""
    try:
        pattern = re.compile(text, flags)
        tree = _parser.parse(text, flags)
        return _Bounded(pattern, tree, plain=_is_plain(tree))
    except (RecursionError, OverflowError):
        raise re.error("it is too deep, or counts too far") from None


class _Bounded:
    __slots__ = ("_pattern", "_plain", "_states", "_tree")

    def __init__(self, pattern: re.Pattern[str], tree: Any, *, plain: bool) -> None:
        self._pattern = pattern
        self._tree = tree
        self._plain = plain
        # What cannot be run is refused where it is given, not where it is first asked.
        self._states = None if plain else _Automaton(tree)

    def search(self, name: str, /) -> object:
        if self._plain and len(name) <= _LONGEST:
            return self._pattern.search(name)
        states = self._automaton()
        return states and states.search(name)

    def fullmatch(self, name: str, /) -> object:
        if self._plain and len(name) <= _LONGEST:
            return self._pattern.fullmatch(name)
        states = self._automaton()
        return states and states.fullmatch(name)

    def _automaton(self) -> "_Automaton | None":
        if self._states is None:
            # It refers back to what it matched, which a long name has too much of.
            with suppress(re.error):
                self._states = _Automaton(self._tree)
        return self._states


def _is_plain(tree: Any) -> bool:
    """Whether Python's engine has few ways to try."""
    counted = _Ways()
    counted.add(tree, repeated=False)
    return not counted.nested and counted.open <= _MOST_OPEN and counted.choices <= _MOST_CHOICES


class _Ways:
    """What an expression leaves open: repeats, choices, and either within a repeat."""

    def __init__(self) -> None:
        self.open = self.choices = 0
        self.nested = False

    def add(self, tree: Any, *, repeated: bool) -> None:
        for kind, value in tree:
            if kind in _REPEATS:
                least, most, body = value
                if least != most:
                    self.nested |= repeated
                    if most > 1:
                        self.open += 1
                    else:
                        self.choices += 1
                self.add(body, repeated=repeated or most > 1)
            elif kind is sre.BRANCH:
                self.nested |= repeated
                self.choices += 1
                for each in value[1]:
                    self.add(each, repeated=repeated)
            elif kind in (sre.GROUPREF, sre.GROUPREF_EXISTS):
                # What it refers to is compared once more, whatever length that had.
                self.open += 1
            else:
                for each in _within(kind, value):
                    self.add(each, repeated=repeated)


def _within(kind: Any, value: Any) -> Iterable[Any]:
    if kind is sre.SUBPATTERN:
        return (value[3],)
    if kind in (sre.ASSERT, sre.ASSERT_NOT):
        return (value[1],)
    return (value,) if kind is sre.ATOMIC_GROUP else ()


# States are tuples: (_ONE, pattern of the character that it takes), (_HERE, pattern that matches
# nothing long), (_LOOK, automaton, whether it must match, how far back), (_FORK, one, other) and
# (_END,). But for a fork the next state is the one behind it.
_ONE, _HERE, _LOOK, _FORK, _END = range(5)
_State = tuple[Any, ...]
_Seen = dict[tuple["_Automaton", int], bool]


class _Tries:
    """How many are left, and what was seen of looks ahead and behind at each place."""

    __slots__ = ("left", "looks")

    def __init__(self) -> None:
        self.left = _MOST_TRIES
        self.looks: _Seen = {}


class _Room:
    """How many states an expression may have yet, with those of its looks ahead and behind."""

    __slots__ = ("left",)

    def __init__(self) -> None:
        self.left = _MOST_STATES


class _Automaton:
    """Raises re.error for what has no automaton: references back, atomic groups; or a large one."""

    def __init__(self, tree: Any, room: _Room | None = None) -> None:
        self._states: list[_State] = []
        self._room = room or _Room()
        self._parsed = tree.state
        self._sequence(tree, _NO_FLAGS)
        self._states.append((_END,))

    def search(self, name: str) -> bool:
        return self._matches(name, 0, _Tries(), anywhere=True)

    def fullmatch(self, name: str) -> bool:
        return self._matches(name, 0, _Tries(), whole=True)

    # Making it.

    def _sequence(self, tree: Any, flags: tuple[int, int]) -> None:
        """Append what matches all of these, one behind the other; `flags` are added and taken."""
        for kind, value in tree:
            if kind in _ONE_CHARACTER:
                self._append(_ONE, self._alone(kind, value, flags))
            elif kind is sre.AT:
                self._append(_HERE, self._alone(kind, value, flags))
            elif kind is sre.SUBPATTERN:
                _, more, less, body = value
                self._sequence(body, ((flags[0] | more) & ~less, (flags[1] | less) & ~more))
            elif kind is sre.BRANCH:
                self._branch(value[1], flags)
            elif kind in (sre.MAX_REPEAT, sre.MIN_REPEAT):
                # Whether it takes much or little first makes no difference to there being a match.
                self._repeat(value, flags)
            elif kind in (sre.ASSERT, sre.ASSERT_NOT):
                direction, body = value
                back = body.getwidth()[0] if direction < 0 else 0
                self._append(_LOOK, _Automaton(_flagged(self._parsed, body, flags), self._room),
                             kind is sre.ASSERT, back)  # fmt: skip
            else:
                what = str(kind).lower().replace("_", " ")
                raise re.error(f"a {what} among repeats or choices could take for ever")

    def _append(self, *state: Any) -> int:
        """Returns its number."""
        self._room.left -= 1
        if self._room.left < 0:
            raise re.error(f"it has more than {_MOST_STATES} states: let it count less far")
        self._states.append(state)
        return len(self._states) - 1

    def _alone(self, kind: Any, value: Any, flags: tuple[int, int]) -> re.Pattern[str]:
        found: re.Pattern[str] = _compiler.compile(_flagged(self._parsed, [(kind, value)], flags))
        return found

    def _branch(self, branches: Any, flags: tuple[int, int]) -> None:
        ends = []
        for each in branches[:-1]:
            fork = self._append(_FORK, 0, 0)
            self._sequence(each, flags)
            ends.append(self._append(_FORK, 0, 0))
            self._states[fork] = (_FORK, fork + 1, len(self._states))
        self._sequence(branches[-1], flags)
        for end in ends:
            self._states[end] = (_FORK, len(self._states), len(self._states))

    def _repeat(self, value: tuple[int, int, Any], flags: tuple[int, int]) -> None:
        least, most, body = value
        for _ in range(least):
            before = len(self._states)
            self._sequence(body, flags)
            if len(self._states) == before:
                # It matches what is empty, however often.
                break
        if most is sre.MAXREPEAT:
            fork = self._append(_FORK, 0, 0)
            self._sequence(body, flags)
            self._append(_FORK, fork, fork)
            self._states[fork] = (_FORK, fork + 1, len(self._states))
            return
        forks = []
        for _ in range(most - least):
            forks.append(self._append(_FORK, 0, 0))
            self._sequence(body, flags)
        for fork in forks:
            self._states[fork] = (_FORK, fork + 1, len(self._states))

    # Running it.

    def _matches(
        self,
        name: str,
        begin: int,
        tries: _Tries,
        *,
        anywhere: bool = False,
        whole: bool = False,
    ) -> bool:
        """Whether something matches that begins at `begin`, or `anywhere` from there on.

        `whole`: and ends where the name does.
        """
        states, here = self._states, [0]
        for at in range(begin, len(name) + 1):
            there: list[int] = []
            ends = not whole or at == len(name)
            if self._reach(here, name, at, tries, there, ends=ends):
                return True
            if (not there and not anywhere) or at == len(name):
                return False
            if tries.left < 0:
                return False
            here = [number + 1 for number in there if states[number][1].match(name, at)]
            if anywhere:
                here.append(0)
        return False

    def _reach(
        self,
        begin: list[int],
        name: str,
        at: int,
        tries: _Tries,
        there: list[int],
        *,
        ends: bool,
    ) -> bool:
        """Gather in `there` the states that want a character at this place; True at the end, where
        it `ends` here.
        """
        seen = set(begin)
        todo = list(seen)
        while todo:
            number = todo.pop()
            state = self._states[number]
            kind = state[0]
            if kind == _END:
                if ends:
                    return True
                continue
            if kind == _ONE:
                there.append(number)
                continue
            if kind == _FORK:
                following = state[1:]
            elif kind == _HERE:
                following = (number + 1,) if state[1].match(name, at) else ()
            else:
                following = (number + 1,) if _looks(state, name, at, tries) else ()
            for each in following:
                if each not in seen:
                    seen.add(each)
                    todo.append(each)
        tries.left -= len(seen)
        return False


def _looks(state: _State, name: str, at: int, tries: _Tries) -> bool:
    """Whether a look ahead, or behind, is as it must be."""
    _, automaton, wanted, back = state
    key = automaton, at
    found = tries.looks.get(key)
    if found is None:
        begin = at - back
        found = begin >= 0 and automaton._matches(name, begin, tries)
        tries.looks[key] = found
    return found is wanted


def _flagged(parsed: Any, body: Any, flags: tuple[int, int]) -> Any:
    """A part of an expression as one of its own, with the flags of the groups around it."""
    part = body if isinstance(body, _parser.SubPattern) else _parser.SubPattern(parsed, body)
    if flags == _NO_FLAGS:
        return part
    return _parser.SubPattern(parsed, [(sre.SUBPATTERN, (None, *flags, part))])
