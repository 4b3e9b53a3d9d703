"""Tools: what carries out the actions of a contract in the world."""
