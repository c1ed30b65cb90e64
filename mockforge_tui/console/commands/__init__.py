"""All commands, each file a family of them."""

from ..registry import Registry
from . import (
    access,
    broker,
    clock,
    connections,
    exchanges,
    export,
    faults,
    fixtures,
    general,
    groups,
    holds,
    jobs,
    limits,
    publish,
    queues,
    republish,
    sessions,
    stored,
    tail,
    topics,
    view,
    why,
)

REGISTRY = Registry(
    (
        *publish.COMMANDS,
        *republish.COMMANDS,
        *tail.COMMANDS,
        *fixtures.COMMANDS,
        *topics.COMMANDS,
        *stored.COMMANDS,
        *export.COMMANDS,
        *queues.COMMANDS,
        *exchanges.COMMANDS,
        *sessions.COMMANDS,
        *connections.COMMANDS,
        *groups.COMMANDS,
        *access.COMMANDS,
        *why.COMMANDS,
        *faults.COMMANDS,
        *holds.COMMANDS,
        *view.COMMANDS,
        *jobs.COMMANDS,
        *broker.COMMANDS,
        *clock.COMMANDS,
        *limits.COMMANDS,
        *general.COMMANDS,
    )
)
