"""The factory: one folder for each DVC stage, in the order in which data flows."""

import os

# Who started this process: what dvc.yaml says, or else what is so before anything else is imported.
# Should DVC be killed meanwhile, the process is adopted, and can tell (see stages/orphans.py).
PARENT = int(os.environ.get("OCTET_PARENT") or os.getppid())
