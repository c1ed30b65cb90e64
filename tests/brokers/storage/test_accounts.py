"""Users and rules that were made while the program ran are there at the next start."""

from mockforge_brokers.access import Access, rule_of
from mockforge_brokers.clock import ManualClock
from mockforge_brokers.environment import Environment
from mockforge_brokers.storage.accounts import StoredAccess

from .memory_disk import MemoryDisk

GIVEN = rule_of("allow alice read kafka:a")
MADE = rule_of("deny bob all mqtt:b/#")


def begun(access, found=None, names=()):
    environment = Environment.create(ManualClock(), seed=1)
    disk = MemoryDisk()
    store = disk.store_for(environment)
    StoredAccess(store, access, names).take_up(found or disk.kept())
    return disk, environment


def with_given(password="configured"):
    access = Access()
    access.add_user("guest", "guest", ("amqp",))
    access.add_user("alice", password)
    access.add_rule(GIVEN)
    return access


def test_what_was_made_is_there_and_what_was_given_is_as_it_is_given_now():
    access = with_given()
    disk, environment = begun(access, names=("alice",))
    access.add_user("bob", "secret", ("kafka", "mqtt"))
    access.add_user("alice", "changed")
    access.add_rule(MADE)
    access.remove_user("guest")
    environment.clock.advance(1)
    again = with_given("new")
    begun(again, disk.kept(), names=("alice",))
    assert sorted(again.users) == ["alice", "bob"]
    assert again.login("kafka", "bob", "secret")
    assert again.user("amqp", "bob") is None
    assert again.login("kafka", "alice", "new")
    assert list(again.rules.values()) == [GIVEN, MADE]


def test_what_was_removed_again_is_gone():
    access = with_given()
    disk, environment = begun(access)
    access.add_user("bob", "secret")
    number = access.add_rule(MADE)
    environment.clock.advance(1)
    access.remove_user("bob")
    access.remove_rule(number)
    environment.clock.advance(1)
    again = with_given()
    begun(again, disk.kept())
    assert sorted(again.users) == ["alice", "guest"]
    assert list(again.rules.values()) == [GIVEN]


def test_nothing_is_written_before_something_changes():
    disk, environment = begun(with_given())
    environment.clock.advance(1)
    assert disk.entities == {}
