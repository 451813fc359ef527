"""What earlier fits cost: the memory and the time that the next one of the same kind will take.

Learned from the benchmark files of the newest runs in a folder. A fit is compared with fits of the
same kind: the same class of model with the same arguments and sizes of windows and batches, on data
of about the same size. Steps of training change the time, not the memory.
"""

from __future__ import annotations

import heapq
import json
import os
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from forerun.base.errors import UserError
from forerun.config import windows
from forerun.config.engines import ENGINES
from forerun.config.frozen import read_frozen
from forerun.config.models import ModelSpec, exogenous_columns, specs
from forerun.jobs.benchmark_files import read_benchmark
from forerun.runs.fit import fits
from forerun.runs.paths import RunPaths, run_folders

#: How many runs are looked at, the newest: enough to learn from, and cheap beside thousands.
NEWEST = 20
#: Data are of about the same size up to this factor.
SIMILAR = 2.0
#: What is asked for beyond what was needed before: a part of it, and MB. A job that imports the
#: libraries itself needs more than one that was forked, and on a cluster its Snakemake counts too.
MARGIN, MORE = 1.25, 500
#: Classes of failures that more memory may help against.
OF_MEMORY = ("ProcessKilled", "MemoryError", "JobKilled")
#: Arguments of a model that change neither the memory nor the time of a step.
_HARMLESS = ("max_steps", "learning_rate", "random_seed", "early_stop_patience_steps")
#: Settings that decide how large a fit is.
_SIZES = (
    *("horizon", "gap", "input_size", "windows_batch_size", "batch_size", "precision"),
    *("accelerator", "num_samples", "season_length"),
)


@dataclass(frozen=True)
class Cost:
    """What a fit that succeeded took.

    Attributes
    ----------
    kind : see :func:`kind`
    windows : how many windows it was cross-validated on; 0 for the final fit
    steps : of training
    size : of the run's configuration and data, in MB
    seconds, memory : what it took; memory in MB, None where nothing was measured
    """

    kind: str
    windows: int
    steps: int
    size: float
    seconds: float
    memory: float | None


def kind(spec: ModelSpec, settings: dict[str, Any]) -> str:
    """Return, as text, what fits have in common that need the same memory for the same data."""
    sizes = [name for name in _SIZES if name not in ENGINES[spec.engine].not_seen]
    columns = exogenous_columns(spec, settings)
    what = {
        "model": [spec.engine, spec.model],
        "params": {name: spec.params[name] for name in spec.params if name not in _HARMLESS},
        "exogenous": {name: len(found) for name, found in columns.items()},
        "settings": {name: settings.get(name) for name in sizes},
    }
    return json.dumps(what, sort_keys=True, default=str)


def steps(spec: ModelSpec, settings: dict[str, Any]) -> int:
    """Return the number of training steps of a model."""
    return int(spec.params.get("max_steps") or settings["max_steps"])


def size(folder: str | Path) -> float:
    """Return the size of a run's configuration and data: what a fit reads, in MB."""
    paths = RunPaths(Path(folder))
    return (os.path.getsize(paths.config) + os.path.getsize(paths.data)) / 1024**2


def costs(runs: str | Path, newest: int = NEWEST) -> list[Cost]:
    """Return what the fits of the `newest` runs took, without those reused from other runs."""
    entries = run_folders(runs)
    latest = heapq.nlargest(newest, entries, key=lambda entry: entry.stat().st_mtime)
    return [cost for entry in latest for cost in _of_run(Path(entry.path))]


def _of_run(folder: Path) -> Iterator[Cost]:
    paths = RunPaths(folder)
    try:
        settings, megabytes = read_frozen(paths.config), size(folder)
        for spec in specs(settings):
            like = kind(spec, settings), steps(spec, settings)
            for fit in fits(paths, settings, spec.name):
                outcome = fit.outcome()
                if outcome is None or not outcome.is_ok or outcome.reused_from:
                    continue
                covered = 0 if fit.fold is None else len(windows.folds(settings)[fit.fold])
                memory = read_benchmark(fit.benchmark_path).get("peak_memory_mb")
                yield Cost(like[0], covered, like[1], megabytes, outcome.seconds, memory)
    except (UserError, OSError, LookupError, TypeError, ValueError):
        return  # not started, of another version, or damaged: nothing more to learn here


def memory(earlier: Collection[Cost], kind: str, size: float) -> int | None:
    """Return the MB that a fit of a kind, on data of `size` MB, is to ask for.

    That is the most that one like it has needed, and a margin; None if there was none.
    """
    needed = [cost.memory for cost in earlier if cost.memory and _alike(cost, kind, size)]
    return round(max(needed) * MARGIN + MORE) if needed else None


def seconds(
    earlier: Collection[Cost], kind: str, size: float, windows: int, steps: int
) -> float | None:
    """Return how long a fit will take; None if there was none like it.

    Of those like it the one with the nearest number of steps counts, in proportion to the steps.
    """
    alike = [each for each in earlier if each.windows == windows and _alike(each, kind, size)]
    if not alike:
        return None
    nearest = min(alike, key=lambda cost: abs(cost.steps - steps))
    return nearest.seconds * steps / nearest.steps


def _alike(cost: Cost, kind: str, size: float) -> bool:
    return cost.kind == kind and size <= SIMILAR * cost.size and cost.size <= SIMILAR * size
