"""Fits, the units of work: one model trained on all data, or before the windows of a fold.

Only this module knows the paths of a fit's files, and whether a fit needs work.
"""

from __future__ import annotations

import os
import re
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from forerun.base.files import modified_at
from forerun.runs.outcome import UNFINISHED, Outcome
from forerun.runs.paths import MODEL, RunPaths

if TYPE_CHECKING:
    from forerun.config.models import ModelSpec

#: Suffix of the lease on a fit.
LEASE = ".claim"
#: Suffix of the state of a network that trains.
CHECKPOINT = ".checkpoint"
#: File in the folder of a model that is the mean of others.
MEMBERS = "members.json"
_NAME = re.compile(r"final|fold_(0|[1-9][0-9]{0,5})")


@dataclass(frozen=True)
class Fit:
    """A fit: the final fit of a model, or its fit for cross-validation fold `fold`."""

    run: RunPaths
    model: str
    fold: int | None = None

    @property
    def name(self) -> str:
        """``final``, ``fold_0``, ``fold_1``..."""
        return "final" if self.fold is None else f"fold_{self.fold}"

    @property
    def words(self) -> str:
        """``final fit``, ``back-test 1``, ``back-test 2``..."""
        return "final fit" if self.fold is None else f"back-test {self.fold + 1}"

    @property
    def stage(self) -> str:
        """The rule, script and log folder: ``train_model`` or ``cross_validate``."""
        return "train_model" if self.fold is None else "cross_validate"

    @property
    def outcome_path(self) -> Path:
        """Path of the :class:`~forerun.runs.outcome.Outcome`, which is written last."""
        return self.run.folder / "parts" / self.model / f"{self.name}.json"

    @property
    def product_path(self) -> Path:
        """The trained model (a folder), or the forecasts of the fold's windows (a table)."""
        if self.fold is None:
            return self.run.model(self.model)
        return self.outcome_path.with_suffix(".parquet")

    def arguments(self) -> dict[str, Any]:
        """Return the arguments that identify the fit in a child process."""
        return {"run": str(self.run.folder), "model": self.model, "fold": self.fold}

    def spec(self, settings: Mapping[str, Any]) -> ModelSpec:
        """Return the specification of the model to fit."""
        from forerun.config.models import spec  # slow to import

        return spec(settings, self.model)

    def covered(self, settings: dict[str, Any]) -> tuple[int, int]:
        """Return the steps after the windows of a fold, and the number of its windows."""
        from forerun.config import windows

        folds, step = windows.folds(settings), windows.step_size(settings)
        own = folds[self.fold or 0]
        return (folds[-1].stop - own.stop) * step, len(own)

    def kept_path(self, table: str) -> Path:
        """Path of an additional table of the engine, ``parts/<model>/final_trials.csv``."""
        return self.outcome_path.with_name(f"{self.name}_{table}.csv")

    def kept_tables(self) -> dict[str, Path]:
        """Return the existing additional tables by name."""
        prefix = f"{self.name}_"
        paths = sorted(self.outcome_path.parent.glob(f"{prefix}*.csv"))
        return {path.stem.removeprefix(prefix): path for path in paths}

    @property
    def log_path(self) -> Path:
        return self._mirrored("logs", ".log")

    @property
    def benchmark_path(self) -> Path:
        """Benchmark file of Snakemake."""
        return self._mirrored("benchmarks", ".tsv")

    @property
    def progress_path(self) -> Path:
        """File with step and loss during training."""
        return self._mirrored("logs", ".progress.json")

    @property
    def lease_path(self) -> Path:
        """Lease of the process that trains the fit."""
        return self._mirrored("logs", LEASE)

    @property
    def checkpoint_path(self) -> Path:
        """State of the training, to resume from after a kill; removed with success."""
        return self._mirrored("logs", CHECKPOINT)

    def _mirrored(self, folder: str, ending: str) -> Path:
        number = "" if self.fold is None else f"_{self.fold}"
        return self.run.folder / folder / self.stage / f"{self.model}{number}{ending}"

    def outcome(self) -> Outcome | None:
        """Return the outcome; None if the fit has not ended or the file is damaged."""
        return Outcome.read(self.outcome_path)

    def has_product(self) -> bool:
        """Return whether the product exists; for a fold, the placeholder of a failed fit counts."""
        return (
            self.product_path.is_file() if self.fold is not None else has_model(self.product_path)
        )

    def is_completed(self) -> bool:
        """Return whether the fit succeeded and its product exists."""
        outcome = self.outcome()
        return outcome is not None and outcome.is_ok and self.has_product()

    def needs_retry(self) -> bool:
        """Return whether the fit has ended without being completed.

        It failed, or its product or a readable outcome no longer exists.
        """
        return self.outcome_path.exists() and not self.is_completed()

    def failures(self, among: Collection[str] | None = None) -> int:
        """Return the number of consecutive failures; 0 if the last error is not `among`.

        Parameters
        ----------
        among : classes of errors; all by default
        """
        outcome = self.outcome()
        if outcome is None or outcome.status not in UNFINISHED:
            return 0
        kind = outcome.error.kind if outcome.error else ""
        return outcome.attempts if among is None or kind in among else 0


def fits(run: RunPaths, settings: dict[str, Any], model: str | None = None) -> list[Fit]:
    """Return all fits of a run, or those of one model: the final fit, then the folds.

    Parameters
    ----------
    settings : the frozen settings of the run
    """
    from forerun.config import windows  # slow to import with the models
    from forerun.config.models import specs

    folds = [None, *range(len(windows.folds(settings)))]
    names = [spec.name for spec in specs(settings) if model in (None, spec.name)]
    return [Fit(run, name, fold) for name in names for fold in folds]


def recorded_fits(run: RunPaths) -> Iterator[Fit]:
    """Yield the fits with an outcome, sorted by name, from the folder alone."""
    for path in sorted(run.folder.glob("parts/*/*.json")):
        model, name = path.parent.name, _NAME.fullmatch(path.stem)
        if name and re.fullmatch(MODEL, model):
            yield Fit(run, model, int(name[1]) if name[1] else None)


def completed_outputs(run: RunPaths) -> list[str]:
    """Return the outputs of completed fits, relative to the run.

    For example ``models/NHITS``, ``parts/NHITS/final.json``, ``parts/NHITS/fold_0.parquet``.
    """
    completed = [fit for fit in recorded_fits(run) if fit.is_completed()]
    paths = [path for fit in completed for path in (fit.outcome_path, fit.product_path)]
    return [path.relative_to(run.folder).as_posix() for path in paths]


def unfinished_models(
    run: RunPaths, since: float = 0, statuses: Collection[str] = UNFINISHED
) -> dict[str, str]:
    """Return the models with a fit in one of `statuses`, each with the reason.

    Parameters
    ----------
    since : ignore fits that ended before this time (seconds since 1970)
    """
    found: dict[str, str] = {}
    for fit in recorded_fits(run):
        outcome = fit.outcome()
        recent = modified_at(fit.outcome_path) >= since
        if recent and outcome and outcome.status in statuses:
            found.setdefault(fit.model, outcome.reason)
    return found


def has_model(folder: str | Path) -> bool:
    """Return whether a folder contains a model; the folder of a failed model is empty.

    Hidden files are ignored: Snakemake stores the time of a folder in one.
    """
    try:
        return any(not name.startswith(".") for name in os.listdir(folder))
    except (FileNotFoundError, NotADirectoryError):
        return False
