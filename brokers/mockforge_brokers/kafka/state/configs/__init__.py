"""What topics, the broker and groups are configured to, and where each value comes from."""
