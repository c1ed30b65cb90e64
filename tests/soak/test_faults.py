"""What a soak of MQTT takes for a fault."""

import pytest

from .mqtt import Soak


@pytest.mark.parametrize(
    ("qos", "came", "found"),
    [
        (1, [b"1", b"2", b"2"], []),
        (1, [b"2"], ["1 lost, 0 twice"]),
        (2, [b"1", b"2", b"3"], []),
        (2, [b"1", b"1", b"2"], ["0 lost, 1 twice"]),
        (2, [b"2", b"2"], ["1 lost, 1 twice"]),
    ],
)
def test_what_was_confirmed_has_to_come_and_with_qos_2_once(qos, came, found):
    soak = Soak(1, 1)
    soak.publishers = [each for each in soak.publishers if each.qos == qos][:1]
    soak.publishers[0].confirmed += [b"1", b"2"]
    soak.subscribers = [each for each in soak.subscribers if each.qos == qos][:1]
    soak.subscribers[0].got.update(came)
    assert [fault.split(": ")[1] for fault in soak.faults()] == found
