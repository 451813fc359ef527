"""All figures of this package.

Every function takes plain pandas frames in the shapes of a run's files and returns a figure;
:func:`write_all` writes the plots of a run with an index.
"""

from forerun.plots.backtests import backtest
from forerun.plots.calibration import calibration, coverage
from forerun.plots.comparisons import comparison
from forerun.plots.diagnostics import error_by_horizon
from forerun.plots.forecasts import forecast
from forerun.plots.index import write_all, write_plot
from forerun.plots.leaderboard import leaderboard
from forerun.plots.names import file_name, file_names
from forerun.plots.residuals import residuals
from forerun.plots.searches import search
from forerun.plots.style import Look, looks, save

__all__ = [
    "Look",
    "backtest",
    "calibration",
    "comparison",
    "coverage",
    "error_by_horizon",
    "file_name",
    "file_names",
    "forecast",
    "leaderboard",
    "looks",
    "residuals",
    "save",
    "search",
    "write_all",
    "write_plot",
]
