"""Leaders elected and replicas moved, of which one node leaves little to do."""
