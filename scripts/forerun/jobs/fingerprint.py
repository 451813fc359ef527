"""What determines the product of a fit, as one sha256: the same identity, the same product.

Left out is what cannot change it: names of files and columns (the rows themselves count), metrics,
the other models, how the run is carried out, and, for the final fit, everything about windows. A
new setting counts until it is listed here: training once too often is the smaller mistake.
"""

from __future__ import annotations

import hashlib
import json
import platform
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from forerun.config import schema, windows
from forerun.config.engines import ENGINES, versions
from forerun.config.models import ModelSpec, exogenous_columns
from forerun.data.checksums import rows

if TYPE_CHECKING:
    import pandas as pd

#: Settings that a fit does not see, or that stand in the identity in another form.
NOT_SEEN = {
    *("data_file", "static_file", "futr_file", "id_col", "time_col", "target_col", "on_gaps"),
    *("on_missing_future", "tz", "decimal"),
    *("models", "baselines", "exogenous", "hist_exog", "futr_exog", "stat_exog"),
    *("metrics", "sort_metric", "ensemble", "ensemble_size"),
    *("n_windows", "test_size", "step_size", "refit"),
}
#: Folders of this library that decide what a fit gives: a change in them makes every fit a new one.
DECISIVE = ("data", "forecasting")


@cache
def code() -> str:
    """Return the sha256 of the modules that prepare data and fit."""
    library, digest = Path(__file__).parents[1], hashlib.sha256()
    for path in sorted(path for folder in DECISIVE for path in library.glob(f"{folder}/**/*.py")):
        digest.update(str(path.relative_to(library)).encode() + b"\0" + path.read_bytes())
    return digest.hexdigest()


def ingredients(
    settings: dict[str, Any],
    spec: ModelSpec,
    data: str | Path | pd.DataFrame,
    fold: int | None,
    threads: int,
) -> dict[str, Any]:
    """Return all that determines a fit: the final one, or that of cross-validation fold `fold`."""
    unseen = NOT_SEEN | schema.marked("x-operational") | ENGINES[spec.engine].not_seen
    unseen |= set() if spec.info.auto else {"num_samples"}
    exogenous = exogenous_columns(spec, settings)
    columns = ["unique_id", "ds", "y", *(name for names in exogenous.values() for name in names)]
    left_out, covered = _fold(settings, fold)
    what: dict[str, Any] = {
        "stage": "train_model" if fold is None else "cross_validate",
        "model": spec.as_dict(),
        "exogenous": exogenous,
        "settings": {key: value for key, value in settings.items() if key not in unseen},
        "rows": rows(data, list(dict.fromkeys(columns)), left_out),
        "threads": threads,
        "versions": {"python": platform.python_version()} | versions(ENGINES[spec.engine].packages),
        "code": code(),
    }
    return what | ({"windows": covered} if covered else {})


def _fold(settings: dict[str, Any], fold: int | None) -> tuple[int, dict[str, int]]:
    """Return the steps after the windows of a fold, and how many windows it has how far apart."""
    if fold is None:
        return 0, {}
    folds, step = windows.folds(settings), windows.step_size(settings)
    later = (folds[-1].stop - folds[fold].stop) * step
    return later, {"number": len(folds[fold]), "step_size": step}


def key(ingredients: dict[str, Any]) -> str:
    """Return the identity: the sha256 of the ingredients."""
    text = json.dumps(ingredients, sort_keys=True, default=str)
    return hashlib.sha256(text.encode()).hexdigest()
