"""The number of CPU threads of each fit of a run.

The number changes the last digits of what is trained (sums are split differently), so it is part of
what identifies a fit and is frozen with the run: it is never chosen while the run is under way.
"""

from __future__ import annotations

from typing import Any

from forerun.config.engines import ENGINES
from forerun.config.windows import folds


def share(cores: int, settings: dict[str, Any]) -> int:
    """Return the threads of each fit when the fits of a run share `cores` evenly; at least 1.

    One thread each where there are as many fits as cores: fits side by side do more than one fit on
    several cores. Statistical models take one thread whatever they are given.
    """
    models = [*settings["models"], *settings["baselines"]]
    fits = sum(not ENGINES[item["engine"]].local for item in models) * (1 + len(folds(settings)))
    return max(1, cores // fits) if fits else 1
