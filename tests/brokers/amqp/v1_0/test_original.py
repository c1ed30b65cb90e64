"""What RabbitMQ 4.3.6 answered to some hundred steps, kept, and what ours answers to them."""

import json

import pytest
from differential.amqp_1_0 import KEPT, comparable, play
from differential.amqp_1_0_known import KNOWN
from differential.amqp_1_0_scripts import SCRIPTS

ANSWERS: dict[str, dict[str, list[str]]] = json.loads(KEPT.read_text())


@pytest.mark.parametrize("name", SCRIPTS)
def test_a_client_hears_what_it_heard_of_rabbitmq(name: str) -> None:
    theirs, ours = ANSWERS[name], comparable(play(SCRIPTS[name]))
    known = dict.fromkeys(KNOWN.get(name, {}), 0)
    found = {}
    for step in theirs | ours:
        if theirs.get(step) == ours.get(step):
            continue
        begin = next((each for each in known if step.startswith(each)), None)
        if begin is None:
            found[step] = (theirs.get(step), ours.get(step))
        else:
            known[begin] += 1
    assert found == {}
    assert [begin for begin, times in known.items() if not times] == []
