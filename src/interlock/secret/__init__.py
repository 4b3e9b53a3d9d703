"""Secrets: the keys of this installation, and what is derived from them. None of it is in the database."""
