"""examples/monitoring: rules and dashboard ask for figures that there are."""

import json
import re
import shutil
import subprocess
from pathlib import Path

import pytest
import yaml

from mockforge_tui import MockForge
from mockforge_tui.metrics import Figures, joined

FOLDER = Path(__file__).parents[2] / "examples" / "monitoring"
RULES = yaml.safe_load((FOLDER / "rules.yml").read_text())
DASHBOARD = json.loads((FOLDER / "dashboard.json").read_text())

_FIGURE = re.compile(r"\b(?:kafka|mqtt|amqp|mockforge)_\w+")
_LABELS = re.compile(r"\bby \(([^)]*)\)|(\w+)(?:=~|!~|!=|=)\"")


def expressions() -> list[str]:
    rules = [rule["expr"] for group in RULES["groups"] for rule in group["rules"]]
    panels = [target["expr"] for panel in DASHBOARD["panels"] for target in panel["targets"]]
    variables = [each["query"] for each in DASHBOARD["templating"]["list"]]
    return [*rules, *panels, *variables]


@pytest.fixture(scope="module")
def figures() -> dict[str, set[str]]:
    """The labels of each figure that running brokers have."""
    with MockForge(seed=1) as mockforge:
        runtime = mockforge.runtime
        brokers = list(runtime.brokers.values())
        found = Figures(brokers, runtime.listeners, runtime.environment, 0.0)
        durations = joined(runtime.environment.histograms)
        return {each.name: set(each.labels) for each in found.metrics()} | {
            f"{each.name}_bucket": {*each.labels, "le"} for each in durations
        }


def test_every_figure_that_is_asked_for_is_there(figures):
    asked = {name for text in expressions() for name in _FIGURE.findall(text)}
    recorded = {"mockforge"}
    assert asked - set(figures) - recorded == set()
    assert len(asked) > 12


def test_every_label_that_is_asked_for_is_there(figures):
    known = {label for labels in figures.values() for label in labels} | {"job", "instance"}
    for text in expressions():
        for grouped, single in _LABELS.findall(text):
            for label in (grouped or single).split(","):
                assert label.strip() in known, (label, text)


def test_each_panel_has_its_own_place():
    panels = DASHBOARD["panels"]
    assert len({panel["id"] for panel in panels}) == len(panels)
    places = {(panel["gridPos"]["x"], panel["gridPos"]["y"]) for panel in panels}
    assert len(places) == len(panels)


def test_the_config_reads_what_the_defaults_serve():
    config = yaml.safe_load((FOLDER / "prometheus.yml").read_text())
    (job,) = config["scrape_configs"]
    assert job["metrics_path"] == "/__mockforge/metrics"
    assert job["static_configs"][0]["targets"] == ["127.0.0.1:9080"]
    assert config["rule_files"] == ["rules.yml"]


@pytest.mark.skipif(not shutil.which("promtool"), reason="promtool is not on the path")
def test_promtool_finds_nothing_wrong():
    done = subprocess.run(
        ["promtool", "check", "config", "prometheus.yml"],
        cwd=FOLDER,
        capture_output=True,
        text=True,
        timeout=150,
    )
    assert done.returncode == 0, done.stdout + done.stderr
