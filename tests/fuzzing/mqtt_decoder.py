"""MQTT's decoder under atheris (libFuzzer for Python; `pip install atheris`), guided by coverage.

    python -m tests.fuzzing.mqtt_decoder -max_total_time=300

Any bytes make packets or a ProtocolError; what was decoded can be encoded again, and decodes to the
same packet. `tests/brokers/mqtt/test_codec.py` asks the same of hypothesis' bytes.
"""

import sys

import atheris

with atheris.instrument_imports(include=["mockforge_brokers.mqtt.wire"]):
    from mockforge_brokers.errors import ProtocolError
    from mockforge_brokers.mqtt.rows import read_rows
    from mockforge_brokers.mqtt.wire.decode import decode_packet
    from mockforge_brokers.mqtt.wire.encode import encode_packet
    from mockforge_brokers.mqtt.wire.frames import PacketSplitter


def one_input(data: bytes) -> None:
    """The first byte chooses the version, the others are what a connection sends."""
    version = 3 + data[0] % 3 if data else 5
    try:
        frames = PacketSplitter().feed(data[1:])
    except ProtocolError:
        return
    for frame in frames:
        read_rows(0, frame, version, {})
        try:
            packet = decode_packet(frame, version)
        except ProtocolError:
            continue
        spoken = getattr(packet, "version", version)
        again = encode_packet(packet, spoken)
        if decode_packet(again, spoken) != packet:
            raise AssertionError(f"{frame.hex()} became {again.hex()}")


if __name__ == "__main__":
    atheris.Setup(sys.argv, one_input)
    atheris.Fuzz()
