"""Every line of the guide's page on faults and holds does what it says, in the page's order."""

import re
from pathlib import Path

from brokers.misbehaving import Waiting
from mockforge_brokers.amqp.wire.methods import BY_NAME
from mockforge_brokers.journal import IN, Row
from mockforge_brokers.kafka.codes import ApiKey
from mockforge_brokers.misbehaviour.actions import ACTIONS
from mockforge_brokers.mqtt.codes import PacketType
from mockforge_brokers.protocols import PROTOCOLS

from mockforge_tui import MockForge
from mockforge_tui.console.chaos.aftermath import Aftermath
from mockforge_tui.console.chaos.presets import PRESETS
from mockforge_tui.console.chaos.story import ClientStory
from mockforge_tui.console.commands import REGISTRY
from mockforge_tui.console.registry import Opt

from .scene import Scene

PAGE = Path(__file__).parents[3] / "mockforge_tui" / "guide" / "faults.md"


def lines() -> list[str]:
    """The page's commands; what stands behind three spaces is for the reader."""
    text = PAGE.read_text(encoding="utf-8")
    return [
        line.strip().partition("   ")[0] for line in text.splitlines() if line.startswith("    ")
    ]


def test_every_line_of_the_page_runs_in_its_order() -> None:
    scene = Scene()
    for line in lines():
        if line.split()[0] == "held":
            hold_three_frames(scene)
        result = scene.session.run(line, confirmed=True)
        assert result.ok, f"{line}: {result.as_text()}"
    assert scene.holds.rules == {}
    assert scene.holds.held == {}


def hold_three_frames(scene: Scene) -> None:
    rule = scene.holds.rules[2]
    for _ in range(3):
        row = Row("mqtt", IN, "PUBLISH", client="billing")
        scene.holds.hold(rule, [row], Waiting())


def test_the_page_shows_every_kind_and_every_option() -> None:
    text = PAGE.read_text(encoding="utf-8")
    for words in (["fault", "add"], ["hold"]):
        found = REGISTRY.find(words)
        assert found is not None
        for parameter in found[0].parameters:
            if isinstance(parameter.spec, Opt):
                assert parameter.spec.names[0] in text
    for kind in ACTIONS:
        assert f"fault add {kind}" in text


def table() -> list[str]:
    """The page's table of actions, as the table in the code has it."""
    rows = ["| action | what it does | what the client sees | what a correct client does |"]
    rows.append("|---|---|---|---|")
    for kind in ACTIONS.values():
        name = " or ".join(f"`{each}`" for each in (kind.name, *kind.aliases))
        rows.append(f"| {name} | {kind.summary} | {kind.client_sees} | {kind.correct_client} |")
    return rows


def test_the_page_has_the_table_of_actions() -> None:
    text = PAGE.read_text(encoding="utf-8")
    expected = "\n".join(table())
    assert expected in text, f"put this into the page:\n{expected}"


def tried() -> set[tuple[str, str]]:
    """Which action is in a line of a test with a real client, and of which protocol it is."""
    protocols = {
        **{api.name.replace("_", "").lower(): "kafka" for api in ApiKey},
        **{kind.name.lower(): "mqtt" for kind in PacketType},
        **dict.fromkeys(BY_NAME, "amqp"),
    }
    names = {each: kind.name for kind in ACTIONS.values() for each in (kind.name, *kind.aliases)}
    line = re.compile(rf"\b({'|'.join(names)}) [^\n]*?\b(?:op:([\w.-]+)|proto:(\w+))")
    clients = Path(__file__).parents[2] / "clients"
    text = "\n".join(path.read_text(encoding="utf-8") for path in clients.glob("test_*.py"))
    return {
        (names[action], protocol or protocols.get(operation.lower(), ""))
        for action, operation, protocol in line.findall(text)
    }


def test_every_action_is_tried_with_a_real_client_of_each_protocol() -> None:
    # Clients are parted by their names: `test_partition.py` does so for each protocol.
    wanted = {(name, protocol) for name in ACTIONS.keys() - {"partition"} for protocol in PROTOCOLS}
    assert wanted - tried() == set()


def wishes() -> list[str]:
    """What the page says is the same here: the lines of its table's last column."""
    rows = PAGE.read_text(encoding="utf-8").partition("## What you know from elsewhere")[2]
    cells = [row.split(" | ")[-1] for row in rows.partition("\n## ")[0].split("\n")[4:]]
    found = [line for cell in cells for line in re.findall("`([^`]+)`", cell)]
    return [line for line in found if not line.startswith("--")]


def test_what_other_test_brokers_can_do_is_one_line_here() -> None:
    lines = wishes()
    assert len(lines) > 25
    with MockForge(kafka_nodes=3) as mockforge:
        mockforge.run("topic add orders -p 3")
        mockforge.run("topic add accounts -p 1 --config cleanup.policy=compact")
        for line in lines:
            mockforge.run(line)
        found = {each["leader"] for each in mockforge.run("leader ls orders").records}
        assert found <= {1, 2, 3}


def test_the_page_says_what_the_json_of_a_report_has() -> None:
    shape = PAGE.read_text(encoding="utf-8").partition("| field | what |")[2].partition("\n\n")[0]
    rows = [row.split(" | ") for row in shape.splitlines()[2:]]
    told = {name for row in rows for name in re.findall("`([a-z_]+)`", row[0])}
    story = ClientStory("mqtt", "dev-7")
    assert told == story.facts().keys()
    [under] = (row[1] for row in rows if "`under`" in row[0])
    assert {*re.findall("`([a-z_]+)`", under)} == Aftermath("drop").facts().keys()


def test_every_preset_is_tried_with_a_real_client() -> None:
    clients = Path(__file__).parents[2] / "clients"
    text = "\n".join(path.read_text(encoding="utf-8") for path in clients.glob("test_*.py"))
    assert [name for name in PRESETS if name not in text] == []
