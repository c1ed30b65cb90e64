"""`help`, `set` and `quit`."""

from importlib import resources
from typing import TYPE_CHECKING, Annotated

from mockforge_brokers.errors import InvalidInput

from ..lookup import BadArgument
from ..registry import Arg, Command, Opt, Registry, command
from ..results import Result, done
from ..types import TEXT, choice, integer, text

if TYPE_CHECKING:
    from ..session import Session

_GROUPS = {
    "messages": "Messages",
    "fixtures": "Fixtures",
    "topics": "Topics",
    "queues": "Queues and exchanges",
    "mqtt": "MQTT",
    "connections": "Connections and groups",
    "access": "Users and rights",
    "faults": "Faults and holds",
    "view": "View",
    "control": "Control",
}
_SUBJECT = text("command", "commands")


@command("help", group="control", aliases=("?",), examples=("help", "help pub", "help filters"))
def help_(
    session: "Session",
    first: Annotated[str | None, Arg(_SUBJECT, "a command, or a page of the guide")] = None,
    second: Annotated[str | None, Arg(TEXT, "its second word", "VERB")] = None,
    third: Annotated[str | None, Arg(TEXT, "its third word, as in rabbitmqctl's", "WORD")] = None,
) -> Result:
    """Explain a command, a subject of the guide, or list all commands."""
    registry = session.registry
    if first is None:
        return Result(text=_overview(registry), data=registry.schema())
    page = _guide_page(first) if second is None else None
    if page is not None:
        # `filters` is `filter ls` elsewhere: who asks for help means the language.
        named = registry.names.get(first)
        above = f"{_explained(named)}\n\n" if named is not None and named.name == first else ""
        return Result(text=above + page, data={"page": first, "text": above + page})
    words = [first, *filter(None, (second, third))] if second else first.split(" ")
    found = registry.find(words)
    # A noun that is a command too (`auto`, `fault`) means all its verbs, unless it is that name.
    if found is not None and (
        found[1] == len(words) > 1 or found[0].name == words[0] or not registry.verbs(words[0])
    ):
        return Result(text=_explained(found[0]), data=found[0].schema())
    verbs = registry.verbs(words[0])
    if verbs and len(words) == 1:
        # Once each, however many names it has.
        commands = list(dict.fromkeys(registry.names[f"{words[0]} {verb}"] for verb in verbs))
        lines = [f"{each.usage}\n    {each.summary}" for each in commands]
        return Result(text="\n".join(lines), data=[each.schema() for each in commands])
    raise BadArgument("first", registry.explain_unknown(words))


@command("set", group="control", examples=("set confirm off", "set tail 100"))
def set_(
    session: "Session",
    name: Annotated[str, Arg(choice("name", "confirm", "tail"), "confirm or tail")],
    value: Annotated[str, Arg(TEXT, "on or off; rows a tick for tail", "VALUE")],
) -> Result:
    """Change how the prompt behaves: `confirm on|off`, `tail LINES|all` (rows shown a tick)."""
    if name == "confirm":
        if value not in ("on", "off"):
            raise BadArgument("value", f"confirm is on or off, not {value!r}")
        session.confirms = value == "on"
    elif value == "all":
        session.tail_lines = None
    elif value.isdecimal() and int(value):
        session.tail_lines = int(value)
    else:
        raise BadArgument("value", f"tail is a number of lines or all, not {value!r}")
    return done(f"{name} is {value}", {name: value})


@command("quit", group="control", aliases=("exit", "q"), examples=("quit",))
def quit_(
    session: "Session",
    *,
    code: Annotated[int, Opt(("--code",), integer("code", 0, 255), "exit code", "N")] = 0,
) -> Result:
    """End the console and its brokers."""
    if not (session.interactive or session.files):
        raise InvalidInput("quit ends a console; this instance ends by a signal (kill its pid)")
    return Result(text="", data={"code": code}, ends=code)


def _overview(registry: Registry) -> str:
    lines = []
    for group, title in _GROUPS.items():
        lines.append(title)
        lines += [
            f"  {each.name:<16} {each.summary}" for each in registry.commands if each.group == group
        ]
    lines.append(f"help COMMAND explains one; the guide: help {', '.join(_guide_pages())}")
    return "\n".join(lines)


def _explained(found: Command) -> str:
    lines = [found.usage, f"  {found.summary}."]
    if found.details:
        lines += ["", *(f"  {line}" for line in found.details.splitlines())]
    if found.parameters:
        lines.append("")
    for parameter in found.parameters:
        names = ", ".join(parameter.spec.names) if isinstance(parameter.spec, Opt) else ""
        label = names or parameter.label
        lines.append(f"  {label:<18} {parameter.spec.help}")
    if found.aliases:
        lines += ["", f"  also: {', '.join(found.aliases)}"]
    lines += ["", *(f"  {example}" for example in found.examples)]
    return "\n".join(lines)


def _guide_pages() -> list[str]:
    pages = (resources.files("mockforge_tui") / "guide").iterdir()
    return sorted(page.name.removesuffix(".md") for page in pages if page.name.endswith(".md"))


def _guide_page(name: str) -> str | None:
    if name not in _guide_pages():
        return None
    page = resources.files("mockforge_tui") / "guide" / f"{name}.md"
    return page.read_text(encoding="utf-8")


COMMANDS = (help_, set_, quit_)
