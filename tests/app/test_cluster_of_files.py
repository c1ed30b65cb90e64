"""`kafka: cluster: brokers: 3` in a fixture file is `--kafka-nodes 3`, where no option says so."""

import asyncio
import json
from pathlib import Path

import pytest
from mockforge_brokers.errors import InvalidInput
from mockforge_brokers.events import Warned

from mockforge_tui import MockForge, cli
from mockforge_tui.config import Config
from mockforge_tui.exit_codes import ExitCode
from mockforge_tui.fixtures.source.problems import FixtureError
from mockforge_tui.rehearsal import read_fixtures
from mockforge_tui.reloading import FixtureWatch
from mockforge_tui.runtime import Runtime

FILE = """mockforge: 1
seed: 42
kafka:
  cluster: {brokers: %s}
  topics: {usual: {partitions: 2}, pair: {replication_factor: 2}, many: {replication_factor: 5}}
"""
QUIET = ("--headless", "--random-ports", "--no-admin", "--exit-after", "0s")


@pytest.fixture
def shop(tmp_path, monkeypatch) -> Path:
    monkeypatch.chdir(tmp_path)
    file = Path("shop.yaml")
    file.write_text(FILE % 3)
    return file


@pytest.mark.parametrize(
    ("options", "variable", "nodes"),
    [
        ((), None, 3),
        (("--kafka-nodes", "2"), None, 2),
        (("--kafka-nodes", "1"), None, 1),
        ((), "2", 2),
    ],
    ids=["the file", "an option wins", "an option of one node", "a variable wins"],
)
def test_so_many_nodes_listen(capsys, monkeypatch, shop, options, variable, nodes):
    if variable is not None:
        monkeypatch.setenv("MOCKFORGE_KAFKA_NODES", variable)
    assert cli.run([*QUIET, *options, str(shop)]) == ExitCode.OK
    ready, error = capsys.readouterr()
    facts = json.loads(ready)
    assert (facts["kafka"]["bootstrap"].count(",") + 1, facts["seed"]) == (nodes, 42)
    there = "there is one broker, each partition has one replica"
    if nodes > 1:
        there = f"there are {nodes} brokers, each partition has {nodes} replicas"
    assert f'shop.yaml:5:67: topic "many": replication_factor 5 is not kept: {there}' in error
    assert ('topic "pair"' in error) is (nodes == 1)
    # `check` knows the file and the variables, and says the same.
    assert cli.run(["check", str(shop)]) == ExitCode.OK
    if not options:
        assert f"replication_factor 5 is not kept: {there}" in capsys.readouterr().out


def test_an_embedded_one_has_the_cluster_and_the_seed_of_the_file(shop):
    with MockForge(shop, mqtt=False, amqp=False) as one:
        kafka = one.runtime.brokers.kafka
        assert (kafka.options.nodes, one.facts["seed"]) == (3, 42)
        placed = {
            topic: [list(kafka.cluster.replication.replicas(log)) for log in held.logs]
            for topic, held in kafka.cluster.topics.items()
        }
    assert placed["usual"] == [[1, 2, 3], [2, 3, 1]]
    assert placed["pair"] == [[1, 2], [2, 3], [3, 1]]
    assert placed["many"] == placed["usual"] + [[3, 1, 2]]
    with MockForge(shop, mqtt=False, amqp=False, kafka_nodes=2, seed=7) as one:
        assert (one.runtime.brokers.kafka.options.nodes, one.facts["seed"]) == (2, 7)


@pytest.mark.parametrize(
    ("brokers", "said"),
    [
        ("0", "brokers must be 1 to 9, not"),
        ("10", "brokers must be 1 to 9, not"),
        ("three", "brokers must be a whole number, 1 to 9, not"),
        ("true", "brokers must be 1 to 9, not true"),
    ],
)
def test_a_number_that_cannot_be_is_refused_at_its_place(shop, brokers, said):
    shop.write_text(FILE % brokers)
    (problem,) = read_fixtures([shop], Config()).errors
    assert str(problem).startswith(f"shop.yaml:4:22: kafka: cluster: {said}")


