"""The ledger: what an entry says, the tree over the entries, and the proofs anyone can check."""
