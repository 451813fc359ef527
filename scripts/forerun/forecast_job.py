"""A job that forecasts with the models of a run: in a child, on a GPU where they use one."""

from __future__ import annotations

from typing import Any

from forerun import devices, isolate
from forerun.engines.base import MODULES
from forerun.frozen import read_frozen
from forerun.models import specs


def perform(
    function: str,
    config: str,
    log: str,
    log_file: str | None = None,
    threads: int = 1,
    gpu_jobs: int = 1,
    **arguments: Any,
) -> None:
    """Call a function of :mod:`forerun.predict` in a child; see :func:`forerun.isolate.call`.

    Where there are `shards` only models that forecast all series at once are left to be loaded.
    """
    settings = read_frozen(config)
    shards = arguments.get("shards")
    models = [spec for spec in specs(settings) if not shards or spec.info.multivariate]
    uses_gpu = any(devices.are_used(settings, spec) for spec in models)
    with devices.slot(gpu_jobs * uses_gpu) as variables:
        isolate.call(
            f"forerun.predict:{function}",
            {"config": config, **arguments},
            log=log,
            imports=["forerun.training", *dict.fromkeys(MODULES[spec.engine] for spec in models)],
            threads=threads,
            log_file=log_file,
            variables=variables,
        )
