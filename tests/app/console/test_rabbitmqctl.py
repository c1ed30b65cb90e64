"""What people type who know rabbitmqctl: the same command, or which one does it."""

import pytest

from mockforge_tui.console.commands import REGISTRY
from mockforge_tui.console.rabbitmqctl import RABBITMQCTL

SAME = {
    # rabbitmqctl's verb, with its usual words, and the command that it is here.
    "add_user alice secret": "user add",
    "add_vhost shop": "vhost add",
    "change_password alice other": "user passwd",
    "clear_permissions alice": "permission clear",
    "clear_policy p": "policy rm",
    "close_connection client bye": "conn kill",
    "delete_queue q": "queue rm",
    "delete_user alice": "user rm",
    "delete_vhost shop": "vhost rm",
    "export_definitions": "definitions export",
    "import_definitions @definitions.json": "definitions load",
    "list_bindings": "exchange tree",
    "list_connections": "conn ls",
    "list_consumers": "consumer ls",
    "list_exchanges": "exchange ls",
    "list_policies": "policy ls",
    "list_queues": "queue ls",
    "list_users": "user ls",
    "list_vhosts": "vhost ls",
    "purge_queue q": "queue purge",
    "set_permissions alice .* .* .*": "permission set",
    "set_policy p ^q max-length=5": "policy set",
    "set_topic_permissions alice amq.topic .* .*": "permission topic",
    "set_user_limits alice": "user limits",
    "set_user_tags alice monitoring": "user tags",
    "set_vhost_limits shop": "vhost limits",
    "trace_off": "trace off",
    "trace_on": "trace on",
}


@pytest.mark.parametrize("line", SAME)
def test_everyday_verbs_of_rabbitmqctl_are_commands(line: str) -> None:
    found = REGISTRY.find(line.split())
    assert found is not None
    command, length = found
    assert (command.name, length) == (SAME[line], 1)


@pytest.mark.parametrize("verb", RABBITMQCTL)
def test_other_verbs_name_the_command_that_does_it(verb: str) -> None:
    assert REGISTRY.find([verb]) is None
    said = REGISTRY.explain_unknown([verb])
    assert said.startswith(f"no command {verb}; what rabbitmqctl does by it is here: ")
    for way in RABBITMQCTL[verb].split(","):
        assert REGISTRY.find(way.split()) is not None, way


def test_a_name_of_no_command_with_underscores_is_none() -> None:
    assert REGISTRY.find(["list_nothing"]) is None
    assert REGISTRY.find(["_"]) is None
    assert REGISTRY.find([]) is None
