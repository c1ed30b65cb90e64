"""One channel: its methods, consumers, delivery tags and confirms."""
