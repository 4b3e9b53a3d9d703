"""Kill -9 and SIGSTOP at every step of a call, a resume and an undo."""
