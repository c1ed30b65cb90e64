"""MQTT-SN's decoder under atheris, as `mqtt_decoder` does it for MQTT.

    python -m tests.fuzzing.mqtt_sn_decoder -max_total_time=300

Any bytes make a message or a ProtocolError, and a row; what was decoded can be encoded again and
decodes to the same message; what a forwarder wrapped is unwrapped as it was.
"""

import sys

import atheris

with atheris.instrument_imports(include=["mockforge_brokers.mqtt.sn"]):
    from mockforge_brokers.errors import ProtocolError
    from mockforge_brokers.mqtt.sn.codec import cut, decode, encode, unwrap, wrap
    from mockforge_brokers.mqtt.sn.rows import read_rows
    from mockforge_brokers.mqtt.sn.topics import TopicIds

_TOPICS = TopicIds({7: "predefined"}, 10)


def one_input(data: bytes) -> None:
    """One datagram."""
    read_rows(0, data, _TOPICS.name)
    try:
        node, frame = unwrap(data)
    except ProtocolError:
        return
    if unwrap(wrap(node, frame)) != (node, frame) or cut(frame) != [frame]:
        raise AssertionError(f"{data.hex()} is cut otherwise than it came")
    try:
        message = decode(frame)
    except ProtocolError:
        return
    if decode(encode(message)) != message:
        raise AssertionError(f"{frame.hex()} became {encode(message).hex()}")


if __name__ == "__main__":
    atheris.Setup(sys.argv, one_input)
    atheris.Fuzz()
