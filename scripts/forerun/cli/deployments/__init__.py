"""Commands of deployments, one module for each."""
