"""Configurations, described and altered."""
