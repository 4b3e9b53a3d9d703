"""Consent: what a person agreed to, and whether that opens an action."""
