"""Settings as they stand in a Python call: the same in this process and in one of its own."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import click
import pytest
from mockforge_brokers.errors import InvalidInput

from mockforge_tui import MockForge
from mockforge_tui.cli.words import main
from mockforge_tui.config.table import SETTINGS
from mockforge_tui.embedded.settings import settings_of, words_of


@pytest.mark.parametrize(
    ("given", "read", "words"),
    [
        ({"mqtt": False}, {"mqtt": False}, ["--no-mqtt"]),
        ({"mqtt": True}, {"mqtt": True}, []),
        ({"mqtt": "no"}, {"mqtt": False}, ["--no-mqtt"]),
        ({"tls_only": True}, {"tls_only": True}, ["--tls-only"]),
        ({"seed": 42}, {"seed": 42}, ["--seed", "42"]),
        ({"seed": None}, {}, []),
        ({"kafka_port": "9092"}, {"kafka_port": 9092}, ["--kafka-port", "9092"]),
        (
            {"consumer_timeout": "5m"},
            {"consumer_timeout": 300.0},
            ["--amqp-consumer-timeout", "5m"],
        ),
        ({"exit_after": 300}, {"exit_after": 300.0}, ["--exit-after", "300"]),
        ({"users": "al:secret"}, {"users": ("al:secret",)}, ["--user", "al:secret"]),
        ({"users": ["a:1", "b:2"]}, {"users": ("a:1", "b:2")}, ["--user", "a:1", "--user", "b:2"]),
        ({"data_dir": Path("d")}, {"data_dir": "d"}, ["--data-dir", "d"]),
        (
            {"limit_connections": "2_000"},
            {"limit_connections": 2000},
            ["--limit", "connections=2_000"],
        ),
        (
            {"mqtt_option_maximum_qos": 1},
            {"mqtt_option_maximum_qos": 1},
            ["--mqtt-maximum-qos", "1"],
        ),
    ],
    ids=str,
)
def test_a_setting_is_a_value_or_the_text_of_one(
    given: dict[str, Any], read: dict[str, Any], words: list[str]
) -> None:
    assert settings_of(given) == read
    assert words_of(given) == words


def test_each_setting_has_words_that_the_command_line_takes() -> None:
    console = main.commands["console"]
    known = {word for each in console.get_params(click.Context(console)) for word in each.opts}
    for setting in SETTINGS:
        value = not setting.negative if not setting.takes_value else "x"
        word, *_ = words_of({setting.name: value})
        assert word in known, setting.name


@pytest.mark.parametrize(
    ("given", "text"),
    [
        ({"mqqt": False}, "has no setting 'mqqt', did you mean mqtt"),
        ({"limits.connections": 5}, "did you mean limit_connections"),
        ({"kafka_port": 70000}, "kafka_port: a port is 0 to 65535"),
        ({"mqtt_option_maximum_qos": 3}, "mqtt_option_maximum_qos: 0 to 2 is wanted, not 3"),
        ({"users": "alice"}, "users: a user is NAME:PASSWORD"),
        ({"time_scale": -1}, "time_scale: a number above 0"),
    ],
)
@pytest.mark.parametrize("read", [settings_of, MockForge], ids=["read", "made"])
def test_what_a_setting_does_not_take_is_named(
    read: Callable[..., object], given: dict[str, Any], text: str
) -> None:
    with pytest.raises(InvalidInput, match=text):
        read(given) if read is settings_of else read(**given)


def test_fixtures_may_be_a_setting_as_in_pytests_marker(tmp_path: Path) -> None:
    file = tmp_path / "shop.yaml"
    file.write_text("mockforge: 1\nkafka: {topics: [orders]}\n")
    with MockForge(fixtures=str(file)) as mockforge:
        assert [row["name"] for row in mockforge.run("topic ls").data] == ["orders"]
