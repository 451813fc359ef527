"""Training and forecasting with the models of a run, and engines."""
