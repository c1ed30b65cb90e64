"""Messages written as what publishes them again: command lines and fixtures."""
