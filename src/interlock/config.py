"""Settings, read once from the environment and the command line, and handed down as values."""
