"""Adapters from forecasting libraries to one interface, :mod:`forerun.forecasting.engines.base`."""
