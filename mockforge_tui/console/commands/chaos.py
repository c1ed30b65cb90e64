"""`chaos`: known kinds of trouble by name, chosen by a seed, and what was done."""

import os
from dataclasses import replace
from typing import TYPE_CHECKING, Annotated

from mockforge_brokers.errors import InvalidInput

from ...units import counted
from ..chaos.identity import identify_by
from ..chaos.presets import PRESETS
from ..chaos.run import Run
from ..chaos.verdict import Observer
from ..chaos.wording import CLEAN, in_short
from ..lookup import BadArgument
from ..registry import Arg, Opt, Type, command
from ..results import Column, Result, count, done, duration, table
from ..types import DURATION, PAIR, TEXT, integer, of_text

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from typing import Any

    from mockforge_brokers.contract import Broker

    from ..chaos.story import ClientStory
    from ..session import Session

_SEED = integer("seed", 0)
_MOST_NAMED = 20
_NAMES = Type("presets", of_text(str), "presets")


@command("chaos presets", group="faults", examples=("chaos presets",))
def chaos_presets(session: "Session") -> Result:
    """List the presets: what each does, its parameters, and what a healthy client does."""
    rows = [
        {
            "name": preset.name,
            "summary": preset.summary,
            "parameters": " ".join(f"{name}={value}" for name, value in preset.parameters.items()),
            "healthy": preset.healthy,
        }
        for preset in PRESETS.values()
    ]
    return table(
        rows,
        Column("name", "preset"),
        Column("summary", "what it does"),
        Column("parameters", "parameters"),
        Column("healthy", "a healthy client"),
    )


@command(
    "chaos start",
    group="faults",
    examples=(
        "chaos start flaky-wifi -s client=nobody",
        "chaos start subway -s client=nobody -s gap=5s --for 2m",
        "chaos start flaky-wifi,half-open,nack-storm --every 20s --seed 7 --for 5m",
    ),
)
def chaos_start(
    session: "Session",
    names: Annotated[str, Arg(_NAMES, "a preset, or several with commas: chaos presets")],
    *,
    given: Annotated[
        tuple[tuple[str, str], ...], Opt(("-s", "--set"), PAIR, "a parameter", repeat=True)
    ] = (),
    seed: Annotated[int | None, Opt(("--seed",), _SEED, "repeats a run")] = None,
    every: Annotated[
        float | None, Opt(("--every",), DURATION, "chooses another one each time")
    ] = None,
    lifetime: Annotated[float | None, Opt(("--for",), DURATION, "ends after this")] = None,
    identity: Annotated[
        str, Opt(("--id",), TEXT, "tells messages apart: key, header.NAME, prop.NAME, json.PATH")
    ] = "",
) -> Result:
    """Start trouble: all presets that are named, or with --every one of them at a time.

    What is chosen and which faults fire goes by the seed. A run ends after --for or by
    `chaos stop`: its faults go. `chaos report` says what clients made of it, `chaos log` what it
    did.
    """
    presets = []
    for name in names.split(","):
        if name not in PRESETS:
            raise BadArgument("names", f"no preset {name}; chaos presets lists them")
        presets.append(PRESETS[name])
    if every is not None and every < 0.1:
        raise BadArgument("every", "100ms is the least")
    if lifetime == 0:
        raise BadArgument("lifetime", "--for is above 0, or nothing would happen")
    running = _running(session)
    if running is not None:
        raise BadArgument("names", "a run goes on: chaos stop ends it")
    chosen = int.from_bytes(os.urandom(4), "big") if seed is None else seed
    runtime = session.runtime
    identify = identify_by(identity)
    run = Run(
        presets,
        given,
        chosen,
        runtime.clock,
        runtime.faults,
        lambda line: session.run(line, confirmed=True),
        Observer(
            runtime.brokers,
            runtime.spine,
            runtime.faults,
            runtime.ended,
            runtime.clock,
            identify,
        ),
        tuple(runtime.brokers),
        lambda protocol: _nodes_of(runtime.brokers[protocol]),
        every,
        lifetime,
    )
    run.begin()
    # What clients made of it may be long, and nobody asks about those before it.
    for before in runtime.chaos:
        before.observer.forget()
    runtime.chaos[:] = [run]
    session.began[:] = [run]
    failed = [each for each in run.done if not each.ok]
    if failed:
        run.end()
        raise BadArgument("names", f"{failed[0].line}: {failed[0].answer.removeprefix('× ')}")
    text = f"chaos runs: {names} --seed {chosen}; chaos stop ends it"
    named = len(presets) > 1
    for preset in presets:
        text += f"\na healthy client{f' under {preset.name}' if named else ''} {preset.healthy}"
    healthy = {preset.name: preset.healthy for preset in presets}
    return done(text, {"presets": _presets_of(run), "seed": chosen, "healthy": healthy})


@command("chaos stop", group="faults", examples=("chaos stop",))
def chaos_stop(session: "Session") -> Result:
    """End the run that goes on: its faults go, what it stopped for a while comes back by itself."""
    run = _running(session)
    if run is None:
        return done("no run goes on", {"lines": 0})
    run.end()
    return done(f"ended after {len(run.done)} lines", {"lines": len(run.done)})


@command("panic", group="faults", examples=("panic",))
def panic(session: "Session") -> Result:
    """End all trouble at once: the chaos run, every fault, every hold; what was held goes on."""
    run = _running(session)
    faults = len(session.runtime.faults.rules)
    if run is not None:
        run.end()
    session.runtime.faults.clear()
    freed = session.runtime.holds.clear()
    chaos = "the chaos run ended, " if run is not None else ""
    removed, released = counted(faults, "fault"), counted(freed, "held frame")
    text = f"{chaos}{removed} removed, {released} released"
    return done(text, {"faults": faults, "released": freed})


