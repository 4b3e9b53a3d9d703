"""Proofs over a contract: what holds of every call that an agent could make, shown by a solver."""
