"""What a job of the workflow does and in which process: fits, forecasts, leases, GPUs, cache."""
