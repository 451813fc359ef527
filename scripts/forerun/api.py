"""A run as an object: ``open_run("runs/exp1")`` provides its tables as pandas DataFrames."""

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
        of that name, below this folder.

    Raises
    ------
    UserError
        There is no run.
    """
    if str(path).startswith("@"):
        from forerun.deployments.folder import Deployment

        deployment = Deployment(Path("."), str(path)[1:]).require()
        path = deployment.run(deployment.champion().run_id)
    return Run.open(path)


class Run(RunReader):
    """What a run folder holds, to forecast with and to look at.

    Tables are read when they are first asked for: see :class:`forerun.runs.reader.RunReader`.
    """

    def predict(
        self,
        df: pd.DataFrame,
        models: Iterable[str] | None = None,
        static: pd.DataFrame | None = None,
        future: pd.DataFrame | None = None,
        skip_missing: bool = False,
    ) -> pd.DataFrame:
        """Forecast other data with the models of this run; nothing is trained or written.

        Parameters
        ----------
        df : DataFrame
            The series, with the columns the run's own data had.
        models : names, optional
            Models of the run, ``per_series`` and ``ensemble``; all that did not fail if not given.
        static, future : DataFrame, optional
            Static features (those of the run if not given), and known future values of exogenous
            columns.
        skip_missing : bool
            Leave out models that lack future values or series instead of raising an error.

        Returns
        -------
        DataFrame
            ``unique_id, ds`` and a column per model (and its intervals), `horizon` rows a series.

        Warns
        -----
        UserWarning
            Series that the run never saw get the weights and the model that are best overall.
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
        """Draw one series: its history, the back-tests and the forecasts.

        Parameters
        ----------
        unique_id : str, optional
            The series; the first one if not given.
        models : names, optional
            The models to draw; the five best if not given.
        """
        from forerun.report.figure import series_figure

        names = [str(name) for name in self.history["unique_id"].unique()]
        unique_id = names[0] if unique_id is None else str(unique_id)
        if unique_id not in names:
            raise UserError(f"the run has no series '{unique_id}'{suggest(unique_id, names)}")
        ranked = [model for model in self.ranked if model not in self.failed]
        return series_figure(self, unique_id, list(models) if models else ranked[:5])

    def _repr_html_(self) -> str:
        """Show the run in a notebook: what it is, and its leaderboard."""
        from forerun.report.card import card

        return card(self)
