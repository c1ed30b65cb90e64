"""Classic groups under clients by the book, by chance: all are answered, and all end with a share.

Clients come, go, fall silent and come back; people kick them; the broker is restarted. After each
step the group's own books agree with each other.
"""

from contextlib import contextmanager

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule
from mockforge_brokers.clock import ManualClock
from mockforge_brokers.environment import Environment
from mockforge_brokers.errors import RequestRefused
from mockforge_brokers.fairness import finished
from mockforge_brokers.kafka.codes import ErrorCode
from mockforge_brokers.kafka.options import KafkaOptions
from mockforge_brokers.kafka.state.groups.classic.member import JoinRequest, SyncRequest
from mockforge_brokers.kafka.state.groups.classic.state import GroupState
from mockforge_brokers.kafka.state.groups.coordinator import Groups

from .scene import Answer

SESSION = 10.0
NAMES = ("a", "b", "c", "S1", "S2")
"""The ones in capitals are static members."""


class Client:
    """It does what Kafka's own clients do, one request at a time."""

    def __init__(self, name, rebalance_timeout):
        self.name = name
        self.instance = name if name.isupper() else None
        self.rebalance_timeout = rebalance_timeout
        self.member_id = ""
        self.generation = -1
        self.roster = ()
        self.share = None
        """What it was assigned in its generation; None before."""
        self.joining = self.syncing = None

    def step(self, groups):
        """One request, unless one waits."""
        if self.joining is None and self.syncing is None:
            self._ask(groups)
        if self.joining is not None and self.joining.result is not None:
            answer, self.joining = self.joining.result, None
            self._joined(answer)
        elif self.syncing is not None and self.syncing.result is not None:
            answer, self.syncing = self.syncing.result, None
            if answer.error_code:
                self._failed(answer.error_code)
            else:
                self.share = answer.assignment

    def _ask(self, groups):
        try:
            if self.generation < 0:
                self.joining = Answer(finished(groups.join("g", self._join())))
            elif self.share is None:
                self.syncing = Answer(groups.sync("g", self._sync()))
            else:
                groups.classic_heartbeat("g", self.member_id, self.generation, self.instance)
        except RequestRefused as refusal:
            self._failed(refusal.code)

    def _join(self):
        return JoinRequest(
            self.member_id,
            self.instance,
            self.name,
            "/127.0.0.1",
            SESSION,
            self.rebalance_timeout,
            "consumer",
            (("range", b""),),
        )

    def _sync(self):
        shares = tuple((one.member_id, one.member_id.encode()) for one in self.roster)
        return SyncRequest(self.member_id, self.generation, self.instance, assignments=shares)

    def _joined(self, answer):
        if answer.error_code == ErrorCode.MEMBER_ID_REQUIRED:
            self.member_id = answer.member_id
        elif answer.error_code:
            self._failed(answer.error_code)
        else:
            self.member_id, self.generation = answer.member_id, answer.generation_id
            self.roster, self.share = answer.members, None

    def _failed(self, code):
        self.generation, self.roster, self.share = -1, (), None
        assert code in (
            ErrorCode.REBALANCE_IN_PROGRESS,
            ErrorCode.UNKNOWN_MEMBER_ID,
            ErrorCode.ILLEGAL_GENERATION,
        )
        if code == ErrorCode.UNKNOWN_MEMBER_ID:
            self.member_id = ""


@contextmanager
def not_known():
    """It may be that the group does not know the member any more."""
    try:
        yield
    except RequestRefused as refusal:
        if refusal.code != ErrorCode.UNKNOWN_MEMBER_ID:
            raise


class ClassicGroups(RuleBasedStateMachine):
    def __init__(self):
        super().__init__()
        self.clock = ManualClock()
        self.environment = Environment.create(self.clock, seed=1, journal=False)
        self.groups = self.new()
        self.clients = {}
        self.highest = 0

    def new(self):
        return Groups(self.environment, KafkaOptions(initial_rebalance_delay=0.0))

    @property
    def group(self):
        return self.groups.by_id.get("g")

    @rule(name=st.sampled_from(NAMES), timeout=st.sampled_from((5.0, 30.0)))
    def step(self, name, timeout):
        if name not in self.clients:
            self.clients[name] = Client(name, timeout)
        self.clients[name].step(self.groups)

    @rule(count=st.integers(1, 3))
    def all_step(self, count):
        for _ in range(count):
            for client in tuple(self.clients.values()):
                client.step(self.groups)

    @rule(name=st.sampled_from(NAMES))
    def fall_silent(self, name):
        """It is gone without a word, and may come back as a new process."""
        self.clients.pop(name, None)

    @rule(name=st.sampled_from(NAMES))
    def leave(self, name):
        client = self.clients.pop(name, None)
        if client is not None and client.member_id:
            with not_known():
                self.groups.leave("g", client.member_id, client.instance, "")

    @rule(name=st.sampled_from(NAMES))
    def kick(self, name):
        if self.group is not None:
            with not_known():
                self.group.kick(name, "was kicked")

    @rule()
    def rebalance(self):
        if self.group is not None and len(self.group.members):
            self.group.rebalance("asked for")

    @rule(seconds=st.sampled_from((0.5, 4.0, 11.0, 40.0)))
    def wait(self, seconds):
        self.clock.advance(seconds)

    @rule()
    def restart(self):
        """Connections end with the broker, and so does what waits."""
        kept = self.groups.dump()
        self.groups.retire()
        self.groups = self.new()
        self.groups.restore(kept)
        for client in self.clients.values():
            if client.joining is not None or client.syncing is not None:
                client.joining = client.syncing = None
                client.generation = -1

    @invariant()
    def books_agree(self):
        group = self.group
        if group is None:
            return
        members = group.members.by_id
        assert group.generation_id >= self.highest
        self.highest = group.generation_id
        static = {m.group_instance_id: i for i, m in members.items() if m.group_instance_id}
        assert group.members.static == static
        assert all(one.member_id == member_id for member_id, one in members.items())
        assert (group.members.leader in members) if members else group.members.leader is None
        assert group.unsynced <= members.keys()
        if group.state is GroupState.EMPTY:
            assert not members
        elif not members:
            # Somebody who was given an id is waited for.
            assert group.state is GroupState.PREPARING_REBALANCE
            assert group.pending
        for one in members.values():
            assert one.join is None or group.state is GroupState.PREPARING_REBALANCE
            assert one.sync is None or group.state is GroupState.COMPLETING_REBALANCE

    def teardown(self):
        """Left alone, who is there ends with a share each, and nobody else is a member."""
        for _ in range(30):
            self.clock.advance(3.0)
            for _ in range(4):
                for client in self.clients.values():
                    client.step(self.groups)
        if not self.clients:
            self.clock.advance(100.0)
            assert self.group is None or self.group.state is GroupState.EMPTY
            return
        group = self.group
        assert group.state is GroupState.STABLE
        ids = {client.member_id for client in self.clients.values()}
        assert ids == set(group.members.by_id)
        for client in self.clients.values():
            assert client.generation == group.generation_id
            assert client.share == client.member_id.encode()


ClassicGroups.TestCase.settings = settings(max_examples=60, stateful_step_count=30, deadline=None)
TestClassicGroups = ClassicGroups.TestCase
