"""Redaction: what must not be written down, taken out of what was said. Pure functions."""
