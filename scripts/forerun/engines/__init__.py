"""The forecasting libraries behind one small interface: see :mod:`forerun.engines.base`."""
