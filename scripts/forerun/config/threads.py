"""Number of CPU threads of each fit of a run.

It affects the last digits of a fit (sums are split differently), so it is part of the fit's
fingerprint and frozen with the run.
"""

from __future__ import annotations

from typing import Any

from forerun.config.engines import ENGINES
from forerun.config.search import studies
from forerun.config.windows import folds


def share(cores: int, settings: dict[str, Any]) -> int:
    """Return the threads of each fit when the fits of a run share `cores` evenly; at least 1.

    Several fits on one thread each are faster than one fit on several threads. Statistical models,
    which take seconds, count only in a run without networks: there each divides its
    series among as many processes.
    """
    models = [*settings["models"], *settings["baselines"]]
    networks = [item for item in models if not ENGINES[item["engine"]].local]
    fits = len(networks or models) * (1 + len(folds(settings)))
    searched = [s for s in studies(settings) if not (networks and ENGINES[s.base.engine].local)]
    fits += sum(study.rounds[0] for study in searched)
    return max(1, cores // fits) if fits else 1
