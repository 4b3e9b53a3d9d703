"""Contracts: YAML into typed values, and what a version of Interlock can honour of them."""
