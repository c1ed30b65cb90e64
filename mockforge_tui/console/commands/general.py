"""`help`, `set` and `quit`."""

from typing import TYPE_CHECKING, Annotated

from mockforge_brokers.errors import InvalidInput

from ..lookup import BadArgument
from ..manual import explained
from ..registry import Arg, Opt, command
from ..results import Result, done
from ..types import TEXT, choice, integer, text

if TYPE_CHECKING:
    from ..session import Session

_SUBJECT = text("command", "commands")


@command("help", group="control", aliases=("?",), examples=("help", "help pub", "help filters"))
def help_(
    session: "Session",
    first: Annotated[str | None, Arg(_SUBJECT, "a command, or a page of the guide")] = None,
    second: Annotated[str | None, Arg(TEXT, "its second word", "VERB")] = None,
    third: Annotated[str | None, Arg(TEXT, "its third word, as in rabbitmqctl's", "WORD")] = None,
) -> Result:
    """Explain a command, a subject of the guide, or list all commands."""
    words = [first, second, third]
    return explained(session.registry, [word for word in words if word is not None])


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


COMMANDS = (help_, set_, quit_)
