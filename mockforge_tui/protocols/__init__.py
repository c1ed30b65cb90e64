"""What the app does with one protocol alone, a module each; most of the app is about all of them.

Each builds its broker from a config, says what declares the fixtures of its kind, and publishes a
message of its kind at the broker's entrance.
"""
