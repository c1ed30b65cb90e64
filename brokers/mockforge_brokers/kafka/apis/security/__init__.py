"""Who a client is (SASL)."""
