"""Runs as Python objects: ``open_run("runs/exp1")`` provides tables as pandas DataFrames."""

from __future__ import annotations

import warnings
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import pandas as pd

from forerun.base.errors import UserError, suggest
from forerun.runs.reader import RunReader, merge

if TYPE_CHECKING:
    import plotly.graph_objects as go


def open_run(path: str | Path) -> Run:
    """Open a run folder for reading.

    Parameters
    ----------
    path : str or Path
        The folder, such as ``runs/exp1``; or ``@NAME`` for the run in service in the deployment
        ``NAME`` of the current folder.

    Raises
    ------
    UserError
        The run does not exist.
    """
    if str(path).startswith("@"):
        from forerun.deployments.folder import named_run

        path = Path("runs") / named_run(Path("."), str(path))
    return Run.open(path)


class Run(RunReader):
    """A run: its tables, forecasts with its models, and plots.

    Tables are read on first access, see :class:`forerun.runs.reader.RunReader`.
    """

    def predict(
        self,
        df: pd.DataFrame,
        models: Iterable[str] | None = None,
        static: pd.DataFrame | None = None,
        future: pd.DataFrame | None = None,
        skip_missing: bool = False,
    ) -> pd.DataFrame:
        """Forecast new data with the models of this run; nothing is trained or written.

        Parameters
        ----------
        df : DataFrame
            The series, with the columns of the run's own data.
        models : names, optional
            Models of the run, ``per_series`` and ``ensemble``; by default all that did not fail.
        static, future : DataFrame, optional
            Static features (by default those of the run), and known future values of exogenous
            columns.
        skip_missing : bool
            Skip models that lack future values or series instead of raising an error.

        Returns
        -------
        DataFrame
            ``unique_id, ds`` and columns of models and their intervals, `horizon` rows per series.

        Warns
        -----
        UserWarning
            Series that are not in the run get the weights and the model that are best overall.
        """
        from forerun.data import prepare, split
        from forerun.forecasting.choice import choose
        from forerun.forecasting.engines.base import Data
        from forerun.forecasting.inference import frozen_static
        from forerun.forecasting.predict import forecast_all

        choice = choose(self.folder, self.config, None if models is None else list(models))
        if static is None:
            static = frozen_static(self.folder, self.config, df.columns)
        prepared = prepare(df, self.config, static=static, futr=future, training=False)
        data = Data(*split(prepared.frame, self.config))
        notes: list[str] = []
        frames = forecast_all(self.config, data, choice, notes, skip_missing)
        for note in notes:
            warnings.warn(note, UserWarning, stacklevel=2)
        return merge(list(frames.values()), ["unique_id", "ds"])

    def plot(self, unique_id: str | None = None, models: Sequence[str] | None = None) -> go.Figure:
        """Plot a series: its history, back-tests and forecasts.

        Parameters
        ----------
        unique_id : str, optional
            The series; by default the first one.
        models : names, optional
            The models to plot; by default the five best.
        """
        from forerun.report.figure import series_figure

        names = [str(name) for name in self.history["unique_id"].unique()]
        unique_id = names[0] if unique_id is None else str(unique_id)
        if unique_id not in names:
            raise UserError(f"the run has no series '{unique_id}'{suggest(unique_id, names)}")
        ranked = [model for model in self.ranked if model not in self.failed]
        return series_figure(self, unique_id, list(models) if models else ranked[:5])

    def _repr_html_(self) -> str:
        """Return the display of the run in a notebook: its summary and leaderboard."""
        from forerun.report.card import card

        return card(self)
