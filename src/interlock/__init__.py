"""The control plane for AI agents that act on real systems."""
