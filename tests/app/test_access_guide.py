"""What the page on TLS, users and rights prints is true as printed."""

import asyncio
import re
import shlex
from pathlib import Path
from typing import Any

import pytest

import mockforge_tui
from mockforge_tui.config import resolve
from mockforge_tui.runtime import Runtime

PAGE = (Path(mockforge_tui.__file__).parent / "guide" / "access.md").read_text()
FREE = {"kafka_port": 0, "mqtt_port": 0, "amqp_port": 0}


def test_the_config_file_starts_as_it_is_printed(tmp_path: Path) -> None:
    pytest.importorskip("cryptography")
    found = re.search(r"```yaml\n(.*?)```", PAGE, re.DOTALL)
    assert found is not None
    file = tmp_path / "mockforge-tui.yaml"
    file.write_text(found[1])
    config = resolve({**FREE, "tls_dir": str(tmp_path)}, {}, str(file)).config

    async def start() -> dict[str, Any]:
        runtime = Runtime(config)
        try:
            await runtime.start()
            assert len(runtime.access.rules) == 5
            return runtime.facts()
        finally:
            await runtime.stop()

    facts = asyncio.run(start())
    assert facts["amqp"]["tls"].startswith("amqps://alice:secret@")
    assert facts["amqp"]["tls"].endswith("/shop")


def test_the_command_line_is_one(capsys: pytest.CaptureFixture[str]) -> None:
    from mockforge_tui import cli

    found = re.search(r"^    mockforge-tui (.*)$", PAGE, re.MULTILINE)
    assert found is not None
    assert cli.run([*shlex.split(found[1]), "--print-config"]) == 0
    shown = capsys.readouterr().out
    assert "tls = 'auto'" in shown
    assert "secret" not in shown
