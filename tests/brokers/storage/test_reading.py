"""What a segment's frames leave behind, compared with what each of them says."""

from hypothesis import given, settings
from hypothesis import strategies as st
from mockforge_brokers.storage import segments
from mockforge_brokers.storage.facts import POSITION_BITS, row_number
from mockforge_brokers.storage.live import Live
from mockforge_brokers.storage.reading import Reader, path_of

SALT = 7
LOGS = st.sampled_from((1, 2))
POSITIONS = st.integers(0, 12) | st.integers(1000, 1003)
NUMBERS = st.builds(row_number, LOGS, POSITIONS)
RANGES = st.one_of(
    # As `trim`: from the log's beginning on.
    st.builds(lambda log, end: (row_number(log, 0), row_number(log, end)), LOGS, POSITIONS),
    st.builds(
        lambda log, one, other: (
            row_number(log, min(one, other)),
            row_number(log, max(one, other)),
        ),
        *(LOGS, POSITIONS, POSITIONS),
    ),
    st.builds(lambda log: (row_number(log, 0), row_number(log + 1, 0)), LOGS),
)
FRAMES = st.lists(
    st.tuples(
        st.dictionaries(NUMBERS, st.binary(max_size=3), max_size=6),
        st.lists(NUMBERS, max_size=2),
        st.lists(RANGES, max_size=2),
    ),
    max_size=12,
)


@settings(max_examples=300, deadline=None)
@given(FRAMES)
def test_rows_that_are_new_gone_and_in_ranges_leave_what_each_frame_says(tmp_path_factory, frames):
    folder = tmp_path_factory.getbasetemp()
    pieces, rows = [segments.head_of(1, SALT)], {}
    for number, (new, gone, ranges) in enumerate(frames):
        pieces += segments.encode(SALT, number, new, gone, ranges)[0]
        rows |= new
        for one in gone:
            rows.pop(one, None)
        for first, end in ranges:
            rows = {at: value for at, value in rows.items() if not first <= at < end}
    path_of(folder, 1).write_bytes(b"".join(pieces))
    live = Live()
    reader = Reader(live, [])
    reader.read(path_of(folder, 1), ())
    found = {
        log << POSITION_BITS | position: value
        for log, values in reader.kept().logs.items()
        for position, value in values
    }
    assert found == rows
    assert live.size == sum(len(value) + 16 for value in rows.values()), "and so says `live`"
