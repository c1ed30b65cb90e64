"""What the screen is made of, without a screen."""

import json
import re
import time
from importlib import resources
from pathlib import Path
from random import Random

import pytest
from brokers.amqp.client import publish
from mockforge_brokers.amqp.records import Field
from mockforge_brokers.amqp.rows import read_rows
from mockforge_brokers.amqp.wire import frames
from mockforge_brokers.journal import IN, OUT, Row
from mockforge_brokers.snapshots import DestinationView

from mockforge_tui.console.cells import payload_text, preview_text
from mockforge_tui.console.commands import REGISTRY
from mockforge_tui.console.commands.copy import copied_text
from mockforge_tui.console.language import lex
from mockforge_tui.console.payloads import maker, parse_payload
from mockforge_tui.filters import compile_filter
from mockforge_tui.filters.syntax import parse
from mockforge_tui.fixtures.templates import Scope
from mockforge_tui.tui.documents import Hex, Plain, Wrapped
from mockforge_tui.tui.drawing import cells, cut, sparkline, spread
from mockforge_tui.tui.history import History
from mockforge_tui.tui.inspection import Inspection
from mockforge_tui.tui.jsontree import JsonTree
from mockforge_tui.tui.keys import FAULTS, HELD, KEYS, PANE_NAMES, PAUSED, brief_keys, where
from mockforge_tui.tui.narrowing import (
    combined,
    payload_word,
    publish_line,
    replaced,
    term,
    term_of,
)
from mockforge_tui.tui.pace import FASTEST, SHARE, SLOWEST, Pace
from mockforge_tui.tui.palette import ASCII, NIGHT, PALETTES, UNICODE
from mockforge_tui.tui.rows import (
    ROOMY,
    Need,
    columns,
    fields,
    fit_middle,
    heading,
    row_pieces,
)
from mockforge_tui.tui.snapshot import DestinationLine, Rates
from mockforge_tui.tui.widgets.panes import DestinationsPane, folded


def _row(**changes: object) -> Row:
    given: dict[str, object] = {
        "protocol": "kafka", "direction": IN, "operation": "Produce", "client": "order-svc",
        "kind": "message", "destination": "orders.created", "key": b"o-1",
        "payload": b'{"id": 1}', "size": 9, "detail": {"partition": 2, "offset": 118},
        "connection": 7, "seq": 1841, "time": 1_700_000_000.102,
    }  # fmt: skip
    return Row(**(given | changes))  # type: ignore[arg-type]


def _line(row: Row, width: int = 86) -> str:
    return "".join(text for text, _ in row_pieces(row, width, NIGHT, UNICODE))


# Rows -------------------------------------------------------------------------------------


@pytest.mark.parametrize("width", [60, 70, 80, 86, 100, 124, 160])
@pytest.mark.parametrize(
    "row",
    [
        _row(),
        _row(client="∗auto", destination="配送/倉庫/温度" * 4, payload="温度".encode() * 40),
        _row(kind="event", operation="closed", detail={"text": "it went away " * 20}),
        _row(protocol="amqp", direction=OUT, operation="basic.deliver", held=3),
        _row(payload=None, key=None, size=0, error="UNKNOWN_TOPIC_OR_PARTITION"),
        _row(payload=b"\x00\x01\xff" * 50, fault=1),
    ],
)  # fmt: skip
def test_a_row_is_exactly_as_wide_as_the_pane(row: Row, width: int) -> None:
    for chosen in (False, True):
        pieces = row_pieces(row, width, NIGHT, ASCII, chosen=chosen)
        assert cells(pieces) == width
        assert len(pieces) <= 9


def test_a_row_tells_who_did_what_with_which_message() -> None:
    told = r" +1841 20\.102 K→ order-svc +Produce +orders.+p2@118 +o-1 +9B \{\"id\""
    assert re.match(told, _line(_row()))


