"""What `help` answers, in the console and on the command line: commands, and the guide's pages."""

from collections.abc import Sequence
from importlib import resources

from .lookup import BadArgument
from .registry import Command, Opt, Registry
from .results import Result

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


def explained(registry: Registry, words: Sequence[str]) -> Result:
    """A command, all verbs of a noun, a page of the guide, or an overview where no word is given.

    Raises BadArgument for words that mean none of them.
    """
    if not words:
        return Result(text=_overview(registry), data=registry.schema())
    first = words[0]
    page = _page(first) if len(words) == 1 else None
    if page is not None:
        # `filters` is `filter ls` elsewhere: who asks for help means the language.
        named = registry.names.get(first)
        above = f"{_of_command(named)}\n\n" if named is not None and named.name == first else ""
        return Result(text=above + page, data={"page": first, "text": above + page})
    words = words if len(words) > 1 else first.split(" ")
    found = registry.find(words)
    # A noun that is a command too (`auto`, `fault`) means all its verbs, unless it is that name.
    if found is not None and (
        found[1] == len(words) > 1 or found[0].name == words[0] or not registry.verbs(words[0])
    ):
        return Result(text=_of_command(found[0]), data=found[0].schema())
    verbs = registry.verbs(words[0])
    if verbs and len(words) == 1:
        # Once each, however many names it has.
        commands = list(dict.fromkeys(registry.names[f"{words[0]} {verb}"] for verb in verbs))
        lines = [f"{each.usage}\n    {each.summary}" for each in commands]
        return Result(text="\n".join(lines), data=[each.schema() for each in commands])
    raise BadArgument("first", registry.explain_unknown(words, pages()))


def pages() -> list[str]:
    """The names of the guide's pages."""
    files = (resources.files("mockforge_tui") / "guide").iterdir()
    return sorted(file.name.removesuffix(".md") for file in files if file.name.endswith(".md"))


def _page(name: str) -> str | None:
    if name not in pages():
        return None
    file = resources.files("mockforge_tui") / "guide" / f"{name}.md"
    return file.read_text(encoding="utf-8")


def _overview(registry: Registry) -> str:
    lines = []
    for group, title in _GROUPS.items():
        lines.append(title)
        lines += [
            f"  {each.name:<16} {each.summary}" for each in registry.commands if each.group == group
        ]
    lines.append(f"help COMMAND explains one; the guide: help {', '.join(pages())}")
    return "\n".join(lines)


def _of_command(found: Command) -> str:
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
