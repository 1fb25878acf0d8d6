"""A system of one's own data and model, written into params.yaml by one command.

`python -m stages.add NAME --data FILE` looks at the data with the readers of the load stage, so
that what it says is what the pipeline will do, and writes what a person would have written.
"""