@command("chaos log", group="faults", examples=("chaos log",))
def chaos_log(session: "Session") -> Result:
    """Show what the last run did: each line, when, and what it answered."""
    done_so_far = session.runtime.chaos[-1].done if session.runtime.chaos else []
    rows = [
        {"at": each.at, "preset": each.preset, "line": each.line, "answer": each.answer}
        for each in done_so_far
    ]
    return table(
        rows,
        Column("at", "at", duration, right=True),
        Column("preset", "preset"),
        Column("line", "line"),
        Column("answer", "answer"),
        empty="no run yet: chaos start",
    )


@command(
    "chaos report",
    group="faults",
    examples=("chaos report", "chaos report --each", "chaos report --html > report.html"),
)
def chaos_report(
    session: "Session",
    *,
    html: Annotated[bool, Opt(("--html",), None, "as a page with charts: --html > FILE")] = False,
    each: Annotated[bool, Opt(("--each",), None, "a line for each kind of fault")] = False,
) -> Result:
    """Show what clients made of the last run.

    How often each was hit by which fault and lost its connection, how long it stayed away, which
    messages it sent twice, out of order, or left out: by the number at the end of their --id. With
    --each, and on the page, what it did after each kind of fault.
    """
    if html:
        if not session.runtime.chaos:
            raise InvalidInput("no run yet: chaos start")
        from ..chaos.page import page  # only for who wants one

        return done(
            page(session.runtime.chaos[-1]), {"presets": _presets_of(session.runtime.chaos[-1])}
        )
    stories = session.runtime.chaos[-1].observer.stories() if session.runtime.chaos else ()
    if each:
        return _after_each(stories)
    records = [story.facts() for story in stories]
    columns = (
        Column("client", "client", whole=True),
        Column("protocol", "broker"),
        Column("verdict", "verdict", in_short, whole=True),
        Column("now", "now"),
        Column("lost", "ended", count, right=True),
        Column("tries", "tries", lambda tries: count(len(tries)), right=True),
        Column("pauses", "back after", _span),
        Column("backoff", "backoff"),
        Column("sent", "sent", count, right=True),
        Column("got", "got", count, right=True),
        Column("faults", "faults", _counted),
    )
    result = table(
        records,
        *_telling(columns, records),
        empty="no run yet: chaos start" if not session.runtime.chaos else "no client was there",
        fields=(
            *(each.key for each in columns),
            "away",
            "gave_up",
            "refused",
            "doubled",
            "resent",
            "disordered",
            "missing",
            "aborted",
            "resent_after",
            "clean",
            "under",
            "timeline",
        ),
    )
    return replace(result, text="\n".join([result.text, *_names(records)]).strip())


def _names(records: "Sequence[dict[str, Any]]") -> "Iterator[str]":
    """Which messages are meant: a table has no room for them."""
    named = [each for each in records if in_short(each["verdict"]) != each["verdict"]]
    named = [each for each in named if each["verdict"] != CLEAN]
    for each in named[:_MOST_NAMED]:
        yield f"{each['client']}: {each['verdict']}"
    if len(named) > _MOST_NAMED:
        yield f"{len(named) - _MOST_NAMED:,} more: chaos report --json"


def _telling(columns: "Sequence[Column]", records: "Sequence[dict[str, Any]]") -> "list[Column]":
    """Those that say something of anybody; the others leave their room to them."""
    return [each for each in columns if any(record[each.key] for record in records)]


def _after_each(stories: "Iterable[ClientStory]") -> Result:
    rows = [
        {"client": story.client, "protocol": story.protocol, **found}
        for story in stories
        for found in story.facts()["under"]
    ]
    columns = (
        Column("client", "client", whole=True),
        Column("protocol", "broker"),
        Column("fault", "fault", whole=True),
        Column("hits", "hits", count, right=True),
        Column("ended", "ended", count, right=True),
        Column("pauses", "back after", _span),
        Column("backoff", "backoff"),
        Column("asked_again", "asked again", _span),
        Column("resent_after", "sent again", _span),
        Column("doubled", "doubled", lambda names: count(len(names)) if names else "", right=True),
        Column("disordered", "late", lambda names: str(len(names) or ""), right=True),
        Column("gave_up", "then", lambda gave_up: "gave up" if gave_up else ""),
    )
    return table(
        rows,
        *_telling(columns, rows),
        empty="no fault hit anybody",
        fields=[each.key for each in columns],
    )


def _nodes_of(broker: "Broker") -> list[int]:
    """Those that are there; none where there is no cluster."""
    nodes = broker.nodes
    if nodes is None or len(nodes.ids) == 1:
        return []
    return [each for each in nodes.ids if each not in nodes.stopped]


def _presets_of(run: Run) -> list[str]:
    return [each.name for each in run.presets]


def _counted(faults: dict[str, int]) -> str:
    return ", ".join(f"{kind} {times}" for kind, times in faults.items())


def _span(pauses: list[float]) -> str:
    if not pauses:
        return ""
    least, most = duration(min(pauses)), duration(max(pauses))
    return least if least == most else f"{least} to {most}"


def _running(session: "Session") -> Run | None:
    run = session.runtime.chaos[-1] if session.runtime.chaos else None
    return run if run is not None and run.ended is None else None


COMMANDS = (chaos_presets, chaos_start, chaos_stop, panic, chaos_log, chaos_report)
