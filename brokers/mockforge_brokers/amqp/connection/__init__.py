"""One client's connection: handshake, bursts, channels, heartbeats, ends."""
