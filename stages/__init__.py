"""The factory: one folder for each DVC stage, in the order in which data flows."""

import os

# Read before anything else is imported: should DVC be killed meanwhile, this process is adopted,
# and must be able to tell (see stages/command.py).
PARENT = os.getppid()
