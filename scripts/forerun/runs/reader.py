"""The content of a run folder as Python values and pandas DataFrames."""

from __future__ import annotations

from functools import cached_property
from pathlib import Path
from typing import Any, Self

import pandas as pd

from forerun.base.errors import UserError, suggest
from forerun.config.frozen import read_recorded
from forerun.config.models import specs
from forerun.config.names import COMBINED, current
from forerun.runs.json_files import read_provenance
from forerun.runs.listing import read_run
from forerun.runs.outcome import ModelStatus
from forerun.runs.paths import RunPaths
from forerun.runs.run_data import read_data
from forerun.runs.state import is_frozen
from forerun.runs.tables import read_cv_results, read_leaderboard, read_metrics, read_predictions


class RunReader:
    """The content of a run folder. Tables are read on first access.

    Attributes
    ----------
    folder : Path
        The run's folder.
    paths : RunPaths
        Where everything in it lies.
    """

    def __init__(self, folder: str | Path):
        self.folder = Path(folder)
        self.paths = RunPaths(self.folder)

    @classmethod
    def open(cls, path: str | Path) -> Self:
        """Open a run folder for reading; a :class:`UserError` if there is no run.

        Parameters
        ----------
        path : str or Path
            The folder, such as ``runs/exp1``.
        """
        folder = Path(path)
        if not is_frozen(folder):
            what = "has no config.yaml" if folder.is_dir() else "does not exist"
            existing = [entry.parent.name for entry in folder.parent.glob("*/config.yaml")]
            hint = suggest(folder.name, existing)
            raise UserError(
                f"'{folder}' is no run: it {what}{hint}; give a folder such as runs/exp1"
            )
        return cls(folder)

    @property
    def run_id(self) -> str:
        """Name of the run."""
        return self.folder.absolute().name

    @property
    def state(self) -> str:
        """As in the table of runs: complete, partial, failed, running, interrupted..."""
        return read_run(self.folder, self.run_id).state

    @cached_property
    def config(self) -> dict[str, Any]:
        """The frozen configuration, as it was recorded."""
        return read_recorded(self.paths.config)

    @cached_property
    def provenance(self) -> dict[str, Any]:
        """When and from what the run was made."""
        return read_provenance(self.folder)

    @property
    def models(self) -> list[str]:
        """Names of all models, baselines first."""
        return [spec.name for spec in specs(self.config)]

    @cached_property
    def statuses(self) -> dict[str, ModelStatus]:
        """What became of each model whose fits have ended."""
        found = {model: ModelStatus.read(self.paths.status(model)) for model in self.models}
        return {model: status for model, status in found.items() if status}

    @property
    def status(self) -> dict[str, dict[str, Any]]:
        """For each model that has ended: ``status``, ``error``, seconds, memory."""
        return {model: status.as_dict() for model, status in self.statuses.items()}

    @property
    def failed(self) -> dict[str, str]:
        """The models that failed, each with the reason."""
        ended = self.statuses.items()
        return {model: status.reason for model, status in ended if status.status == "failed"}

    @cached_property
    def history(self) -> pd.DataFrame:
        """``unique_id, ds, y`` and exogenous columns, up to each series' last observation."""
        frame = read_data(self.paths.data)
        known = frame["y"].notna()
        # Rows after a series' end only carry known future values.
        return frame[known[::-1].groupby(frame["unique_id"], observed=True).cummax()[::-1]]

    @cached_property
    def leaderboard(self) -> pd.DataFrame:
        """One row per model, best first."""
        return read_leaderboard(self._existing(self.paths.leaderboard))

    @cached_property
    def metrics(self) -> pd.DataFrame:
        """``unique_id, metric`` and a column per model: means over the windows."""
        return read_metrics(self._existing(self.paths.metrics))

    @cached_property
    def cv_results(self) -> pd.DataFrame:
        """Back-tests of all models: ``unique_id, ds, cutoff, y``, a column per model, intervals."""
        frames = [self.cv_results_of(model) for model in self.models]
        return merge([f for f in frames if len(f)], ["unique_id", "ds", "cutoff", "y"])

    @cached_property
    def predictions(self) -> pd.DataFrame:
        """Forecasts of all models, ``ensemble`` and ``per_series``: ``unique_id, ds``, columns."""
        frames = [self.predictions_of(name) for name in [*self.models, *COMBINED]]
        return merge([f for f in frames if len(f)], ["unique_id", "ds"])

    def cv_results_of(self, model: str) -> pd.DataFrame:
        """Return the back-tests of one model; no rows if there are none."""
        model = current(model)
        path = self.paths.existing_cv_results(model)
        keys = ["unique_id", "ds", "cutoff", "y", model]
        return read_cv_results(path) if path.is_file() else pd.DataFrame(columns=keys)

    def predictions_of(self, model: str) -> pd.DataFrame:
        """Return the forecasts of one model, of ``per_series`` or ``ensemble``; no rows if none."""
        path = self.paths.existing_predictions(current(model))
        return (
            read_predictions(path) if path.is_file() else pd.DataFrame(columns=["unique_id", "ds"])
        )

    @property
    def ranked(self) -> list[str]:
        """Names of all models, best first where they are ranked."""
        if not self.paths.leaderboard.is_file():
            return self.models
        return [str(model) for model in self.leaderboard["model"]]

    def _existing(self, path: Path) -> Path:
        if not path.is_file():
            raise UserError(f"run '{self.run_id}' has no {path.name} yet: it is {self.state}")
        return path

    def __repr__(self) -> str:
        return (
            f"{type(self).__name__}({str(self.folder)!r}, {self.state}, {len(self.models)} models)"
        )


def merge(frames: list[pd.DataFrame], keys: list[str]) -> pd.DataFrame:
    """Put frames with the same rows side by side."""
    if not frames:
        return pd.DataFrame(columns=keys)
    first, *others = frames
    shared = [key for key in keys if key != "y"]
    for frame in others:
        right = frame.drop(columns="y", errors="ignore")
        first = first.merge(right, on=shared, how="outer")
    return first
