"""Who a client is, and what it may do."""

from msgspec import Struct


class Principal(Struct, frozen=True):
    """Who is at the other end: `name` is empty for somebody who did not say.

    `mechanism` is how the name was proved (PLAIN, AMQPLAIN, EXTERNAL, password). `tls` is the
    version that was agreed on, `certificate` the client's subject as RFC 4514 writes it, and
    `server_name` what the client called us (SNI); each is empty where there was none.
    """

    name: str = ""
    mechanism: str = ""
    tls: str = ""
    certificate: str = ""
    server_name: str = ""
