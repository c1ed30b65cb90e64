"""What a virtual host remembers: exchanges, bindings, queues and their messages."""
