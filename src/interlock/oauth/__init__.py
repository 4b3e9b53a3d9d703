"""Logins at authorization servers (OAuth 2.1): who issues tokens, how a person gets there, what comes back."""
