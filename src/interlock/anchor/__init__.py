"""Places outside where signed heads are kept: a file, a git repository, a witness, a time-stamping authority."""
