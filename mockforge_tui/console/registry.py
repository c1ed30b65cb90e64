"""Commands as typed functions, and the registry that finds them by name."""

import inspect
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Annotated, Any, TypeVar, get_args, get_origin

from ..nearest import get_close_matches
from .language import Token
from .rabbitmqctl import RABBITMQCTL
from .results import Result


@dataclass(frozen=True, slots=True)
class Type:
    """How one kind of argument is read, completed and described.

    `parse` turns a token to a value and raises ValueError; `completer` names what offers its
    values; `values` are all there are, for a closed set, with `notes` on some. `reader` names what
    parses instead where somebody is there who knows more (a session knows saved filters).
    """

    name: str
    parse: Callable[[Token], Any]
    completer: str = ""
    values: tuple[str, ...] = ()
    schema: Mapping[str, Any] = field(default_factory=lambda: {"type": "string"})
    notes: Mapping[str, str] = field(default_factory=dict)
    reader: str = ""


@dataclass(frozen=True, slots=True)
class Arg:
    """A positional argument; with `tail`, all of the line that is left, as it was typed."""

    type: Type
    help: str = ""
    show: str = ""
    tail: bool = False


@dataclass(frozen=True, slots=True)
class Opt:
    """An option by its names; without a type it is a flag; `repeat` collects a tuple."""

    names: tuple[str, ...]
    type: Type | None = None
    help: str = ""
    show: str = ""
    repeat: bool = False


@dataclass(frozen=True, slots=True)
class Parameter:
    """One parameter of a command's function, with what its annotation says."""

    name: str
    spec: Arg | Opt
    default: Any

    @property
    def required(self) -> bool:
        return self.default is inspect.Parameter.empty

    @property
    def label(self) -> str:
        """`NAME`, `-n N`, `--durable`."""
        spec = self.spec
        show = spec.show or (spec.type.name.upper() if spec.type is not None else "")
        if isinstance(spec, Arg):
            return show
        return f"{spec.names[0]} {show}" if show else spec.names[0]

    @property
    def usage(self) -> str:
        label = self.label + ("…" if isinstance(self.spec, Opt) and self.spec.repeat else "")
        return label if self.required else f"[{label}]"


@dataclass(frozen=True, eq=False)
class Command:
    """A command: its function, and all that help, completion and programs need to know of it.

    `asks` is the question that comes first on a terminal (a template over the arguments).
    `streams`: its data come as rows through the session's `report`, perhaps for a long time.
    """

    name: str
    run: Callable[..., Result]
    parameters: tuple[Parameter, ...]
    summary: str
    details: str
    group: str
    aliases: tuple[str, ...] = ()
    examples: tuple[str, ...] = ()
    asks: str = ""
    streams: bool = False

    @cached_property
    def positionals(self) -> tuple[Parameter, ...]:
        return tuple(each for each in self.parameters if isinstance(each.spec, Arg))

    @cached_property
    def options(self) -> dict[str, Parameter]:
        """By each of their names."""
        return {
            name: each
            for each in self.parameters
            if isinstance(each.spec, Opt)
            for name in each.spec.names
        }

    @cached_property
    def usage(self) -> str:
        parts = [self.name, *(each.usage for each in self.parameters)]
        return " ".join(parts + (["[-y]"] if self.asks else []))

    def schema(self) -> dict[str, Any]:
        """A JSON description for programs: name, help, examples, JSON Schema of the arguments."""
        properties = {each.name: _property(each) for each in self.parameters}
        required = [each.name for each in self.parameters if each.required]
        return {
            "name": self.name,
            "aliases": list(self.aliases),
            "group": self.group,
            "summary": self.summary,
            "details": self.details,
            "usage": self.usage,
            "examples": list(self.examples),
            "confirms": bool(self.asks),
            "streams": self.streams,
            "arguments": {"type": "object", "properties": properties, "required": required},
        }


F = TypeVar("F", bound=Callable[..., Result])


def command(
    name: str,
    *,
    group: str,
    aliases: Iterable[str] = (),
    examples: Iterable[str] = (),
    asks: str = "",
    streams: bool = False,
) -> Callable[[Callable[..., Result]], Command]:
    """Makes a command of a function `run(session, ...)`; its docstring is the help.

    Each parameter but the first is `Annotated[type, Arg(...)]` or `Annotated[type, Opt(...)]`.
    """

    def make(run: Callable[..., Result]) -> Command:
        summary, _, details = inspect.cleandoc(run.__doc__ or "").partition("\n")
        return Command(
            name=name,
            run=run,
            parameters=_parameters(run),
            summary=summary.rstrip("."),
            details=details.strip(),
            group=group,
            aliases=tuple(aliases),
            examples=tuple(examples),
            asks=asks,
            streams=streams,
        )

    return make


