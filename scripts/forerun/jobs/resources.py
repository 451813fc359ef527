"""What a job asks Snakemake for: memory, minutes, GPUs.

Memory is that of earlier fits of the same kind where there are any; without them it is what the
libraries need and several copies of the data. Each retry asks for more.
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from typing import Any

from forerun.config.frozen import read_frozen
from forerun.config.models import ModelSpec, specs
from forerun.jobs import fit_history, gpus
from forerun.runs import state
from forerun.runs.paths import RunPaths

#: MB that the forecasting libraries need, and copies of the data that a job holds.
LIBRARIES, COPIES = 1500, 20
#: Memory is doubled at most this many times.
DOUBLINGS = 4
#: Minutes of a fit that is not known to be short, and the most of one that is.
LONG, LONGEST = 120, 24 * 60


def usual_memory(megabytes: float, attempt: int = 1) -> int:
    """Return the MB of a job on data of so many MB; twice as much on each retry."""
    return int(LIBRARIES + COPIES * megabytes) * 2 ** (attempt - 1)


def shard_memory(megabytes: float, shards: int, attempt: int) -> int:
    """Return the MB of a job on one of the shards of data of so many MB."""
    return int((LIBRARIES + COPIES * megabytes / shards) * attempt)


def fit_memory(
    earlier: Collection[Any], kind: str, megabytes: float, attempt: int, failures: int
) -> int:
    """Return the MB of a fit, learnt from earlier ones where there is one like it.

    Parameters
    ----------
    earlier : the fits to learn from, see :func:`forerun.jobs.fit_history.memory`
    failures : how often the fit has failed for want of memory
    """
    learnt = fit_history.memory(earlier, kind, megabytes)
    doublings = min(attempt - 1 + failures, DOUBLINGS)
    return (learnt or usual_memory(megabytes)) * 2**doublings


def fit_minutes(max_time: float | None, is_fast: bool, megabytes: float, attempt: int) -> int:
    """Return the minutes of a fit: a little more than `max_time` where it is given.

    Statistical models (`is_fast`) take seconds, and minutes where there are many series.
    """
    if max_time:
        return int(max_time / 60) + 5
    return (min(10 + int(60 * megabytes), LONGEST) if is_fast else LONG) * attempt


def kinds(run: RunPaths, settings: dict[str, Any]) -> dict[str, str]:
    """Return the kind of fit of each model; a new run's data may have decided on `settings`."""
    found = read_frozen(run.config) if state.is_frozen(run.folder) else settings
    return {spec.name: fit_history.kind(spec, found) for spec in specs(settings)}


def needs_gpu(
    settings: dict[str, Any], models: Collection[ModelSpec], has_gpus: Callable[[], bool]
) -> bool:
    """Tell whether a job with these models asks for a GPU.

    Parameters
    ----------
    has_gpus : whether the job runs on this machine and it has GPUs: ``accelerator: auto`` takes
        those; a cluster is asked for one only if the configuration says ``gpu``
    """
    used = [spec for spec in models if gpus.are_used(settings, spec)]
    sure = [s for s in used if s.params.get("accelerator", settings["accelerator"]) == "gpu"]
    return bool(sure or (used and has_gpus()))


def uses_gpus(settings: dict[str, Any]) -> bool:
    """Tell whether a model of a run may use a GPU."""
    return any(gpus.are_used(settings, spec) for spec in specs(settings))
