"""The store: one set of tables, one way to run a batch, two databases."""
