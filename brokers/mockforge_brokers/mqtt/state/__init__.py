"""What the broker remembers: sessions, subscriptions, retained messages; knows no bytes."""
