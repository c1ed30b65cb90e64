"""MQTT-SN."""
