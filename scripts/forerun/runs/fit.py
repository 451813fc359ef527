"""A fit: one model of a run, fitted to all data or, for a back-test, before the windows of a fold.

It is the unit of work. This module alone knows where its files lie, and whether it needs work.
"""

from __future__ import annotations

import os
import re
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from forerun.runs.outcome import UNFINISHED, Outcome
from forerun.runs.paths import MODEL, RunPaths

#: Rules whose jobs are fits; those of models that take seconds have other priorities.
RULES = ("train_model", "cross_validate", "train_baseline", "cross_validate_baseline")
#: Ending of the file that says who is training a fit.
LEASE = ".claim"
_NAME = re.compile(r"final|fold_(0|[1-9][0-9]{0,5})")


@dataclass(frozen=True)
class Fit:
    """One fit of a run: the final one of a model, or the one for cross-validation fold `fold`."""

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
        """Where :class:`~forerun.runs.outcome.Outcome` is written, last of all."""
        return self.run.folder / "parts" / self.model / f"{self.name}.json"

    @property
    def product_path(self) -> Path:
        """The fitted model (a folder), or the forecasts of the fold's windows (a table)."""
        if self.fold is None:
            return self.run.model(self.model)
        return self.outcome_path.with_suffix(".parquet")

    def kept_path(self, table: str) -> Path:
        """Where a table lies that the engine wants kept: ``parts/<model>/final_trials.csv``."""
        return self.kept_prefix.with_name(f"{self.name}_{table}.csv")

    @property
    def kept_prefix(self) -> Path:
        return self.outcome_path.with_suffix("")

    @property
    def log_path(self) -> Path:
        return self._mirrored("logs", ".log")

    @property
    def benchmark_path(self) -> Path:
        """What Snakemake measured."""
        return self._mirrored("benchmarks", ".tsv")

    @property
    def progress_path(self) -> Path:
        """Step and loss while it is trained."""
        return self._mirrored("logs", ".progress.json")

    @property
    def lease_path(self) -> Path:
        """Who is training it."""
        return self._mirrored("logs", LEASE)

    def _mirrored(self, folder: str, ending: str) -> Path:
        number = "" if self.fold is None else f"_{self.fold}"
        return self.run.folder / folder / self.stage / f"{self.model}{number}{ending}"

    def outcome(self) -> Outcome | None:
        """Read what became of it; None if it has not ended, or if that is damaged."""
        return Outcome.read(self.outcome_path)

    def has_product(self) -> bool:
        """Return whether there is a product; the placeholder of a failed fit is not one."""
        return (
            self.product_path.is_file() if self.fold is not None else has_model(self.product_path)
        )

    def is_completed(self) -> bool:
        """Tell whether nothing is left to do: it was successful, and its product exists."""
        outcome = self.outcome()
        return outcome is not None and outcome.is_ok and self.has_product()

    def failures(self, among: Collection[str] | None = None) -> int:
        """Return how many times in a row it has failed; 0 if the last failure is not `among`.

        Parameters
        ----------
        among : classes of errors; all if not given
        """
        outcome = self.outcome()
        if outcome is None or outcome.status not in UNFINISHED:
            return 0
        kind = outcome.error.kind if outcome.error else ""
        return outcome.attempts if among is None or kind in among else 0


def fits(run: RunPaths, settings: dict[str, Any], model: str | None = None) -> list[Fit]:
    """Return all fits of a run, or those of a model: the final one, then its folds.

    Parameters
    ----------
    settings : the frozen settings of the run
    """
    from forerun.config import windows  # with the models it is much to import for a look at files
    from forerun.config.models import specs

    folds = [None, *range(len(windows.folds(settings)))]
    names = [spec.name for spec in specs(settings) if model in (None, spec.name)]
    return [Fit(run, name, fold) for name in names for fold in folds]


def recorded_fits(run: RunPaths) -> Iterator[Fit]:
    """Yield the fits with an outcome, by name: read from the folder, without the settings."""
    for path in sorted(run.folder.glob("parts/*/*.json")):
        model, found = path.parent.name, _NAME.fullmatch(path.stem)
        if found and re.fullmatch(MODEL, model):
            yield Fit(run, model, int(found[1]) if found[1] else None)


def completed_outputs(run: RunPaths) -> list[str]:
    """Return the outputs of completed fits, relative to the run; they are never made again.

    For example ``models/NHITS``, ``parts/NHITS/final.json``, ``parts/NHITS/fold_0.parquet``.
    """
    completed = [fit for fit in recorded_fits(run) if fit.is_completed()]
    paths = [path for fit in completed for path in (fit.outcome_path, fit.product_path)]
    return [path.relative_to(run.folder).as_posix() for path in paths]


def unfinished_models(
    run: RunPaths, since: float = 0, statuses: Collection[str] = UNFINISHED
) -> dict[str, str]:
    """Return the models with a fit that has one of the `statuses`, each with the reason.

    Parameters
    ----------
    since : leave out fits that ended before (seconds since 1970)
    """
    found: dict[str, str] = {}
    for fit in recorded_fits(run):
        outcome = fit.outcome()
        recent = fit.outcome_path.stat().st_mtime >= since
        if recent and outcome and outcome.status in statuses:
            found.setdefault(fit.model, outcome.reason)
    return found


def has_model(folder: str | Path) -> bool:
    """Tell whether a model's folder holds one; that of a failed model is empty.

    Snakemake keeps the time of a folder in a hidden file in it.
    """
    try:
        return any(not name.startswith(".") for name in os.listdir(folder))
    except (FileNotFoundError, NotADirectoryError):
        return False
