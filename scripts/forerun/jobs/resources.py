"""Resources of jobs: memory, runtime, GPUs; and the order of fits.

Memory is estimated from earlier fits of the same kind, otherwise from the libraries and several
copies of the data. Each retry requests more.
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from typing import Any

from forerun.config.engines import ENGINES
from forerun.config.frozen import read_frozen
from forerun.config.models import ModelSpec, specs
from forerun.jobs import fit_history, gpus
from forerun.runs import state
from forerun.runs.paths import RunPaths

#: MB of the forecasting libraries, and number of copies of the data in memory.
LIBRARIES, COPIES = 1500, 20
#: MB of a job that reads the tables of a model, and of one that reads all of a small run.
COLLECTING, TABLES = 1000, 2000
#: Maximum number of times that memory is doubled.
DOUBLINGS = 4
#: Default minutes of a fit, and maximum of a fast one.
LONG, LONGEST = 120, 24 * 60
#: Work of a training step by family of networks, roughly, relative to one of NHITS; that of most
#: other families; and steps before the data that they depend on are read.
STEP, USUAL_STEP, STEPS = {"linear": 0.1, "mlp": 1.0}, 3.0, 300
#: Work of a model that is not a network, and number of such fits in an automatic one.
LITTLE, SEARCHED = 1.0, 10


def usual_memory(megabytes: float, attempt: int = 1) -> int:
    """Return the MB of a job by the size of its data in MB, doubled on each retry."""
    return int(LIBRARIES + COPIES * megabytes) * 2 ** (attempt - 1)


def collecting_memory(megabytes: float, attempt: int = 1) -> int:
    """Return the MB of a job that collects the fits of a model on data of a size in MB."""
    return int(COLLECTING + COPIES * megabytes) * 2 ** (attempt - 1)


def tables_memory(megabytes: float, attempt: int = 1) -> int:
    """Return the MB of a job that scores, draws or reports a run with data of a size in MB."""
    return max(TABLES, usual_memory(megabytes, attempt))


def shard_memory(megabytes: float, shards: int, attempt: int) -> int:
    """Return the MB of a job for one of `shards` shards of data of a size in MB."""
    return int((LIBRARIES + COPIES * megabytes / shards) * attempt)


def fit_memory(
    earlier: Collection[Any], kind: str, megabytes: float, attempt: int, failures: int
) -> int:
    """Return the MB of a fit, estimated from similar earlier fits if there are any.

    Parameters
    ----------
    earlier : costs of earlier fits, see :func:`forerun.jobs.fit_history.memory`
    failures : number of times that the fit has failed for lack of memory
    """
    estimate = fit_history.memory(earlier, kind, megabytes)
    doublings = min(attempt - 1 + failures, DOUBLINGS)
    return (estimate or usual_memory(megabytes)) * 2**doublings


def fit_minutes(max_time: float | None, is_fast: bool, megabytes: float, attempt: int) -> int:
    """Return the minutes of a fit: a little more than `max_time`, if given.

    Statistical models (`is_fast`) take seconds, or minutes for many series.
    """
    if max_time:
        return int(max_time / 60) + 5
    return (min(10 + int(60 * megabytes), LONGEST) if is_fast else LONG) * attempt


def fit_priority(spec: ModelSpec, settings: dict[str, Any], is_final: bool) -> float:
    """Return the priority of a fit among the fits of a run: the highest starts first.

    Fast models come before others, and cross-validation before final fits. In cross-validation
    little work comes first, so that errors are seen early; among final fits much work, so that the
    last ones end at about the same time.
    """
    work = _work(spec, settings)
    share = work / (work + 1000)
    return 10 * ENGINES[spec.engine].local + round(share if is_final else 2 - share, 3)


def _work(spec: ModelSpec, settings: dict[str, Any]) -> float:
    """Return a rough measure of the work of a fit, comparable among models."""
    if not spec.is_network:
        return LITTLE * (SEARCHED if spec.model.startswith("Auto") else 1)
    if spec.members:
        return 0.0
    trials = spec.params.get("num_samples", settings["num_samples"]) if spec.info.auto else 1
    known = settings | {"max_steps": settings["max_steps"] or STEPS}
    return int(trials) * STEP.get(spec.info.family, USUAL_STEP) * fit_history.steps(spec, known)


def kinds(run: RunPaths, settings: dict[str, Any]) -> dict[str, str]:
    """Return the kind of fit for each model, from the frozen settings once they exist."""
    frozen = read_frozen(run.config) if state.is_frozen(run.folder) else settings
    return {spec.name: fit_history.kind(spec, frozen) for spec in specs(settings)}


def needs_gpu(
    settings: dict[str, Any], models: Collection[ModelSpec], has_gpus: Callable[[], bool]
) -> bool:
    """Return whether a job with these models requests a GPU.

    Parameters
    ----------
    has_gpus : whether the job runs on this machine and it has GPUs, which ``accelerator: auto``
        uses; on a cluster a GPU is requested only with ``accelerator: gpu``
    """
    used = [spec for spec in models if gpus.are_used(settings, spec)]
    sure = [s for s in used if s.params.get("accelerator", settings["accelerator"]) == "gpu"]
    return bool(sure or (used and has_gpus()))


def uses_gpus(settings: dict[str, Any]) -> bool:
    """Return whether any model of a run may use a GPU."""
    return any(gpus.are_used(settings, spec) for spec in specs(settings))
