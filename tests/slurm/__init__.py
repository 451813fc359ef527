"""A Slurm for tests."""
