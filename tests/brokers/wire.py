"""A socket's end of an endpoint, without a socket."""


class Wire:
    """A transport whose writes are counted."""

    def __init__(self):
        self.writes = []
        self.over = False

    def get_extra_info(self, name, default=None):
        # Layered: bulky output is written piece by piece, and not past this to a socket.
        return {"peername": ("::1", 1), "sockname": ("::1", 2), "layered": True}.get(name, default)

    def get_write_buffer_size(self):
        return 0

    def is_closing(self):
        return self.over

    def set_write_buffer_limits(self, high):
        pass

    def write(self, data):
        self.writes.append(bytes(data))

    def pause_reading(self):
        pass

    resume_reading = close = pause_reading

    def can_write_eof(self):
        return False

    def abort(self):
        self.over = True