def test_files_agree_on_one_number(shop):
    other = Path("z.yaml")
    other.write_text("mockforge: 1\nkafka: {cluster: {brokers: 3}}\n")
    assert read_fixtures([shop, other], Config()).fixtures.kafka_nodes == 3
    other.write_text("mockforge: 1\nkafka: {cluster: {brokers: 2}}\n")
    (problem,) = read_fixtures([shop, other], Config()).errors
    assert str(problem) == "z.yaml:2:28: kafka: cluster: brokers 2, and 3 at shop.yaml:4:22"
    with pytest.raises(FixtureError, match="brokers 2, and 3"):
        MockForge(shop, other).start()


@pytest.mark.parametrize(
    ("second", "said"),
    [
        ("kafka: {cluster: {id: shop}}\ntime_scale: 60\n", None),
        (
            "kafka: {cluster: {id: mall}}\n",
            '2:23: kafka: cluster: id "mall", and "shop" at a.yaml:2:23',
        ),
        ("time_scale: 61\n", "2:13: the file: time_scale 61, and 60 at a.yaml:3:13"),
    ],
)
def test_what_holds_for_all_files_is_said_in_one_way(tmp_path, monkeypatch, second, said):
    monkeypatch.chdir(tmp_path)
    Path("a.yaml").write_text("mockforge: 1\nkafka: {cluster: {id: shop}}\ntime_scale: 60\n")
    Path("z.yaml").write_text(f"mockforge: 1\n{second}")
    report = read_fixtures([Path("a.yaml"), Path("z.yaml")], Config())
    assert [str(each) for each in report.errors] == ([] if said is None else [f"z.yaml:{said}"])


def test_another_cluster_id_of_the_second_family_is_a_warning(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for name in ("a", "z"):
        text = (
            f"fixture: {{name: {name}}}\ncluster: {{cluster_id: {name}}}\ntopics: [{{name: t}}]\n"
        )
        Path(f"{name}.yaml").write_text(text)
    report = read_fixtures([Path("a.yaml"), Path("z.yaml")], Config())
    assert (report.errors, report.fixtures.cluster_id[0]) == ((), "a")
    said = 'z.yaml:2:10: cluster: cluster_id "z" is not taken: it is "a" by a.yaml:2:10'
    assert said in [str(each) for each in report.fixtures.warnings]


def test_a_reload_that_wants_another_number_says_that_it_takes_a_new_start(shop):
    async def story() -> None:
        config = Config(random_ports=True)
        fixtures = read_fixtures([shop], config).fixtures
        runtime = Runtime(fixtures.complete(config))
        warned: list[str] = []
        runtime.spine.watch(lambda event: warned.append(f"{event.about}: {event.text}"), Warned)
        runtime.load(fixtures)
        watch = FixtureWatch((str(shop),), runtime)
        shop.write_text(FILE.replace("usual", "new") % 3)
        await watch.reload()
        runtime.reset()
        assert warned == []
        assert runtime.brokers.kafka.has_topic("new")
        shop.write_text(FILE % 4)
        await watch.reload()
        # Once, not at each edit from then on.
        await watch.reload()
        assert warned == ["kafka: cluster: brokers 4 takes a new start: 3 here now"]
        assert runtime.brokers.kafka.options.nodes == 3
        await runtime.stop()

    asyncio.run(story())


def test_brokers_that_run_refuse_a_file_for_more_of_them_but_not_against_a_setting(shop):
    said = "want 3 Kafka brokers, 1 here now: start with them"
    with MockForge(mqtt=False, amqp=False) as one, pytest.raises(InvalidInput, match=said):
        one.load(shop)
    with MockForge(mqtt=False, amqp=False, kafka_nodes=2) as one:
        one.load(shop)
        assert one.facts["seed"] == 42
