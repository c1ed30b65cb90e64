"""Names that clients choose to harm: what leaves can always be encoded, obeyed by no terminal."""

import json
import logging
from pathlib import Path

import pytest
from mockforge_brokers.events import Warned
from mockforge_brokers.mqtt.wire.encode import encode_packet
from mockforge_brokers.mqtt.wire.packets import Connect

from mockforge_tui.console.commands import REGISTRY
from mockforge_tui.console.history import append_history, read_history
from mockforge_tui.console.language import quoted, unquoted
from mockforge_tui.console.registry import Arg, Command
from mockforge_tui.event_log import log_events
from mockforge_tui.logs import set_up
from mockforge_tui.metrics import render

from .scene import BUG, Scene
from .test_everywhere import WAYS, scene_for

NAMES = {
    "bytes": b"\xff\xfe\x80name",
    "control": b"a\x1b[2J\x1b]0;owned\x07\r\n\x9b1m\x00\x7f",
    "line break": b"q\nline 2: all is well",
    "64 KB": b"n" * 65_000,
    "right to left": "\u202egpj.exe \u0634\u0631\u0637".encode(),
    "emoji": "\U0001f984\u200d\U0001f525 caf\u00e9".encode(),
    "markup": b"[/b][@click=app.quit]x[/]",
    "quotes": b"a'b\"c\\",
    "empty": b"",
}
OBEYED = [chr(each) for each in (*range(32), *range(127, 160), 0x202E) if each != 10]


def hostile(name: bytes, **options: object) -> Scene:
    """A scene in which clients of each protocol use this name wherever they can."""
    scene = Scene(**options)  # type: ignore[arg-type]
    short, text = name[:255], name.decode("utf-8", "surrogateescape")
    short_text = short.decode("utf-8", "surrogateescape")
    web = scene.web
    web.send("queue.declare", queue=short_text, arguments={})
    if short:
        scene.amqp.declare_exchange(short_text, "topic")
    for exchange in ("", "events"):
        scene.amqp.publish(exchange, short_text, name, properties={"type": short_text})
    if short:
        web.send(
            "queue.bind", queue=short_text, exchange="events", routing_key=short_text, arguments={}
        )
    scene.kafka.publish("orders", name, key=name, headers=[("h", name)])
    scene.ask(scene.billing, _metadata(), 1, _clean(text)[:32_000] or "c")
    scene.join(_clean(text)[:32_000] or "g", _clean(text)[:32_000], {"orders": [1]})
    topic = _clean(text).replace("\0", "")
    scene.mqtt_client(topic, "hostile/#", *([topic] if topic else ()))
    if topic:
        scene.run(f"pub mqtt:{quoted(topic)} {quoted(text)} -r")
    scene.heard.clear()
    return scene


def _clean(text: str) -> str:
    """Kafka's and MQTT's texts are UTF-8: what is none cannot come in that way."""
    return text.encode("utf-8", "replace").decode("utf-8")


def _metadata() -> object:
    from mockforge_brokers.kafka.wire.messages.cluster import MetadataRequest

    return MetadataRequest(topics=None)


def looking() -> list[str]:
    """Lines that show things, whatever there is."""
    verbs = (" ls", "held", "clock show")
    return [each.name for each in REGISTRY.commands if each.name.endswith(verbs)]


def line_with(command: Command, name: str) -> str:
    """This command with the name for each argument that it wants, and for the first it may have."""
    wanted = [each for each in command.positionals if each.required]
    wanted = wanted or list(command.positionals[:1])
    words = [
        name.removeprefix('"')
        if isinstance(each.spec, Arg) and each.spec.tail and not name
        else name
        for each in wanted
    ]
    return " ".join([command.name, *words])


def check(shown: str) -> None:
    assert BUG not in shown
    shown.encode()
    assert not [each for each in OBEYED if each in shown.replace("\r\n", "\n")]


@pytest.mark.table
@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("kind", NAMES)
def test_hostile_names_are_shown_by_every_command_and_way(
    kind: str, way: str, tmp_path: Path
) -> None:
    name = NAMES[kind]
    typed = quoted(name[:255].decode("utf-8", "surrogateescape"))
    inside = way != "http"
    scene = hostile(name, screen=way == "prompt", files=inside)
    shown = (f"queue show {typed}", f"exchange show {typed}", f"topic ls {typed}")
    # What only looks may look at the same.
    for line in (*looking(), *shown):
        check(WAYS[way](scene, line)[0])


# Some two hundred commands, each with a name of up to 64 KB: seconds on a machine at rest.
@pytest.mark.timeout(300)
@pytest.mark.table
@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("kind", NAMES)
def test_hostile_names_are_typed_to_every_command(
    kind: str, way: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    typed = quoted(NAMES[kind].decode("utf-8", "surrogateescape"))
    scene = scene_for(way, furnished=True)
    for command in REGISTRY.commands:
        if command.name != "quit":
            check(WAYS[way](scene, line_with(command, typed))[0])


@pytest.mark.parametrize("kind", NAMES)
def test_hostile_names_go_to_files_logs_and_metrics(
    kind: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    name = NAMES[kind]
    scene = hostile(name, files=True)
    for place in ("out.json", "out.txt"):
        for line in ("queue ls", "conns", "topics", "groups", "exchanges"):
            scene.run(f"{line} > {tmp_path / place}")
            written = (tmp_path / place).read_bytes().decode()
            if place.endswith("json"):
                json.loads(written)
    render(scene.brokers.values(), scene.listeners, scene.environment, 0.0).decode()
    text = name.decode("utf-8", "surrogateescape")
    for form in ("text", "json"):
        handlers = logging.getLogger().handlers[:]
        try:
            set_up("info", form)
            log_events(scene.spine)
            scene.spine.emit(Warned("amqp", text, text))
        finally:
            logging.getLogger().handlers[:] = handlers
    for line in capsys.readouterr().err.splitlines():
        check(line)
        assert "all is well" not in line or line[0] in "2{", "a name made a log line of its own"


def test_a_name_of_any_bytes_can_be_typed_as_it_is_completed() -> None:
    scene = hostile(b"\xff\xfe\x80name")
    (offered,) = [e.text for e in scene.session.complete("queue show ") if "name" in e.text]
    assert offered == r'"\xff\xfe\x80name"'
    assert scene.run(f"queue show {offered}").data["name"] == "\udcff\udcfe\udc80name"
    for name in NAMES.values():
        text = name.decode("utf-8", "surrogateescape")
        assert unquoted(quoted(text)) == text
    scene.run(r'pub kafka:orders "\xff\x00" -k "\xfe"')


def test_half_a_character_is_refused_at_its_place() -> None:
    problem = Scene(furnished=False).session.run("pub kafka:orders \ud83d").problem
    assert problem is not None
    assert (problem.start, problem.end) == (17, 18)


def test_a_client_id_of_mqtt_is_shown_as_far_as_it_fits() -> None:
    scene = Scene(furnished=False)
    client = scene.networks["mqtt"].connect()
    client.send(encode_packet(Connect("n" * 65_000), 4))
    assert all(len(line) <= 120 for line in scene.run("conns").as_text(120).splitlines())


def test_the_history_takes_a_line_with_bytes_that_are_no_text(tmp_path: Path) -> None:
    line = 'queue show "\udcff"'
    append_history(tmp_path / "history", line)
    assert read_history(tmp_path / "history") == [line]
