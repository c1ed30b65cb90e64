"""What clients did, as a test that does it again: a module for each protocol, behind one face."""