def test_signs_stand_for_held_faulty_and_failed_frames() -> None:
    assert "‖" in _line(_row(held=1))
    assert "↯" in _line(_row(fault=2))
    assert "×" in _line(_row(error="NOT_LEADER"))
    assert "★" in _line(_row(marked=True))


def test_what_a_frame_says_stands_where_there_is_room_for_it() -> None:
    said = {"client_id": "billing", "keep_alive": 60}
    frame = _row(protocol="mqtt", operation="CONNECT", kind="frame", destination="", key=None,
                 payload=None, detail=said)  # fmt: skip
    need = Need(client=9, operation=7, destination=12, key=0)
    line = "".join(text for text, _ in row_pieces(frame, 100, NIGHT, UNICODE, wanted=need))
    assert "client_id=billing  keep_alive=60" in line
    assert len(line) == 100


@pytest.mark.parametrize("width", [80, 86, 120])
def test_which_message_is_acknowledged_has_room_before_the_channel(width: int) -> None:
    said = {"channel": 1, "delivery_tag": 17, "multiple": False}
    frame = _row(protocol="amqp", operation="basic.ack", kind="frame", destination="", key=None,
                 payload=None, detail=said)  # fmt: skip
    line = "".join(text for text, _ in row_pieces(frame, width, NIGHT, UNICODE))
    assert "delivery_tag=17" in line


def test_columns_and_heading_agree() -> None:
    for width in range(60, 200):
        for wanted in (ROOMY, Need(), Need(10, 7, 21, 6)):
            plan = columns(width, wanted)
            assert plan.preview >= 0
            assert len(heading(width, wanted)) == width
            for field in fields(width, wanted):
                assert field.end <= width - plan.preview


@pytest.mark.parametrize(("width", "least"), [(80, 9), (84, 12), (122, 30), (160, 40)])
def test_the_preview_gets_what_other_columns_do_not_need(width: int, least: int) -> None:
    assert columns(width, ROOMY).preview >= least
    assert columns(width, Need(10, 7, 12)).preview > columns(width, ROOMY).preview


def test_previews_run_white_space_together_and_show_bytes_as_hex() -> None:
    assert preview_text(_row(payload=b'{\n  "a": 1\n}'), 20) == '{ "a": 1 }'
    assert preview_text(_row(payload=b"\x00\xca\xfe"), 20) == "0x00cafe"
    assert preview_text(_row(payload=b"\x1b[2J"), 20).startswith("0x1b")
    assert preview_text(_row(payload="21 °C".encode()), 20) == "21 °C"


def test_long_names_are_cut_in_the_middle() -> None:
    cut_name = fit_middle("warehouse/robots/r4/position", 18, UNICODE)
    assert cut_name == "wareh…/r4/position"
    assert fit_middle("short", 8, UNICODE) == "short   "


def test_mqtt_topics_of_one_tree_are_one_line_once_they_are_many() -> None:
    def line(name: str) -> DestinationLine:
        return DestinationLine(DestinationView("mqtt", "topic", name, 2, 1, 1), 0.5)

    few = [line("a/1"), line("a/2"), line("plain")]
    assert folded(few) == [few[2], few[0], few[1]] or set(map(id, folded(few))) == set(map(id, few))
    (tree,) = folded([line(f"a/{number}") for number in range(5)])
    assert (tree.view.name, tree.view.messages_in, tree.view.depth, tree.rate) == (
        "a/#",
        10,
        5,
        2.5,
    )


# JSON and the inspector -------------------------------------------------------------------


def _texts(tree: JsonTree) -> list[str]:
    return ["  " * len(line.place) + "".join(text for text, _ in tree.parts(line))
            for line in tree.lines]  # fmt: skip


def _shown(row: Row, tab: int, width: int = 84) -> list[str]:
    document = Inspection(row).document(tab, width)
    return ["".join(text for text, _ in document.line(at)) for at in range(len(document))]


