"""What is watched where a model runs: evidence that rows are not what they were."""
