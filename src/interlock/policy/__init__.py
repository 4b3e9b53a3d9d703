"""Policy: rules and what is known of an action in, a decision out. No I/O, no clock."""
