"""The forecasting libraries behind one small interface: :mod:`forerun.forecasting.engines.base`."""
