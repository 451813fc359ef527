"""The configuration: its layers, schema, models and windows, read and checked."""
