"""Output folders from before there were runs: reading them and moving them into a run."""
