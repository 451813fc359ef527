"""Configuration: layers, schema, models and cross-validation windows."""
