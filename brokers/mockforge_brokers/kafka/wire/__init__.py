"""Kafka's wire format: frames to values and back; no state, no I/O.

`messages/` is the table: one class for each request, response and part of one, shared by all
versions. `schema` is the vocabulary it is written in; `codec` compiles it.

    splitter = Splitter(limit)                # splitter: bursts to whole frames
    for frame in splitter.feed(data): ...     # a frame begins with its four size bytes
    header, at = read_request_header(frame)   # frames: API and version may be unknown to us
    request = decode(MetadataRequest, header.api_version, frame, at)                # codec
    frame = encode_response(MetadataResponse(...), version, header.correlation_id)  # frames

`frames.decode_request` and `frames.decode_response` take whole frames apart for display, and
`frames.encode_request` is the client's side. `frames.response_pieces` spares the copy of a fetched
batch. Produce, the busiest API, has `produce.read_request` and `produce.write_response`, which
make no object for a field. What does not fit the specification raises ProtocolError with API,
version, field and offset.
"""