def test_json_keeps_numbers_as_they_were_written_and_knows_paths() -> None:
    tree = JsonTree(b'{"total": 41.70, "lines": [{"sku": "A-1"}], "none": [], "big": 1e400}')
    assert [text.strip() for text in _texts(tree)] == [
        "{", '"total": 41.70,', '"lines": [', "{", '"sku": "A-1"', "}", "],", '"none": [],',
        '"big": 1e400', "}",
    ]  # fmt: skip
    assert [(line.path, line.value) for line in tree.lines if line.value] == [
        ("total", "41.70"), ("lines[0].sku", "A-1"), ("big", "1e400"),
    ]  # fmt: skip


def test_json_folds_and_says_how_many_members_that_hides() -> None:
    tree = JsonTree(b'{"a": {"b": 1, "c": 2}, "d": 3}')
    assert tree.toggle(tree.lines[1])
    assert [text.strip() for text in _texts(tree)] == ["{", '"a": { … 2 },', '"d": 3', "}"]
    assert tree.toggle(tree.lines[1])
    assert len(tree.lines) == 7
    assert not tree.toggle(tree.lines[2])


def test_json_of_any_size_opens_with_its_members_folded() -> None:
    payload = json.dumps([{"id": number, "name": "x" * 40} for number in range(100_000)]).encode()
    tree = JsonTree(payload)
    texts = _texts(tree)
    assert len(texts) == 1003
    assert texts[1].strip() == "{ … 2 },"
    assert "99,000 more" in texts[1001]
    assert tree.toggle(tree.lines[1001])
    assert len(tree.lines) == 2003
    assert tree.toggle(tree.lines[5])
    assert _texts(tree)[6].strip() == '"id": 4,'


def test_json_is_searched_where_it_is_folded_and_unfolded_there() -> None:
    payload = json.dumps([{"id": number, "in": {"tag": f"T-{number}"}} for number in range(9000)])
    tree = JsonTree(payload.encode())
    (place,) = tree.find("t-8123")
    at = tree.reveal(place)
    line = tree.lines[at]
    assert (line.path, line.value) == ("[8123].in.tag", "T-8123")
    assert tree.find("T-8123") == [place]
    assert tree.find("no such thing") == []
    assert len(tree.find("tag")) == 9000


def test_json_that_is_nested_too_deep_for_a_screen_is_not_unfolded_for_ever() -> None:
    tree = JsonTree(b"[" * 900 + b"]" * 900)
    assert len(tree.lines) < 200
    assert tree.find("x") == []


@pytest.mark.parametrize(
    "payload",
    [b"", b"21.5", b"{", b'{"a": }', b"[" * 10**6 + b"]" * 10**6, b'["\xff"]', b'{"a": 1} x',
     b'{"\xff": "' + b"x" * 70_000 + b'"}'],
)  # fmt: skip
def test_what_is_no_json_document_is_not_laid_out_as_one(payload: bytes) -> None:
    with pytest.raises(ValueError, match=r"."):
        JsonTree(payload)


def test_what_is_stored_without_a_time_shows_none_and_is_no_frame() -> None:
    stored = _row(protocol="mqtt", time=0.0, connection=0, client="", key=None)
    shown = [line.split()[0] for line in _shown(stored, 1)]
    assert shown[:2] == ["destination", "size"]
    assert [line.split()[0] for line in _shown(_row(), 1)][:2] == ["time", "frame"]


def test_hostile_names_in_json_are_made_harmless() -> None:
    tree = JsonTree('{"\u202eevil\u200b": "\u009b31m"}'.encode())
    assert _texts(tree)[1].strip() == '"·evil·": "·31m"'


def test_long_lines_are_wrapped_and_nothing_of_them_is_cut_off() -> None:
    words = " ".join(f"word{number}" for number in range(100))
    document = Inspection(_row(payload=json.dumps({"text": words}).encode())).document(0, 40)
    rows = Wrapped(document, 40)
    shown = ["".join(text for text, _ in rows.row(at)) for at in range(len(rows))]
    assert max(map(len, shown)) <= 40
    joined = "".join(shown[1:2] + [line.strip(" ") for line in shown[2:-1]])
    assert joined.replace(" ", "") == f'"text":"{words}"'.replace(" ", "")
    assert [rows.number(at) for at in range(len(rows))] == [0] + [1] * (len(rows) - 2) + [2]


