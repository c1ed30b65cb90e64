"""What clients ask for and is not served is reported once a client and feature, and counted."""

from mockforge_brokers.clock import ManualClock
from mockforge_brokers.events import FeatureNotServed
from mockforge_brokers.spine import Spine
from mockforge_brokers.unserved import Unserved, UnservedView


def test_one_event_a_client_and_feature_and_a_count_of_all():
    spine = Spine(ManualClock())
    told: list[FeatureNotServed] = []
    spine.watch(told.append, FeatureNotServed)
    unserved = Unserved(spine)
    for _ in range(3):
        unserved.report("kafka", 1, "billing", "transactions", "none")
    unserved.report("kafka", 2, "orders", "transactions", "none")
    unserved.report("kafka", 1, "billing", "share groups", "none")
    assert [(event.client, event.feature) for event in told] == [
        ("billing", "transactions"),
        ("orders", "transactions"),
        ("billing", "share groups"),
    ]
    assert unserved.views()[0] == UnservedView("kafka", "billing", "transactions", "none", 3)


def test_ever_new_clients_push_the_oldest_out():
    unserved = Unserved(Spine(ManualClock()))
    for number in range(1000):
        unserved.report("mqtt", number, f"c{number}" + "x" * 10_000, "SCRAM", "none")
    views = unserved.views()
    assert len(views) == 200
    assert views[-1].client.startswith("c999x")
    assert max(len(view.client) for view in views) == 200
