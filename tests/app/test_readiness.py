import json
import os
from pathlib import Path

import pytest

from mockforge_tui.readiness import environment_lines, ready_line, startup_ms, write_whole

FACTS = {
    "version": "0.1.0",
    "kafka": {"bootstrap": "127.0.0.1:9092"},
    "mqtt": {"url": "mqtt://127.0.0.1:1883"},
    "amqp": {"url": "amqp://guest:guest@127.0.0.1:5672/%2F"},
    "admin": {"url": "http://127.0.0.1:9080/__mockforge"},
}


def test_the_ready_line_is_one_line_of_json():
    line = ready_line(FACTS)
    assert "\n" not in line
    assert json.loads(line) == {"event": "ready", **FACTS}


def test_the_env_file_has_the_variables_that_clients_know():
    assert environment_lines(FACTS).splitlines() == [
        "KAFKA_BOOTSTRAP_SERVERS=127.0.0.1:9092",
        "MQTT_URL=mqtt://127.0.0.1:1883",
        "MQTT_HOST=127.0.0.1",
        "MQTT_PORT=1883",
        "AMQP_URL=amqp://guest:guest@127.0.0.1:5672/%2F",
        "MOCKFORGE_URL=http://127.0.0.1:9080/__mockforge",
    ]


def test_listeners_beside_the_plain_ones_have_variables_of_their_own():
    facts = {
        "kafka": {"bootstrap": "h:1", "tls": "h:2"},
        "mqtt": {"url": "mqtts://h:3", "tls": "mqtts://h:3", "wss": "wss://h:4/mqtt"},
        "tls": {"ca": "/tmp/ca.pem"},
    }
    assert environment_lines(facts).splitlines() == [
        "KAFKA_BOOTSTRAP_SERVERS=h:1",
        "KAFKA_TLS_BOOTSTRAP_SERVERS=h:2",
        "MQTT_URL=mqtts://h:3",
        "MQTT_HOST=h",
        "MQTT_PORT=3",
        "MQTT_TLS_URL=mqtts://h:3",
        "MQTT_WSS_URL=wss://h:4/mqtt",
        "MOCKFORGE_TLS_CA=/tmp/ca.pem",
    ]


def test_what_is_off_is_left_out():
    assert environment_lines({"version": "1"}) == ""


def test_a_file_is_written_whole_or_not_at_all(tmp_path: Path):
    path = tmp_path / "ready"
    write_whole(path, "first")
    write_whole(path, "second")
    assert path.read_text() == "second"
    assert [entry.name for entry in tmp_path.iterdir()] == ["ready"]


def test_others_may_read_the_file_as_far_as_the_umask_lets_them(tmp_path: Path):
    plain = tmp_path / "plain"
    plain.write_text("")
    write_whole(tmp_path / "ready.json", "all")
    assert (tmp_path / "ready.json").stat().st_mode == plain.stat().st_mode


def test_a_failed_write_leaves_nothing_behind(tmp_path: Path):
    folder = tmp_path / "ready"
    folder.mkdir()
    with pytest.raises(OSError):
        write_whole(folder, "text")
    assert [entry.name for entry in tmp_path.iterdir()] == ["ready"]


def test_startup_counts_from_the_start_of_the_process():
    first = startup_ms()
    assert 0 < first <= startup_ms()


def test_a_link_goes_on_pointing_to_the_file_that_is_written(tmp_path: Path) -> None:
    link = tmp_path / "link"
    link.symlink_to(tmp_path / "file")
    write_whole(link, "text")
    assert link.is_symlink()
    assert (tmp_path / "file").read_text() == "text"


def test_what_is_no_file_is_written_to_and_stays_what_it_is() -> None:
    write_whole(Path(os.devnull), "text")
    assert Path(os.devnull).is_char_device()
    reader, writer = os.pipe()
    try:
        write_whole(Path(f"/dev/fd/{writer}"), "text")
        assert os.read(reader, 99) == b"text"
    finally:
        os.close(reader)
        os.close(writer)


def test_a_host_of_ipv6_stands_in_brackets_in_its_url_alone():
    lines = environment_lines({"mqtt": {"url": "mqtt://[::1]:1883"}}).splitlines()
    assert lines == ["MQTT_URL=mqtt://[::1]:1883", "MQTT_HOST=::1", "MQTT_PORT=1883"]
