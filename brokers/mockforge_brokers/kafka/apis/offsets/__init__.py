"""Positions: by time, by epoch, and what groups committed."""
