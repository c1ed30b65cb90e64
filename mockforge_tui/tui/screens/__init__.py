"""Whole screens: the dashboard and what comes over it."""
