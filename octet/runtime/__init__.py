"""Run a network: in float, or in integers only."""
