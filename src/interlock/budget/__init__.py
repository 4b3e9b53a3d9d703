"""Budgets: what may be spent, what is set aside, what was charged. Arithmetic only."""
