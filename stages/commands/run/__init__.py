"""`make run`: the stages of dvc.yaml, as many at once as there are cores; then the verdicts.

DVC runs one stage at a time. Here each is a `dvc repro --single-item` of its own, in a process of
its own, started when its inputs are there; docs/reproducibility.md says what holds when it is
killed.
"""
