"""What the Kafka broker remembers: topics, logs, producers, groups and offsets.

`cluster` is the root for topics and logs, `groups` for consumer groups. Nothing here knows the
wire format of requests; record batches are opaque bytes behind their header.
"""
