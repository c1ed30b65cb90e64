"""What stands in the inspector beside the facts of what somebody looks at, of any protocol."""

from mockforge_brokers.access import Access

from ..brokers import Brokers
from . import amqp_beside, kafka_beside, mqtt_beside
from .kafka_tables import Tables


def beside(brokers: Brokers, access: Access, subject: object) -> Tables:
    """Tables by name, as far as its broker knows more than its snapshots have."""
    return {
        **kafka_beside.beside(brokers.kafka, access, subject),
        **mqtt_beside.beside(subject),
        **amqp_beside.beside(brokers.amqp, subject),
    }
