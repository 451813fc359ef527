"""Jobs that forecast with the models of a run, in a child process and on a GPU if they use one."""

from __future__ import annotations

from typing import Any

from forerun.base.garbage import end_fast
from forerun.base.parent import end_with_parent
from forerun.config.engines import ENGINES
from forerun.config.frozen import read_frozen
from forerun.config.models import specs
from forerun.jobs import child_task, gpus


def perform(
    function: str,
    config: str,
    log: str,
    log_file: str | None = None,
    threads: int = 1,
    gpu_jobs: int = 1,
    **arguments: Any,
) -> None:
    """Call a function of :mod:`forerun.forecasting.predict` in a child (:func:`.child_task.call`).

    With `shards`, only multivariate models still have to be loaded.
    """
    end_with_parent()
    end_fast()
    settings = read_frozen(config)
    shards = arguments.get("shards")
    models = [spec for spec in specs(settings) if not shards or spec.info.multivariate]
    uses_gpu = any(gpus.are_used(settings, spec) for spec in models)
    with gpus.slot(gpu_jobs * uses_gpu) as variables:
        task = child_task.Task(
            f"forerun.forecasting.predict:{function}",
            {"config": config, **arguments},
            imports=[
                "forerun.forecasting.training",
                *dict.fromkeys(ENGINES[spec.engine].module for spec in models),
            ],
            threads=threads,
            log_file=log_file,
            variables=variables,
        )
        child_task.call(task, log)
