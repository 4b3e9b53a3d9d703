"""Tools of a contract as tools of an agent framework. Each module needs its framework."""
