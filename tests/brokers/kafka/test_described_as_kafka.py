"""What the broker shows of itself, beside all that Apache Kafka 4.4 shows."""

import json

import pytest
from mockforge_brokers.events import Warned
from mockforge_brokers.kafka.codes import ConfigSource
from mockforge_brokers.kafka.events import BrokerConfigured

from .asked import altered, described
from .counting import LEFT_OUT
from .describing import RECORDED, RESOURCES, keys, play
from .scene import Scene

KAFKAS = json.loads(RECORDED.read_text())


@pytest.fixture(scope="module")
def ours():
    return json.loads(json.dumps(play(Scene().call)))


NOT_SERVED = {"share.version", "streams.version"}
"""Features: share groups and groups of Kafka Streams."""

NEWER = {
    93: "StreamsGroupTopologyDescriptionUpdate: groups of Kafka Streams",
    94: "UnregisterController: there is no controller beside the broker",
}
"""APIs that are not served either, newer than what `LEFT_OUT` counts."""

OF_OURS = {
    "group.min.session.timeout.ms": "so that tests need not wait for 6 s",
    "max.incremental.fetch.session.cache.slots": "a limit of ours",
    "socket.request.max.bytes": "a limit of ours",
}
"""Keys of a broker that are given here from the start, and why."""


@pytest.mark.parametrize("version", KAFKAS["versions"])
def test_apis_and_features_are_apache_kafkas(ours, version):
    """Each in its full range; none is left out but for a reason."""
    shown, kafkas = ours["versions"][version], KAFKAS["versions"][version]
    missing = {int(key) for key in kafkas["apis"].keys() - shown["apis"].keys()}
    assert missing - LEFT_OUT.keys() == NEWER.keys()
    assert shown["apis"] == {key: kafkas["apis"][key] for key in shown["apis"]}
    for kind in ("supported", "finalized"):
        left = {name: one for name, one in kafkas[kind].items() if name not in NOT_SERVED}
        assert shown[kind] == left


@pytest.mark.parametrize("kind", RESOURCES)
def test_each_key_is_apache_kafkas(ours, kind):
    """Names, types, which are read-only and sensitive, and the values that nobody gave."""
    mine, kafkas = ours[kind], KAFKAS[kind]
    assert {name: one[:3] for name, one in mine.items()} == {
        name: one[:3] for name, one in kafkas.items()
    }
    defaults = {name: one[3] for name, one in kafkas.items() if len(one) > 3}
    given = {name for name in defaults if len(mine[name]) == 3}
    assert given == (OF_OURS.keys() if kind == "broker" else set())
    assert {name: mine[name][3] for name in defaults.keys() - given} == {
        name: value for name, value in defaults.items() if name not in given
    }


@pytest.mark.parametrize("kind", RESOURCES)
def test_no_keys_at_all_ask_for_all_of_them(ours, kind):
    scene = Scene()
    scene.broker.create_topic("described", 1)
    everything = json.loads(json.dumps(keys(scene.call, *RESOURCES[kind], [])))
    assert everything == ours[kind]
    name = next(iter(everything))
    assert list(keys(scene.call, *RESOURCES[kind], [name, "no.such.key"])) == [name]


def test_a_password_is_never_shown():
    scene = Scene()
    request = altered("1", {"sasl.jaas.config": "a secret"}, kind=4)
    request.validate_only = False
    assert scene.call(request, 1).responses[0].error_code == 0
    asked = described(4, "1", ["sasl.jaas.config"])
    asked.include_synonyms = True
    (entry,) = scene.call(asked, 4).results[0].configs
    source = ConfigSource.DYNAMIC_BROKER_CONFIG
    assert (entry.value, entry.is_sensitive, entry.config_source) == (None, True, source)
    assert [(one.value, one.source) for one in entry.synonyms] == [(None, source)]


@pytest.mark.parametrize(
    "name",
    ["sasl.jaas.config", "listener.name.internal.ssl.key.password", "somebodys.plugin.token"],
)
def test_a_secret_is_in_no_event_and_no_warning(name):
    scene = Scene()
    said = []
    scene.environment.spine.watch(said.append, BrokerConfigured, Warned)
    request = altered("1", {name: "a secret"}, kind=4)
    request.validate_only = False
    assert scene.call(request, 1).responses[0].error_code == 0
    configured, warned = said
    assert configured.changes == ((name, "(hidden)"),)
    assert warned.text == f"{name}=(hidden) is kept and shown, but not acted on"
    (view,) = [one for one in scene.broker.node_configuration(1) if one.key == name]
    assert (view.value, view.source) == ("(hidden)", "node")