def test_wide_characters_wrap_by_their_cells() -> None:
    rows = Wrapped(Plain([(("温度" * 30, "string"),)]), 21)
    assert [len("".join(text for text, _ in rows.row(at))) for at in range(len(rows))] == [10] * 6


def test_the_inspector_lays_out_text_bytes_and_what_has_no_payload() -> None:
    assert _shown(_row(payload="two\nlines\u202e".encode()), 0) == ["two", "lines·"]
    assert _shown(_row(payload=b"\x00\x01A"), 0)[0].startswith("0000  00 01 41")
    assert "no payload" in _shown(_row(payload=None), 0)[0]
    assert "empty" in _shown(_row(payload=b""), 0)[0]


def test_hex_is_the_payload_by_itself_and_the_frame_is_with_the_decoded_fields() -> None:
    row = _row(frame=b"\x30\x08\x00\x01ahello", payload=b"hello")
    assert _shown(row, 2) == ["0000  68 65 6c 6c 6f" + " " * 36 + "hello"]
    assert _shown(row, 3)[-1].startswith("0000  30 08 00 01 61 68 65 6c  6c 6f")


@pytest.mark.parametrize(("width", "bytes_in_line"), [(84, 16), (72, 16), (71, 8), (42, 8)])
def test_hex_has_its_characters_beside_it_at_every_width(width: int, bytes_in_line: int) -> None:
    line = _shown(_row(payload=bytes(range(65, 97))), 2, width)[0]
    assert line.endswith("ABCDEFGHIJKLMNOP"[:bytes_in_line])
    assert len(line) <= width


def test_bytes_are_found_as_characters_and_as_hex() -> None:
    document = Hex(b"\x00" * 100 + b"Needle" + b"\x00" * 20, 84)
    assert document.find("needle") == [6]
    assert document.find("4e 65") == [6]
    assert document.find("NEEDLE") == []


def test_wire_shows_nested_fields_under_their_names() -> None:
    row = _row(detail={"topics": [{"name": "a", "partitions": [0, 1]}], "flag": True})
    lines = ["".join(text for text, _ in line) for line in Inspection(row).wire]
    assert lines[1:6] == [
        "  topics 1",
        "    [0] ",
        "      name a",
        "      partitions 0, 1",
        "  flag True",
    ]


def test_wire_shows_the_type_that_a_field_had_on_the_wire() -> None:
    arguments = {
        "x-max-length": Field("l", 5),
        "x-list": Field("A", (Field("b", 1), Field("S", "a"))),
    }
    frame = frames.method(1, "queue.declare", queue="q", arguments=arguments)
    (declared,) = read_rows(IN, frame, {})
    lines = ["".join(text for text, _ in line) for line in Inspection(declared).wire]
    at = lines.index("  arguments ")
    assert lines[at + 1 : at + 3] == ["    x-max-length 5  long", "    x-list 1, a  array"]
    unit = publish("", "q", b"x", headers={"n": 1, "deep": {"on": True}})
    (published,) = read_rows(IN, unit, {})
    lines = ["".join(text for text, _ in line) for line in Inspection(published).wire]
    at = lines.index("  headers ")
    assert lines[at + 1 : at + 4] == [
        "    n 1  signedint",
        "    deep   table",
        "      on True  bool",
    ]
    published.frame = b""
    assert "  headers " not in ["".join(t for t, _ in line) for line in Inspection(published).wire]


# Filters and commands from what is pointed at -----------------------------------------------


@pytest.mark.parametrize("field", ["proto", "client", "op", "topic", "key", "size"])
def test_the_term_of_a_cell_matches_its_row(field: str) -> None:
    for row in (_row(), _row(client='we"ird name', destination="a b*c", key=b"(x)")):
        found = term_of(row, field)
        assert found is not None
        assert compile_filter(found)(row)


