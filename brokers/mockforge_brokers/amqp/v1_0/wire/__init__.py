"""Bytes of AMQP 1.0 into values and back; it knows no state."""