class Registry:
    """All commands, found by name or alias; filled once and not changed after."""

    def __init__(self, commands: Iterable[Command]) -> None:
        self.commands = tuple(commands)
        self._names: dict[str, Command] = {}
        for each in self.commands:
            for name in (each.name, *each.aliases):
                if name in self._names:
                    raise ValueError(f"two commands are called {name!r}")
                self._names[name] = each
        self._heads: dict[str, list[str]] = {}
        for name in self._names:
            head, _, rest = name.partition(" ")
            if rest:
                self._heads.setdefault(head, []).append(rest)

        self.first_words = self._first_words()
        """What a line may begin with, and what that does."""
        self.typed_words = (
            *self.first_words,
            *self._other_first_words({word for word, _ in self.first_words}),
            ("every", "every 5s: COMMAND"),
            ("repeat", "repeat 3: COMMAND"),
        )
        """The same with aliases: for who has begun to type."""

    @property
    def names(self) -> Mapping[str, Command]:
        """Every name and alias with its command."""
        return self._names

    def find(self, words: Sequence[str]) -> tuple[Command, int] | None:
        """Returns the command that begins these words, and how many of them are its name."""
        # Three words are names that rabbitmqctl has: `set user tags`.
        for length in (3, 2, 1):
            found = self._names.get(" ".join(words[:length])) if len(words) >= length else None
            if found is not None:
                return found, length
        # The same names as rabbitmqctl writes them: `set_user_tags`.
        found = self._names.get(words[0].replace("_", " ")) if words else None
        return None if found is None else (found, 1)

    def verbs(self, head: str) -> list[str]:
        """The second words that may follow a first one (`topic`: add, ls, rm, ...)."""
        return self._heads.get(head, [])

    def own_verbs(self, head: str) -> list[str]:
        """The same without aliases, where there are others."""
        verbs = self.verbs(head)
        named = ((verb, f"{head} {verb}") for verb in verbs)
        return [verb for verb, name in named if self._names[name].name == name] or verbs

    def explain_unknown(self, words: Sequence[str], others: Iterable[str] = ()) -> str:
        """Says why no command begins so, and what may be meant: a command or one of `others`."""
        head = words[0]
        if head in RABBITMQCTL:
            return f"no command {head}; what rabbitmqctl does by it is here: {RABBITMQCTL[head]}"
        verbs = self.verbs(head)
        if verbs:
            choices = ", ".join(self.own_verbs(head))
            if len(words) == 1:
                return f"{head} what? There is {choices}"
            close = get_close_matches(words[1], verbs, 1)
            hint = f"did you mean {head} {close[0]}?" if close else f"there is {choices}"
            return f"no command {head} {words[1]}; {hint}"
        heads = {name.partition(" ")[0] for name in self._names}
        close = get_close_matches(head, heads.union(others), 1)
        hint = f"did you mean {close[0]}?" if close else "help lists all"
        return f"no command {head}; {hint}"

    def _first_words(self) -> tuple[tuple[str, str], ...]:
        heads: dict[str, str] = {}
        for each in self.commands:
            head, _, verb = each.name.partition(" ")
            heads.setdefault(head, ", ".join(self.own_verbs(head)) if verb else each.summary)
        return tuple(heads.items())

    def _other_first_words(self, known: set[str]) -> tuple[tuple[str, str], ...]:
        return tuple(
            (name, f"{each.name}: {each.summary}")
            for name, each in self._names.items()
            if " " not in name and name not in known
        )

    def schema(self) -> list[dict[str, Any]]:
        return [each.schema() for each in self.commands]


def _parameters(run: Callable[..., Result]) -> tuple[Parameter, ...]:
    found = []
    for parameter in list(inspect.signature(run).parameters.values())[1:]:
        if get_origin(parameter.annotation) is not Annotated:
            raise TypeError(f"{run.__name__}: {parameter.name} is not annotated with Arg or Opt")
        spec = get_args(parameter.annotation)[1]
        if not isinstance(spec, Arg | Opt):
            raise TypeError(f"{run.__name__}: {parameter.name} is not annotated with Arg or Opt")
        found.append(Parameter(parameter.name, spec, parameter.default))
    return tuple(found)


def _property(parameter: Parameter) -> dict[str, Any]:
    spec = parameter.spec
    schema: dict[str, Any] = {"type": "boolean"} if spec.type is None else dict(spec.type.schema)
    if isinstance(spec, Opt):
        if spec.repeat:
            schema = {"type": "array", "items": schema}
        schema["options"] = list(spec.names)
    if spec.type is not None and spec.type.values:
        schema["enum"] = list(spec.type.values)
    if spec.help:
        schema["description"] = spec.help
    return schema