def test_terms_are_added_and_taken_away() -> None:
    assert combined("", "a:b") == "a:b"
    assert combined("a:b", "c:d", negated=True) == "a:b -c:d"
    assert term("topic", "a b") == 'topic:"a b"'


@pytest.mark.parametrize(
    ("text", "added", "shown"),
    [
        ("a:b c:d", "c:d", "a:b"),
        ("a:b or c:d", "e:f", "(a:b or c:d) e:f"),
        # What is in a choice stays there, or half of a choice would be left.
        ("a:b or c:d", "c:d", "(a:b or c:d) c:d"),
        ("(a:b or c:d) e:f", "e:f", "a:b or c:d"),
        ('topic:"x or y" a:b', "c:d", 'topic:"x or y" a:b c:d'),
        ('topic:"x y" a:b', 'topic:"x y"', "a:b"),
        ('body~"x\\" y" a:b', "a:b", 'body~"x\\" y"'),
        ("a:b and c:d", "c:d", "a:b"),
        ("a:b and c:d", "a:b", "c:d"),
        ("not a:b", "a:b", "not a:b a:b"),
        ("a:b", "a:b", ""),
    ],
)
def test_a_term_that_is_there_already_is_taken_out_and_leaves_a_filter(
    text: str, added: str, shown: str
) -> None:
    assert combined(text, added) == shown
    parse(shown)


def test_a_choice_takes_the_place_of_the_one_before() -> None:
    assert replaced("op:x client:y op:P", "client:y op:P", "client:z") == (
        "op:x client:z", "client:z",
    )  # fmt: skip
    assert replaced("op:x client:y", "client:y", "client:y") == ("op:x", "")


@pytest.mark.parametrize(
    ("row", "line"),
    [
        (_row(), 'pub kafka:orders.created {"id": 1} -k o-1'),
        (_row(payload=None), "pub kafka:orders.created --null -k o-1"),
        (
            _row(protocol="mqtt", destination="a/b", payload=b"21.5", key=None,
                 detail={"qos": 1, "retain": True}),
            "pub mqtt:a/b 21.5 -q 1 -r",
        ),
        (
            _row(protocol="amqp", destination="events", payload=b"two words",
                 detail={"exchange": "events", "routing_key": "order.paid"}),
            'pub amqp:events/order.paid "two words"',
        ),
        (_row(payload=b"\x00\x01", key=None), "pub kafka:orders.created hex:0001"),
        (_row(payload=b"x", key=b"a b\xff"), 'pub kafka:orders.created x -k "a b\\xff"'),
        (_row(payload=b"x", key=b"{{uuid}}"), "pub kafka:orders.created x -k \\{{uuid}}"),
        (_row(payload=b"x", key=None, headers=(("trace id", b"a=b"),)),
         'pub kafka:orders.created x -H "trace id=a=b"'),
        (
            _row(protocol="amqp", destination="events", payload=b"x",
                 headers=(("n", 3), ("ok", True), ("x-death", [{"queue": "q"}])),
                 detail={"exchange": "events", "routing_key": "k",
                         "properties": {"content_type": "text/plain", "delivery_mode": 2}}),
            "pub amqp:events/k x -H n=3 -H ok=true --prop content-type=text/plain"
            " --prop delivery-mode=2",
        ),
        (
            _row(protocol="mqtt", destination="a b", payload=b"x", key=None, headers=(("u", "v"),),
                 detail={"qos": 0, "response_topic": "r"}),
            'pub "mqtt:a b" x -H u=v --prop response-topic=r',
        ),
    ],
)  # fmt: skip
def test_a_message_as_the_command_that_sends_it_again(row: Row, line: str) -> None:
    assert publish_line(row) == line


