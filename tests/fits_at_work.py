"""A run in progress as written by its jobs, for tests of the progress display."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

from synthetic import make_run

from forerun.base.files import write_json
from forerun.runs.fit import Fit
from forerun.runs.paths import RunPaths
from forerun.runs.progress import WAITING, FitState, Progress, survey


def make_run_at_work(runs: Path) -> Path:
    """Return a run: NBEATS trains, NHITS waits, LSTM has failed, the baselines are done."""
    folder = make_run(runs, series=1, failed=["LSTM"], sealed=False)
    for part in ("NBEATS/final", "NHITS/final", "NHITS/fold_0"):
        (folder / "parts" / f"{part}.json").unlink()
    report_progress(folder, "NBEATS")
    return folder


def report_progress(folder: Path, model: str, **state: Any) -> None:
    """Write the progress file of a training job."""
    state = {"step": 20, "max_steps": 50, "loss": 0.25, "elapsed": 8.0} | state
    labels = {"run": folder.name, "model": model, "stage": "train_model"}
    path = Fit(RunPaths(folder), model).progress_path
    write_json(path, labels | state | {"updated_at": time.time()})


def state_of_fit(model: str, fold: int | None, state: str = WAITING, **progress: Any) -> FitState:
    return FitState(Fit(RunPaths(Path("exp1")), model, fold), state, Progress(**progress))


def by_fit(folder: Path, since: float = 0.0) -> dict[tuple[str, str], FitState]:
    return {(each.fit.model, each.fit.name): each for each in survey(folder, since)}
