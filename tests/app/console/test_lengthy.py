"""Commands that may have much to do."""

import pytest
from mockforge_brokers.errors import InvalidInput

from mockforge_tui.console.lengthy import worked
from mockforge_tui.console.results import done

from .scene import Scene


@pytest.fixture
def scene():
    """In which each step takes a turn of the loop."""
    scene = Scene(furnished=False, busy=False)
    scene.environment.turn.length = -1.0
    return scene


def begun(scene, log, *, steps=3, fails=False):
    def work():
        for number in range(steps):
            log.append(number)
            yield
        if fails:
            raise InvalidInput("no more")
        return len(log)

    chores = scene.environment.chores
    return worked(scene.session, chores, "count", "things", work(), lambda n: done(f"{n} counted"))


def test_little_is_done_at_once(scene):
    scene.environment.turn.length = 1e9
    log = []
    assert begun(scene, log).text == "3 counted"
    assert len(scene.session.jobs) == 0


def test_much_goes_on_as_a_job_whose_outcome_it_is(scene):
    scene.session.interactive = True
    log = []
    result = begun(scene, log)
    assert (log, result.text) == (
        [0],
        "job 1 goes on with count things (job stop 1 ends it)",
    )
    (job,) = scene.session.jobs
    assert job.awaited
    scene.advance(0)
    assert (log, len(scene.session.jobs)) == ([0, 1, 2], 0)
    assert job.result(result).text == "3 counted"
    assert [each.text for each in scene.heard] == ["3 counted"]


def test_who_stops_the_job_leaves_the_rest_undone(scene):
    log = []
    result = begun(scene, log)
    (job,) = scene.session.jobs
    scene.run("job stop 1")
    scene.advance(0)
    assert log == [0]
    assert job.result(result).text == "count things was stopped before its end"
    assert not scene.environment.chores.waiting


def test_what_fails_on_the_way_ends_the_job(scene):
    result = begun(scene, [], fails=True)
    (job,) = scene.session.jobs
    with pytest.raises(InvalidInput):
        scene.advance(0)
    assert len(scene.session.jobs) == 0
    assert job.result(result).text == "count things was stopped before its end"


def test_a_topic_of_many_records_is_compacted_by_a_job(scene):
    scene.environment.turn.length = 1e9
    scene.run("topic add accounts -p 2 --config cleanup.policy=compact")
    for number in range(200):
        scene.kafka.publish("accounts", b"%d" % number, key=b"k%d" % (number % 2))
    scene.environment.turn.length = -1.0
    result = scene.run("topic compact accounts")
    assert "goes on with compact accounts" in result.text
    (job,) = scene.session.jobs
    scene.advance(0)
    assert job.result(result).text == "accounts compacted: 198 records left"
