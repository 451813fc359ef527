"""Adapters of forecasting libraries to one interface: :mod:`forerun.forecasting.engines.base`."""