@pytest.mark.parametrize(
    "payload",
    [
        b'{"a": [1, {"b": "x y"}]}', b'{"two  blanks": "x  y"}', b"[1, 2]", b"plain", b"it's two",
        b"two\nlines", b"@file",
        b"b64:AA==", b"{{uuid}}", b'{"a": "{{now}}"}', b"{broken", b"|", b">",
        b"{broken\nJSON}", b'say "no"', b"a\\b", b"--null", b"hex:00",
        b"#", b"", b"\xff{{uuid}}",
        "\u202eright to left \u2066".encode(), "\U0001f680".encode(), b"x" * 65_536,
    ],
)  # fmt: skip
def test_a_payload_is_one_token_of_a_command_line(payload: bytes) -> None:
    (token,) = lex(payload_word(payload))
    assert maker(parse_payload(token))(Scope(Random(1), time.time)) == payload


def test_json_of_several_lines_is_typed_on_one_with_its_strings_as_they_were() -> None:
    written = b'{\n  "a": "x  y",\n  "n": 1.50\n}'
    assert payload_word(written) == '{"a": "x  y", "n": 1.50}'


@pytest.mark.parametrize(
    "payload", [b"\xff" * 9, b"a" * 300 + b"\xff", b"\x1b[2J", b"a\x00", b"\x9b"]
)
def test_what_is_no_text_is_typed_and_copied_as_hex(payload: bytes) -> None:
    assert payload_word(payload) == copied_text(payload) == f"hex:{payload.hex()}"


# Clockwork ----------------------------------------------------------------------------------


def test_the_pace_keeps_the_screens_share_of_the_loop() -> None:
    pace, now = Pace(), 100.0
    for _ in range(100):
        now += pace.interval
        assert pace.is_due(now)
        pace.spent(0.012)
    assert pace.interval == pytest.approx(0.012 / SHARE, rel=0.01)
    assert not pace.is_due(now + 0.01)
    for _ in range(100):
        now += 10
        pace.is_due(now)
        pace.spent(10.0)
    assert pace.interval == SLOWEST
    for _ in range(100):
        now += 10
        pace.is_due(now)
    assert pace.interval == FASTEST


def test_rates_come_from_growing_counters_and_forget_who_left() -> None:
    rates = Rates()
    assert rates.of("a", 100, 0.0) == 0
    rates.end_round()
    assert rates.of("a", 120, 1.0) == 10
    rates.end_round()
    assert rates.of("a", 140, 1.0) == 15
    rates.end_round()
    assert rates.of("a", 0, 1.0) == 7.5
    rates.end_round()
    rates.end_round()
    assert rates.of("a", 500, 1.0) == 0


# Small things -------------------------------------------------------------------------------


def test_pieces_are_cut_and_spread_to_a_width() -> None:
    style = NIGHT.plain
    assert "".join(t for t, _ in cut([("abc", style), ("defg", style)], 5)) == "abcd…"
    assert cells(spread([("ab", style)], [("cd", style)], 10, style)) == 10
    assert spread([("abcdef", style)], [("ghi", style)], 8, style) == [("abcdef", style)]
    assert sparkline([0, 1, 2, 4], "▁▄█") == "▁▁▄█"
    assert sparkline([0, 0], "▁▄█") == "▁▁"
    assert sparkline([], "▁█") == ""


def test_history_goes_back_by_what_was_typed_and_is_kept_in_a_file(tmp_path: Path) -> None:
    path = tmp_path / "history"
    history = History(path)
    for line in ("topic ls", "pub kafka:a 1", "topic ls", "pub kafka:b 2"):
        history.add(line)
    again = History(path)
    assert again.lines == ["pub kafka:a 1", "topic ls", "pub kafka:b 2"]
    assert again.older("pub") == "pub kafka:b 2"
    assert again.older("pub kafka:b 2") == "pub kafka:a 1"
    assert again.older("") is None
    assert again.newer() == "pub kafka:b 2"
    assert again.newer() == "pub"
    assert again.suggestion("top") == "topic ls"
    assert again.suggestion("") == ""


