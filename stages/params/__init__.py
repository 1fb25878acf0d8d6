"""params.yaml, typed: a file a section, so that a stage depends on what it reads and no more.

Each field's description says what is allowed: it is what a user reads in the error.
"""
