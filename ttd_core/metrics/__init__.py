"""Counts first, numbers from counts."""