def test_a_key_means_one_thing_in_a_pane_and_stands_in_the_guide() -> None:
    guide = (resources.files("mockforge_tui") / "guide" / "keys.md").read_text(encoding="utf-8")
    for pane in PANE_NAMES:
        names = [name for key in KEYS if key.acts_in(pane) for name in key.keys.split(",")]
        assert len(names) == len(set(names)), pane
    for key in KEYS:
        assert f"| `{key.shown}` | {key.says} | {where(key)} |" in guide


def test_the_last_line_begins_with_the_keys_of_the_pane() -> None:
    held = [key.brief for key in brief_keys(FAULTS, {HELD, PAUSED})]
    assert held[:5] == ["inspect", "on/off", "remove", "release", "drop"]
    assert "release" not in [key.brief for key in brief_keys(FAULTS, {PAUSED})]


def test_lines_that_keys_run_are_commands() -> None:
    for line in (
        "filter", "filter clear", "release", "drop", "fault clear", "fault on", "fault off",
        "hold off", "hold rm", "shot", "quit", "conn kill", "group show",
    ):  # fmt: skip
        assert REGISTRY.find(line.split()) is not None, line


def test_every_glyph_is_one_cell_and_has_an_ascii_stand_in() -> None:
    for name in UNICODE.__slots__:
        sign, plain = getattr(UNICODE, name), getattr(ASCII, name)
        assert cells([(sign, NIGHT.plain)]) == len(sign) == len(plain)
        assert plain.isascii()


def test_every_palette_has_colours_that_can_be_told_apart() -> None:
    for palette in PALETTES.values():
        assert len({palette.kafka, palette.mqtt, palette.amqp}) == 3
        assert palette.as_theme().name == palette.name


def test_columns_are_there_where_records_have_something_for_them() -> None:
    def titles(*lines: DestinationLine) -> list[str]:
        found = DestinationsPane.columns
        return [each.title for each in found if each.when is None or each.when(lines)][3:]

    def line(protocol: str, kind: str, last: bytes | None = None) -> DestinationLine:
        return DestinationLine(DestinationView(protocol, kind, "n"), 0.0, last)

    always = ["holds", "in", "out"]
    assert titles(line("kafka", "topic")) == [*always, "note"]
    assert titles(line("mqtt", "topic", b"21")) == [*always, "note", "last value"]
    assert titles(line("amqp", "queue")) == [*always, "out/s", "unacked", "note"]


def test_names_are_readable_however_much_a_wide_table_shows_beside_them() -> None:
    pane = DestinationsPane()
    shown = [DestinationLine(DestinationView("amqp", "queue", "q"), 0.0, b"21")]
    pane._shown = pane._columns_of(shown)
    sizes = {
        width: {column.title: size for column, size in pane._plan(width)}
        for width in (99, 100, 104, 118, 200)
    }
    assert [sizes[width]["name"] for width in sizes] == [34, 18, 22, 32, 94]
    assert [sizes[width].get("last value") for width in sizes] == [None, 16, 16, 20, 40]
    assert all(sum(each.values()) + len(each) < width for width, each in sizes.items())


@pytest.mark.parametrize(
    ("payload", "shown"),
    [
        (b'{"t":  1}', '{"t": 1}'),
        (bytes.fromhex("a261741857626f6ef5"), '{"t":87,"on":true}'),
        (bytes.fromhex("a26174fb4035b7420000000062 6f6ef5".replace(" ", "")), '{"t":21.7158'),
        (bytes.fromhex("089601"), "0x089601"),
        (b"\x00\x01\xff", "0x0001ff"),
        (b"\x82\x01" + b"\x58\xff" + bytes(255), "[1,\"h'0000"),
    ],
)
def test_one_line_of_a_payload_is_its_value_where_its_form_is_known(
    payload: bytes, shown: str
) -> None:
    assert payload_text(payload, 40).startswith(shown)
