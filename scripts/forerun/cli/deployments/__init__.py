"""The commands of deployments: one module for each."""
