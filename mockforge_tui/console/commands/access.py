"""`user`, `vhost` and `rule`: who may log in, and what they may do."""

from typing import TYPE_CHECKING, Annotated, Any

from mockforge_brokers.access import hash_password, rule_of
from mockforge_brokers.amqp.definitions import words
from mockforge_brokers.amqp.state.queues.types import QUEUE_TYPES
from mockforge_brokers.protocols import PROTOCOLS

from ...units import counted
from ..lookup import BadArgument, amqp, known
from ..registry import Arg, Opt, Type, command
from ..results import Column, Result, done, table
from ..types import choice, integer, of_text, text

if TYPE_CHECKING:
    from ..session import Session

USER = text("user", "users")
_QUEUE_TYPE = choice("type", *QUEUE_TYPES)
_PASSWORD = text("password")
VHOST = text("vhost")
_RULE = Type("rule", lambda token: token.text)
_NUMBER = integer("n", 1)


def _protocols(value: str) -> tuple[str, ...]:
    names = tuple(value.split(","))
    for name in names:
        if name not in PROTOCOLS:
            raise ValueError(f"{name!r} is none of {', '.join(PROTOCOLS)}")
    return names


_PROTOCOLS = Type("protocols", of_text(_protocols))


@command("user ls", group="access", aliases=("users", "list users"), examples=("user ls",))
def user_ls(session: "Session") -> Result:
    """List who may log in, and where nobody needs to."""
    access = session.runtime.access
    rows: list[dict[str, Any]] = [
        {
            "user": user.name,
            "protocols": [each for each in PROTOCOLS if each in user.protocols],
            "tags": list(user.tags),
            "password": "scram" if user.secretless else "hashed" if user.hashed else "plain",
        }
        for user in access.users.values()
    ]
    if access.anonymous:
        rows.append({"user": "anonymous", "protocols": sorted(access.anonymous), "tags": [],
                     "password": None})  # fmt: skip
    return table(
        rows,
        Column("user", "user"),
        Column("protocols", "may log in to"),
        Column("tags", "tags"),
        Column("password", "password"),
        empty="nobody may log in",
    )


@command(
    "user add",
    group="access",
    aliases=("add user", "create user"),
    examples=("user add alice secret", "user add shop secret --only amqp"),
)
def user_add(
    session: "Session",
    name: Annotated[str, Arg(text("name"), "the user's name")],
    password: Annotated[str, Arg(_PASSWORD, "a password, or its hash")],
    *,
    only: Annotated[
        tuple[str, ...] | None, Opt(("--only",), _PROTOCOLS, "kafka, mqtt, amqp: not all of them")
    ] = None,
) -> Result:
    """Let a user log in.

    Connections that are open go on as they are. Where nobody needs to log in that stays so.
    """
    if name in session.runtime.access.users:
        raise BadArgument("name", f"user {name} is there already; user passwd changes its password")
    user = session.runtime.access.add_user(name, password, only or PROTOCOLS)
    places = [each for each in PROTOCOLS if each in user.protocols]
    return done(f"user {name} may log in to {', '.join(places)}", {"user": name})


@command(
    "user passwd",
    group="access",
    aliases=("change password",),
    examples=("user passwd guest changed",),
)
def user_passwd(
    session: "Session",
    name: Annotated[str, Arg(USER, "a user")],
    password: Annotated[str, Arg(_PASSWORD, "the new password, or its hash")],
) -> Result:
    """Change a user's password."""
    access = session.runtime.access
    user = access.users[known("name", name, access.users, "user")]
    access.add_user(name, password, user.protocols, user.tags)
    return done(f"user {name} has a new password", {"user": name})


@command(
    "user tags",
    group="access",
    aliases=("set user tags",),
    examples=("user tags guest monitoring,policymaker",),
)
def user_tags(
    session: "Session",
    name: Annotated[str, Arg(USER, "a user")],
    tags: Annotated[
        str, Arg(text("tags"), "administrator, monitoring, policymaker, management")
    ] = "",
) -> Result:
    """Set what a user may do in AMQP's management interface; no tags let it do nothing there."""
    access = session.runtime.access
    words = [word.strip() for word in tags.split(",") if word.strip()]
    access.tag_user(known("name", name, access.users, "user"), words)
    what = ", ".join(words) or "no tag: the management interface is closed to it"
    return done(f"user {name} has {what}", {"user": name, "tags": words})


@command("user rm", group="access", aliases=("delete user",), examples=("user rm guest",))
def user_rm(session: "Session", name: Annotated[str, Arg(USER, "a user")]) -> Result:
    """Let a user log in no more; connections that are open go on, but for those of AMQP.

    With an AMQP user go its permissions, topic permissions and limits, as with rabbitmqctl.
    """
    access, broker = session.runtime.access, session.runtime.brokers.amqp
    user = access.users[known("name", name, access.users, "user")]
    if broker is not None and broker.protocol in user.protocols:
        broker.remove_user(name)
    else:
        access.remove_user(name)
    return done(f"user {name} is gone", {"user": name})


