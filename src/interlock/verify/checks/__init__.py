"""Every check, by what it is about."""
