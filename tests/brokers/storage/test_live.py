"""What is wanted, and of which segment: against a plain model, and what it asks of the cleaner."""

from hypothesis import given, settings
from hypothesis import strategies as st
from mockforge_brokers.storage.facts import row_number
from mockforge_brokers.storage.live import Live, Segment, place_of

LOGS = 3
ROW = st.tuples(st.integers(1, LOGS), st.integers(0, 12))
STEP = st.one_of(
    st.tuples(st.just("put"), st.lists(ROW, min_size=1, max_size=6, unique=True)),
    st.tuples(
        st.just("alone"),
        st.one_of(
            st.lists(st.tuples(each, gone), min_size=1, max_size=6)
            for each in (ROW, st.tuples(st.just(1), st.integers(0, 12)))
            for gone in (st.just([]), st.lists(ROW, max_size=1))
        ),
    ),
    st.tuples(st.just("run"), st.tuples(ROW, st.integers(1, 6), st.integers(1, 6))),
    st.tuples(st.just("remove"), st.lists(ROW, min_size=1, max_size=6)),
    st.tuples(st.just("trim"), ROW),
    st.tuples(st.just("drop"), st.integers(1, LOGS)),
    st.tuples(st.just("entity"), st.tuples(st.sampled_from("ab"), st.booleans())),
)
ENTRY = 16


def number_of(row):
    return row_number(*row)


def applied_alone(live, segment, at, value, wanted):
    rows = [
        (number_of(row), at + 100 * index, index, tuple(map(number_of, gone)))
        for index, (row, gone) in enumerate(value)
    ]
    live.put_rows(segment, rows)
    for number, begins, size, gone in rows:
        wanted[number] = (segment.number, begins, size)
        for each in gone:
            wanted.pop(each, None)


def applied(live, segment, at, step, wanted):
    """One step for both; `wanted` is {row number or entity: (segment, at, size)}."""
    what, value = step
    if what == "alone":
        applied_alone(live, segment, at, value, wanted)
    elif what == "put":
        numbers = list(map(number_of, value))
        sizes = [number % 7 for number in numbers]
        if len(numbers) == 1:
            live.put_row(segment, at, numbers[0], sizes[0])
        else:
            live.put(segment, at, numbers, sizes)
        wanted |= {
            number: (segment.number, at, size) for number, size in zip(numbers, sizes, strict=True)
        }
    elif what == "run":
        # Two of them may be in one place.
        (log, first), one, other = value
        number = row_number(log, first)
        live.put_run(segment, at, range(number, number + one), 9)
        live.put_run(segment, at, range(number + one, number + one + other), 9)
        numbers = range(number, number + one + other)
        wanted |= dict.fromkeys(numbers, (segment.number, at, 9))
    elif what == "remove":
        numbers = list(map(number_of, value))
        live.remove_all(numbers)
        for number in numbers:
            wanted.pop(number, None)
    elif what == "entity":
        name, there = value
        entity = ("kind", name.encode(), b"value" if there else None)
        live.put_entities(segment, at, [entity])
        wanted.pop(name, None)
        if there:
            wanted[name] = (segment.number, at, len("kind") + 1 + len(b"value"))
    else:
        log, end = (value, None) if what == "drop" else value
        first = row_number(log, 0)
        last = row_number(log + 1, 0) if end is None else row_number(log, end)
        live.remove_range(first, last)
        for number in [each for each in wanted if isinstance(each, int) and first <= each < last]:
            del wanted[number]


@settings(max_examples=300, deadline=None)
@given(st.lists(STEP, max_size=40))
def test_what_is_wanted_of_a_segment_is_what_a_plain_model_says(steps):
    live = Live()
    segments = [Segment(number, 0) for number in (1, 2, 3)]
    for each in segments:
        live.add(each)
    wanted = {}
    for at, step in enumerate(steps):
        applied(live, segments[at % 3], at, step, wanted)
    for segment in segments:
        mine = [(at, size) for number, at, size in wanted.values() if number == segment.number]
        assert segment.live == sum(size + ENTRY for _, size in mine)
    assert live.size == sum(size + ENTRY for _, _, size in wanted.values())
    for key, (segment, at, _) in wanted.items():
        here, there = place_of(segment, at), place_of(segment, at + 1)
        if isinstance(key, int):
            assert list(live.rows_in(here, [key, key + 1000])) == [0]
            assert list(live.rows_in(there, [key])) == []
        else:
            assert live.has_entity(here, ("kind", key.encode()))
            assert not live.has_entity(there, ("kind", key.encode()))


def test_a_segment_that_is_gone_is_owed_nothing():
    live = Live()
    old, new = Segment(1, 0), Segment(2, 0)
    live.add(old)
    live.add(new)
    live.put(old, 0, [number_of((1, 0))], [10])
    del live.segments[1]
    live.put(new, 0, [number_of((1, 0))], [10])
    assert (live.size, new.live) == (10 + ENTRY, 10 + ENTRY)


def test_a_stream_that_loses_row_after_row_looks_at_those_alone():
    """Each trim is from the first row on; what was trimmed before is not walked again."""
    looked = []

    class Counted(Live):
        def remove(self, number):
            looked.append(number)
            super().remove(number)

    live = Counted()
    segment = Segment(1, 0)
    live.add(segment)
    live.put(segment, 0, [number_of((1, at)) for at in range(1000)], [1] * 1000)
    for end in range(1, 501):
        live.remove_range(row_number(1, 0), row_number(1, end))
    assert len(looked) == 500
    assert live.size == 500 * (1 + ENTRY)
