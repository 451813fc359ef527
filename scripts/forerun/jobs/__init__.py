"""Jobs of the workflow: fits and forecasts in child processes, leases, GPUs, the model cache."""
