"""Conformance: the promises as checks that anybody can run on their own installation."""
