"""The content of a run folder as Python values and pandas DataFrames."""

from __future__ import annotations

from functools import cached_property
from pathlib import Path
from typing import Any, Self

import pandas as pd

from forerun.base.errors import UserError, suggest
from forerun.config.frozen import read_recorded
from forerun.config.models import specs
from forerun.config.names import COMBINED, SERIES_WEIGHT, current
from forerun.runs.json_files import read_provenance
from forerun.runs.listing import read_run
from forerun.runs.outcome import ModelStatus
from forerun.runs.paths import RunPaths
from forerun.runs.run_data import read_data, until_last_value
from forerun.runs.state import is_frozen
from forerun.runs.tables import read_cv_results, read_leaderboard, read_metrics, read_predictions


class RunReader:
    """The content of a run folder; tables are read on first access.

    Attributes
    ----------
    folder : Path
        The run's folder.
    paths : RunPaths
        Paths inside the folder.
    """

    def __init__(self, folder: str | Path):
        self.folder = Path(folder)
        self.paths = RunPaths(self.folder)

    @classmethod
    def open(cls, path: str | Path) -> Self:
        """Open a run folder for reading.

        Parameters
        ----------
        path : str or Path
            The folder, such as ``runs/exp1``.

        Raises
        ------
        UserError
            The folder is not a run.
        """
        folder = Path(path)
        if not is_frozen(folder):
            what = "has no config.yaml" if folder.is_dir() else "does not exist"
            existing = [entry.parent.name for entry in folder.parent.glob("*/config.yaml")]
            hint = suggest(folder.name, existing)
            raise UserError(
                f"'{folder}' is not a run: it {what}{hint}; use a folder such as runs/exp1"
            )
        return cls(folder)

    @property
    def run_id(self) -> str:
        """Name of the run."""
        return self.folder.absolute().name

    @property
    def state(self) -> str:
        """State as in the table of runs: complete, partial, failed, running, interrupted..."""
        return read_run(self.folder, self.run_id).state

    @cached_property
    def config(self) -> dict[str, Any]:
        """The frozen configuration as recorded."""
        return read_recorded(self.paths.config)

    @cached_property
    def provenance(self) -> dict[str, Any]:
        """Provenance of the run: time, data, versions."""
        return read_provenance(self.folder)

    @property
    def models(self) -> list[str]:
        """Names of all models, baselines first."""
        return [spec.name for spec in specs(self.config)]

    @cached_property
    def statuses(self) -> dict[str, ModelStatus]:
        """Status of each model that has ended."""
        statuses = {model: ModelStatus.read(self.paths.status(model)) for model in self.models}
        return {model: status for model, status in statuses.items() if status}

    @property
    def status(self) -> dict[str, dict[str, Any]]:
        """Status of each model that has ended as a dictionary: ``status``, ``error``, seconds..."""
        return {model: status.as_dict() for model, status in self.statuses.items()}

    @property
    def failed(self) -> dict[str, str]:
        """Failed models, each with the reason."""
        ended = self.statuses.items()
        return {model: status.reason for model, status in ended if status.status == "failed"}

    @cached_property
    def history(self) -> pd.DataFrame:
        """``unique_id, ds, y`` and exogenous columns up to the last observation of each series."""
        frame = read_data(self.paths.data).drop(columns=SERIES_WEIGHT, errors="ignore")
        return until_last_value(frame)

    @cached_property
    def leaderboard(self) -> pd.DataFrame:
        """One row for each model, best first."""
        return read_leaderboard(self._existing(self.paths.leaderboard))

    @cached_property
    def metrics(self) -> pd.DataFrame:
        """``unique_id, metric`` and one column for each model: means over the windows."""
        return read_metrics(self._existing(self.paths.metrics))

    @cached_property
    def cv_results(self) -> pd.DataFrame:
        """Cross-validation results: ``unique_id, ds, cutoff, y``, columns of models, intervals."""
        frames = [self.cv_results_of(model) for model in self.models]
        return merge([f for f in frames if len(f)], ["unique_id", "ds", "cutoff", "y"])

    @cached_property
    def predictions(self) -> pd.DataFrame:
        """Forecasts: ``unique_id, ds``, columns of models, ``ensemble`` and ``per_series``."""
        frames = [self.predictions_of(name) for name in [*self.models, *COMBINED]]
        return merge([f for f in frames if len(f)], ["unique_id", "ds"])

    def cv_results_of(self, model: str) -> pd.DataFrame:
        """Return the cross-validation results of one model; empty if there are none."""
        model = current(model)
        path = self.paths.existing_cv_results(model)
        keys = ["unique_id", "ds", "cutoff", "y", model]
        return read_cv_results(path) if path.is_file() else pd.DataFrame(columns=keys)

    def predictions_of(self, model: str) -> pd.DataFrame:
        """Return forecasts of a model, ``per_series`` or ``ensemble``; empty if there are none."""
        path = self.paths.existing_predictions(current(model))
        return (
            read_predictions(path) if path.is_file() else pd.DataFrame(columns=["unique_id", "ds"])
        )

    @property
    def ranked(self) -> list[str]:
        """Names of all models, best first if they are ranked."""
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
    """Merge frames with the same rows on their keys."""
    if not frames:
        return pd.DataFrame(columns=keys)
    first, *others = frames
    shared = [key for key in keys if key != "y"]
    for frame in others:
        right = frame.drop(columns="y", errors="ignore")
        first = first.merge(right, on=shared, how="outer")
    return first