@command("user hash", group="access", examples=("user hash secret",))
def user_hash(session: "Session", password: Annotated[str, Arg(_PASSWORD, "a password")]) -> Result:
    """Print a password's hash, for `users:` in a config file."""
    hashed = hash_password(password)
    return done(hashed, {"hash": hashed})


@command("vhost ls", group="access", aliases=("vhosts", "list vhosts"), examples=("vhost ls",))
def vhost_ls(session: "Session") -> Result:
    """List AMQP's virtual hosts."""
    rows = [
        {
            "vhost": name,
            "queues": len(vhost.queues),
            "exchanges": len(vhost.exchanges),
            "default_queue_type": vhost.default_queue_type,
            "description": vhost.description,
            "tags": list(vhost.tags),
        }
        for name, vhost in amqp(session).vhosts.items()
    ]
    return table(
        rows,
        Column("vhost", "virtual host"),
        Column("queues", "queues", right=True),
        Column("exchanges", "exchanges", right=True),
        Column("default_queue_type", "default queue type"),
        Column("description", "description"),
    )


@command(
    "vhost add",
    group="access",
    aliases=("add vhost",),
    examples=(
        "vhost add shop",
        "vhost add orders --default-queue-type quorum",
        "vhost add till --description 'all tills' --tags shop,eu",
    ),
)
def vhost_add(
    session: "Session",
    name: Annotated[str, Arg(text("name"), "the virtual host's name")],
    *,
    default_queue_type: Annotated[
        str, Opt(("--default-queue-type",), _QUEUE_TYPE, "of queues that name none")
    ] = "",
    description: Annotated[str, Opt(("--description",), text("words"), "what it is for")] = "",
    tags: Annotated[str, Opt(("--tags",), text("tag,..."), "words to find it by")] = "",
) -> Result:
    """Add an AMQP virtual host.

    A queue declared without x-queue-type is of its default type if it can be (durable, neither
    exclusive nor auto-delete), as from RabbitMQ 3.11 on.
    """
    broker = amqp(session)
    if default_queue_type and not broker.options.profile.has_default_queue_types:
        raise BadArgument("default_queue_type", "there is none before RabbitMQ 3.11")
    said, kind = words(tags), default_queue_type
    broker.add_vhost(name, default_queue_type=kind, description=description, tags=said)
    made = {"vhost": name, "default_queue_type": kind, "description": description, "tags": said}
    return done(f"virtual host {name} added", made)


@command(
    "vhost rm",
    group="access",
    aliases=("delete vhost",),
    examples=("vhost rm shop -y",),
    asks="Delete virtual host {name} with all that is in it?",
)
def vhost_rm(session: "Session", name: Annotated[str, Arg(VHOST, "a virtual host")]) -> Result:
    """Delete an AMQP virtual host; its connections are closed."""
    admin = amqp(session)
    closed = admin.remove_vhost(known("name", name, admin.vhosts, "virtual host"))
    return done(
        f"virtual host {name} deleted, {counted(closed, 'connection')} closed", {"vhost": name}
    )


@command("rule ls", group="access", aliases=("rules", "list rules"), examples=("rule ls",))
def rule_ls(session: "Session") -> Result:
    """List what users may do and may not."""
    rows = [
        {"id": number, "rule": rule.text} for number, rule in session.runtime.access.rules.items()
    ]
    return table(
        rows, Column("id", "id", right=True), Column("rule", "rule"), empty="all may do all"
    )


@command(
    "rule add",
    group="access",
    examples=(
        "rule add allow alice read,write kafka:orders.*",
        "rule add allow * publish mqtt:devices/%c/#",
        "rule add deny guest configure amqp:*",
    ),
)
def rule_add(
    session: "Session",
    rule: Annotated[
        str, Arg(_RULE, "allow|deny USER OPERATIONS PROTOCOL:PATTERN", "RULE", tail=True)
    ],
) -> Result:
    """Allow or deny read, write, configure or all; denied wins.

    As soon as a protocol has a rule that allows, what no rule allows is refused there. Patterns:
    a Kafka topic (orders.*), group:NAME or cluster; an MQTT filter with %c for the client id and
    %u for the user; an AMQP queue or exchange, VHOST:NAME outside of /.
    """
    made = rule_of(rule)
    number = session.runtime.access.add_rule(made)
    return done(f"rule {number}: {made.text}", {"id": number, "rule": made.text})


@command("rule rm", group="access", examples=("rule rm 1",))
def rule_rm(session: "Session", number: Annotated[int, Arg(_NUMBER, "a rule's number")]) -> Result:
    """Take a rule back; it holds at once, also for open connections."""
    rule = session.runtime.access.remove_rule(number)
    return done(f"rule {number} is gone: {rule.text}", {"id": number})


COMMANDS = (
    user_ls,
    user_add,
    user_passwd,
    user_tags,
    user_rm,
    user_hash,
    vhost_ls,
    vhost_add,
    vhost_rm,
    rule_ls,
    rule_add,
    rule_rm,
)
