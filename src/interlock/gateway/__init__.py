"""The gateway: the spine, and what walks along it again after a grant, a crash or an undo."""
