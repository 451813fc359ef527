"""Number of CPU threads of each fit of a run.

It affects the last digits of a fit (sums are split differently), so it is part of the fit's
fingerprint and frozen with the run.
"""

from __future__ import annotations

from typing import Any

from forerun.config.engines import ENGINES
from forerun.config.windows import folds


def share(cores: int, settings: dict[str, Any]) -> int:
    """Return the threads of each fit when the fits of a run share `cores` evenly; at least 1.

    Several fits on one thread each are faster than one fit on several threads. Statistical models
    always use one thread.
    """
    models = [*settings["models"], *settings["baselines"]]
    fits = sum(not ENGINES[item["engine"]].local for item in models) * (1 + len(folds(settings)))
    return max(1, cores // fits) if fits else 1
