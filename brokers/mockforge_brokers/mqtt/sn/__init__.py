"""MQTT-SN 1.2 over UDP: a gateway in the broker, on the same sessions and topics as MQTT."""
