"""What is open in the inspector, without a screen: tabs, and what stays when figures are new."""

from functools import partial

import pytest
from mockforge_brokers.journal import IN, Row
from mockforge_brokers.snapshots import DestinationView, GroupView
from msgspec.structs import replace as changed

from mockforge_tui.console import kafka_beside
from mockforge_tui.tui.opened import WIRE_TAB, Opened
from mockforge_tui.tui.snapshot import DestinationLine

from ..console.scene import Scene


@pytest.fixture(scope="module")
def scene() -> Scene:
    return Scene()


def row(payload: bytes | None) -> Row:
    return Row("mqtt", IN, "PUBLISH", client="dev-7", destination="t/1", payload=payload)


def show(opened: Opened, scene: Scene, subject: object) -> bool:
    beside = partial(kafka_beside.beside, scene.kafka, scene.environment.access)
    return opened.show(subject, scene.environment.journal, beside)  # type: ignore[arg-type]


def first_line(opened: Opened) -> str:
    return "".join(text for text, _ in opened.document(80, 20, "▁█").line(0))


@pytest.mark.parametrize(
    ("payload", "tab"),
    [
        (b'{"a": 1}', "JSON"),
        (b"on", "Text"),
        (b"\x00\xff\xfe", "Bytes"),
        (None, "JSON"),
        (b"\xa1\x61\x74\x18\x2a", "CBOR"),
        (b"\x81\xa1\x74\xcd\x01\x00", "MessagePack"),
        (b"\x12\x05\x0a\x01\x74\x20\x03", "Sparkplug B"),
        (b"\x08\x96\x01", "Protobuf?"),
    ],
)
def test_a_rows_first_tab_is_named_after_what_its_payload_is(
    scene: Scene, payload: bytes | None, tab: str
) -> None:
    opened = Opened()
    assert show(opened, scene, row(payload))
    assert opened.tabs == (tab, "Headers", "Hex", "Wire")
    assert opened.beside, "headers stand beside the body"
    opened.tab = WIRE_TAB
    assert (opened.tabs[opened.tab], opened.beside) == ("Wire", None)
    assert first_line(opened).startswith("PUBLISH")


def test_nothing_is_open_at_first(scene: Scene) -> None:
    opened = Opened()
    assert (opened.subject, opened.row, opened.sheet, opened.tabs) == (None, None, None, ("Facts",))
    assert len(opened.document(80, 20, "▁█")) == 0
    assert not opened.chart_next()


def test_folds_stay_while_the_same_row_is_shown(scene: Scene) -> None:
    opened, one = Opened(), row(b'{"a": 1}')
    show(opened, scene, one)
    before = opened.document(80, 20, "▁█")
    assert not show(opened, scene, one)
    assert opened.document(80, 20, "▁█").tree is before.tree  # type: ignore[union-attr]
    assert show(opened, scene, row(b'{"a": 1}')), "another row with the same content"


def test_new_figures_of_a_group_are_the_same_group(scene: Scene) -> None:
    opened, group = Opened(), GroupView("mqtt", "hmi", "online", 1, detail={
        "inflight": 1, "window": 20, "queued": 0, "dropped": 0, "missed": 0, "expiry": None,
        "subscriptions": {}})  # fmt: skip
    assert show(opened, scene, group)
    assert not show(opened, scene, changed(group, state="offline"))
    assert opened.sheet is not None
    assert opened.sheet.title == ("mqtt", "session hmi")
    assert show(opened, scene, changed(group, name="other"))


def test_an_mqtt_topic_has_its_values_and_a_chart_of_one_number_at_a_time(scene: Scene) -> None:
    for value in (1, 2):
        scene.run(f'pub mqtt:plant/temp \'{{"c": {value}, "rh": 4{value}}}\'')
    opened = Opened()
    show(opened, scene, DestinationLine(DestinationView("mqtt", "topic", "plant/temp"), 0.0))
    assert opened.tabs == ("Facts", "Values", "Chart")
    assert opened.sheet is not None
    assert len(opened.sheet.values) == 2
    assert not opened.chart_next(), "no chart is shown yet"
    opened.tab = 2
    names = []
    for _ in range(3):
        names.append(first_line(opened))
        assert opened.chart_next()
    assert names[0] == names[2] != names[1]


def test_a_tab_that_the_next_subject_lacks_is_its_first(scene: Scene) -> None:
    opened = Opened()
    show(opened, scene, row(b"on"))
    opened.tab = WIRE_TAB
    show(opened, scene, DestinationLine(DestinationView("kafka", "topic", "orders"), 0.0))
    assert (opened.tab, opened.tabs) == (0, ("Facts",))
    show(opened, scene, row(b"on"))
    assert opened.tabs[opened.tab] == "Wire", "it is remembered"
