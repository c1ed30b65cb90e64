"""Fuzzing that runs apart from the tests, for as long as it is given."""
