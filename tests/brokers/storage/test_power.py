"""A machine that stops: of what was not on disk yet any page may be lost.

All that stood before the first of them is there again, and nothing of what stood behind it.
"""

import pytest
from mockforge_brokers.storage import alone
from mockforge_brokers.storage import writer as writer_module
from mockforge_brokers.storage.live import number_in, offset_in, place_of
from mockforge_brokers.storage.reading import number_of, paths_in
from mockforge_brokers.storage.segments import HEAD, read_head, walk

from .memory_disk import MemoryDisk
from .test_disk import killed, read, writer
from .test_kills import Dice, contents, keep

PAGE = 64
SEEDS = 60


def stop(folder, synced, dice):
    """What the disk has then: all up to `synced`, and whatever it likes of the rest."""
    number, at = number_in(synced), offset_in(synced)
    newer = [path for path in paths_in(folder) if number_of(path) > number]
    while newer and dice.random() < 0.3:
        newer.pop().unlink()
    for path in paths_in(folder):
        if number_of(path) >= number:
            lose_some(path, at if number_of(path) == number else 0, dice)


def lose_some(path, safe, dice):
    data = bytearray(path.read_bytes())
    match dice.randrange(3):
        case 0:
            del data[dice.randrange(safe, len(data) + 1) :]
        case 1:
            # The end of a group is where nothing seems to be missing.
            ends = [HEAD, *(each.end for each in walk(bytes(data), read_head(data).salt))]
            del data[dice.choice([each for each in ends if each >= safe] or [len(data)]) :]
    if dice.random() < 0.5:
        for page in range(0, len(data), PAGE):
            begin, end = max(page, safe), min(page + PAGE, len(data))
            if begin < end and dice.random() < 0.1:
                data[begin:end] = bytes(end - begin)
    path.write_bytes(data)


@pytest.mark.usefixtures("unsynced")
@pytest.mark.parametrize("seed", range(SEEDS))
def test_what_is_there_is_what_was_there_at_one_moment_and_all_that_was_on_disk(
    tmp_path, monkeypatch, seed
):
    monkeypatch.setattr(writer_module, "SEGMENT", 700)
    for module in (alone, writer_module):
        monkeypatch.setattr(module, "WAITED", 60.0)
    dice, model = Dice(seed), MemoryDisk()
    for _ in range(3):
        made = writer(tmp_path, through=False)
        monkeypatch.setattr(made._syncer, "_bring", lambda: None)
        monkeypatch.setattr(made._syncer, "full", lambda file, size: file.close(size))
        newest = made._live.segments[max(made._live.segments)]
        made._synced = place_of(newest.number, newest.size)
        moments = [contents(model.kept())]
        for _ in range(dice.dice.randrange(1, 40)):
            group = dice.group()
            model._apply(group)
            keep(made, group)
            moments.append(contents(model.kept()))
            if dice.dice.random() < 0.1:
                made.alone()
                newest = made._live.segments[max(made._live.segments)]
                made._synced = place_of(newest.number, newest.size)
                moments = moments[-1:]
        killed(made)
        stop(tmp_path, made._synced, dice.dice)
        found = contents(read(tmp_path)[0])
        assert found in moments
        assert read(tmp_path)[1] == [], "what is lost is said once"
        took_up(dice, model, found)


def took_up(dice, model, found):
    """The next run begins with what is there."""
    model.rows, model.entities = dict(found[0]), {kind: dict(found[1][kind]) for kind in found[1]}
    dice.begin_with(model.rows)
