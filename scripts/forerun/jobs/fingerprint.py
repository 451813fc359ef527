"""Fingerprint of a fit: the sha256 of everything that determines its product.

Excluded is what cannot change the product: names of files and columns (the rows are included),
metrics, other models, operational settings, and, for the final fit, the windows. New settings are
included unless they are listed here, since training unnecessarily is the lesser error.
"""

from __future__ import annotations

import hashlib
import json
import platform
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from forerun.config import calendar, categories, models, schema, windows
from forerun.config.engines import ENGINES, versions
from forerun.forecasting import warm_start
from forerun.runs.fit import Fit

if TYPE_CHECKING:
    import pandas as pd

#: Settings that do not affect a fit, or that the fingerprint includes in another form.
NOT_SEEN = {
    *("data_file", "static_file", "futr_file", "id_col", "time_col", "target_col", "on_gaps"),
    *("on_missing_future", "tz", "decimal"),
    *("models", "baselines", "exogenous", "hist_exog", "futr_exog", "stat_exog"),
    *("preset", "metrics", "sort_metric", "ensemble", "ensemble_size"),
    *("horizon_weight", "weights_file", "metric_functions", "seeds"),
    *("interval_scale", "pretrained", "search"),
    *("n_windows", "test_size", "step_size", "refit", "warm_start"),
}
#: Packages of this library that affect products: a change in them changes all fingerprints.
DECISIVE = ("data", "forecasting")


@cache
def code() -> str:
    """Return the sha256 of the modules that prepare data and train models."""
    library, digest = Path(__file__).parents[1], hashlib.sha256()
    for path in sorted(path for folder in DECISIVE for path in library.glob(f"{folder}/**/*.py")):
        digest.update(str(path.relative_to(library)).encode() + b"\0" + path.read_bytes())
    return digest.hexdigest()


def ingredients(
    fit: Fit, settings: dict[str, Any], threads: int, data: pd.DataFrame | None = None
) -> dict[str, Any]:
    """Return everything that determines the product of a fit.

    Parameters
    ----------
    data : data of a run that is not frozen yet; by default the run's ``data.parquet``
    """
    from forerun.data.checksums import rows  # imports pandas

    spec = fit.spec(settings)
    unseen = NOT_SEEN | schema.marked("x-operational") | ENGINES[spec.engine].not_seen
    unseen |= set() if spec.info.auto else {"num_samples"}
    exogenous = models.exogenous_columns(spec, settings)
    made = set(calendar.columns(settings))
    used = [name for names in exogenous.values() for name in names]
    given = [name for kind in models.given_columns(spec, settings).values() for name in kind]
    if not {*given, *used} & set(categories.names(settings)):
        unseen |= {"categorical", "categories"}
    packages = [*ENGINES[spec.engine].packages, *spec.info.needs]
    if made & set(used):
        packages.append("holidays")
    else:
        unseen |= {"calendar"}
    columns = ["unique_id", "ds", "y", *given]
    left_out, covered = _fold(settings, fit)
    table = fit.run.data if data is None else data
    what: dict[str, Any] = {
        "stage": fit.stage,
        "model": spec.as_dict(),
        "exogenous": exogenous,
        "settings": {key: value for key, value in settings.items() if key not in unseen},
        "rows": rows(table, list(dict.fromkeys(columns)), left_out),
        "threads": threads,
        "versions": {"python": platform.python_version()} | versions(packages),
        "code": code(),
    }
    if spec.is_pretrained:  # where the weights are does not matter
        what["model"]["params"] = {k: v for k, v in spec.params.items() if k != "weights"}
        what["pretrained"] = (settings.get("pretrained") or {}).get(spec.name)
    start = warm_start.weights(fit.run.folder, settings, spec)
    what |= {"start": start} if start else {}
    return what | ({"windows": covered} if covered else {})


def _fold(settings: dict[str, Any], fit: Fit) -> tuple[int, dict[str, int]]:
    """Return the steps after the windows of a fold, and the number and spacing of its windows."""
    if fit.fold is None:
        return 0, {}
    later, number = fit.covered(settings)
    return later, {"number": number, "step_size": windows.step_size(settings)}


def key(ingredients: dict[str, Any]) -> str:
    """Return the fingerprint: the sha256 of the ingredients."""
    text = json.dumps(ingredients, sort_keys=True, default=str)
    return hashlib.sha256(text.encode()).hexdigest()
