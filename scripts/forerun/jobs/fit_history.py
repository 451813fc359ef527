"""History of earlier fits: estimates of memory and duration for new fits of the same kind.

Estimated from the benchmark files of the newest runs in a folder. Fits of the same kind have the
same model class, arguments and sizes of windows and batches, and data of about the same size. The
number of training steps affects duration, not memory.
"""

from __future__ import annotations

import heapq
import json
import os
import statistics
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from forerun.base.errors import UserError
from forerun.base.files import modified_at
from forerun.base.resources import DATA
from forerun.config import windows
from forerun.config.engines import ENGINES
from forerun.config.frozen import read_frozen
from forerun.config.models import ModelSpec, exogenous_columns, specs
from forerun.config.presets import FEWEST_STEPS, PRESETS, Timings
from forerun.jobs.benchmark_files import read_benchmark
from forerun.runs.fit import fits
from forerun.runs.paths import RunPaths, run_folders

#: Number of newest runs to use: enough for estimates, and fast with thousands of runs.
NEWEST = 20
#: Sizes of data are similar up to this factor.
SIMILAR = 2.0
#: Requested memory: the earlier maximum times a factor, plus MB. A job that imports the libraries
#: itself needs more than a forked one, and on a cluster its Snakemake counts as well.
MARGIN, MORE = 1.25, 500
#: Error classes of fits that may succeed with more memory.
OF_MEMORY = ("ProcessKilled", "MemoryError", "JobKilled")
#: Arguments of a model that affect neither memory nor the duration of a step.
_HARMLESS = ("max_steps", "learning_rate", "random_seed", "early_stop_patience_steps")
#: Number of windows in a batch of the presets' networks.
BATCH = int(PRESETS["best"]["windows_batch_size"])
#: Settings that determine the size of a fit.
_SIZES = (
    *("horizon", "gap", "input_size", "windows_batch_size", "batch_size", "precision"),
    *("accelerator", "num_samples", "season_length"),
)


@dataclass(frozen=True)
class Cost:
    """Cost of a successful fit.

    Attributes
    ----------
    kind : see :func:`kind`
    windows : number of windows of the fold; 0 for the final fit
    steps : number of training steps
    size : size of the run's configuration and data in MB
    seconds, memory : duration, and peak memory in MB or None if unknown
    data_file : path of the table that the run was created from
    """

    kind: str
    windows: int
    steps: int
    size: float
    seconds: float
    memory: float | None
    data_file: str | None = None


def kind(spec: ModelSpec, settings: dict[str, Any]) -> str:
    """Return the kind of a fit as a string: fits of a kind need similar memory for similar data."""
    sizes = [name for name in _SIZES if name not in ENGINES[spec.engine].not_seen]
    columns = exogenous_columns(spec, settings)
    what = {
        "model": [spec.engine, spec.model],
        "params": {name: spec.params[name] for name in spec.params if name not in _HARMLESS},
        "exogenous": {kind: len(names) for kind, names in columns.items()},
        "settings": {name: settings.get(name) for name in sizes},
    }
    return json.dumps(what, sort_keys=True, default=str)


def steps(spec: ModelSpec, settings: dict[str, Any]) -> int:
    """Return the number of training steps of a model; 1 if it is not trained in steps."""
    engine = ENGINES[spec.engine]
    trains = engine.networks and not engine.pretrained
    return int(spec.params.get("max_steps") or (settings["max_steps"] if trains else 1))


def size(folder: str | Path) -> float:
    """Return the size of a run's configuration and data in MB."""
    paths = RunPaths(Path(folder))
    return (os.path.getsize(paths.config) + os.path.getsize(paths.data)) / 1024**2


def costs(runs: str | Path, newest: int = NEWEST) -> list[Cost]:
    """Return the costs of the fits of the `newest` runs, without reused fits."""
    entries = run_folders(runs)
    latest = heapq.nlargest(newest, entries, key=lambda entry: modified_at(Path(entry.path)))
    return [cost for entry in latest for cost in _of_run(Path(entry.path))]


def _of_run(folder: Path) -> Iterator[Cost]:
    paths = RunPaths(folder)
    try:
        settings, megabytes = read_frozen(paths.config), size(folder)
        for spec in (spec for spec in specs(settings) if not spec.members):
            like, length = kind(spec, settings), steps(spec, settings)
            for fit in fits(paths, settings, spec.name):
                outcome = fit.outcome()
                if outcome is None or not outcome.is_ok or outcome.reused_from:
                    continue
                covered = 0 if fit.fold is None else len(windows.folds(settings)[fit.fold])
                memory = read_benchmark(fit.benchmark_path).get("peak_memory_mb")
                yield Cost(
                    like, covered, length, megabytes, outcome.seconds, memory, settings["data_file"]
                )
    except (UserError, OSError, LookupError, TypeError, ValueError):
        return  # not started, of another version, or damaged


def timings(runs: str | Path, data_file: str | None, batch: int = BATCH) -> Timings:
    """Return the times of earlier fits by class of the model, each the median.

    The time of a fit includes preparing the data and forecasting.

    Parameters
    ----------
    data_file : table of the new run, the shipped one if None. Only fits on the same file count for
        models other than networks, whose steps take about the same time on any data.
    batch : number of windows in a batch; fits of networks with others are not used
    """
    steps: dict[str, list[float]] = {}
    fits: dict[str, list[float]] = {}
    same = str(Path(str(data_file or DATA)).absolute())
    for cost in costs(runs):
        what = json.loads(cost.kind)
        engine, model = what["model"]
        size = what["params"].get("windows_batch_size", what["settings"].get("windows_batch_size"))
        if ENGINES[engine].networks:
            if size == batch and cost.steps >= FEWEST_STEPS:
                steps.setdefault(model, []).append(cost.seconds / cost.steps)
        elif cost.data_file == same and not cost.windows and not what["params"]:
            fits.setdefault(model, []).append(cost.seconds)
    return Timings(*({m: statistics.median(v) for m, v in each.items()} for each in (steps, fits)))


def memory(earlier: Collection[Cost], kind: str, size: float) -> int | None:
    """Return the MB to request for a fit of a kind on data of `size` MB.

    This is the maximum of similar fits plus a margin; None if there are none.
    """
    needed = [cost.memory for cost in earlier if cost.memory and _alike(cost, kind, size)]
    return round(max(needed) * MARGIN + MORE) if needed else None


def seconds(
    earlier: Collection[Cost], kind: str, size: float, windows: int, steps: int
) -> float | None:
    """Estimate the seconds of a fit; None without similar fits.

    The similar fit with the nearest number of steps is scaled to the number of steps.
    """
    alike = [each for each in earlier if each.windows == windows and _alike(each, kind, size)]
    if not alike:
        return None
    nearest = min(alike, key=lambda cost: abs(cost.steps - steps))
    return nearest.seconds * steps / nearest.steps


def _alike(cost: Cost, kind: str, size: float) -> bool:
    return cost.kind == kind and size <= SIMILAR * cost.size and cost.size <= SIMILAR * size
