"""What determines the product of a fit, as one sha256: the same identity, the same product.

Left out is what cannot change it: names of files and columns (the rows themselves count), metrics,
the other models, how the run is carried out, and, for the final fit, everything about windows. A
new setting counts until it is listed here: training once too often is the smaller mistake.
"""

from __future__ import annotations

import hashlib
import json
import platform
import re
from functools import cache
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING, Any

from forerun import schema, windows
from forerun.bounded import Damaged
from forerun.models import ModelSpec, exogenous_columns

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
#: Settings that statistical models do not see.
NEURAL = {
    *("input_size", "max_steps", "scaler_type", "windows_batch_size", "batch_size"),
    *("learning_rate", "early_stop_patience_steps", "val_size", "accelerator", "precision"),
    "matmul_precision",
}
#: Settings that the models of an engine do not see.
NOT_SEEN_BY = {
    "neuralforecast": set[str](),
    "statsforecast": NEURAL | {"seed", "on_short"},
    "mlforecast": NEURAL - {"input_size"} | {"levels", "on_short"},
}
_COMMON = ("numpy", "scipy", "pandas", "pyarrow", "narwhals", "utilsforecast", "coreforecast")
PACKAGES = {
    "neuralforecast": ("neuralforecast", "torch", "pytorch-lightning", "optuna", "ray", *_COMMON),
    "statsforecast": ("statsforecast", "statsmodels", "scikit-learn", *_COMMON),
    "mlforecast": ("mlforecast", "lightgbm", "scikit-learn", *_COMMON),
}
#: Modules that the code that trains imports and that cannot change what it fits: the settings they
#: read and check count themselves.
HARMLESS = {
    "errors",
    "files",
    "yaml_files",
    "catalog",
    "source",
    "schema",
    "params",
    "values",
    "frozen",
    "bounded",
    "tables",
}


@cache
def code() -> str:
    """The sha256 of :mod:`forerun.training`, the engines and what they import."""
    here, digest = Path(__file__).parent, hashlib.sha256()
    for path in training_code():
        digest.update(str(path.relative_to(here)).encode() + b"\0" + path.read_bytes())
    return digest.hexdigest()


def training_code() -> list[Path]:
    """The files behind :func:`code`."""
    here = Path(__file__).parent
    waiting = [here / "training.py", *here.glob("engines/*.py")]
    seen: set[Path] = set()
    while waiting:
        path = waiting.pop()
        if path in seen or not path.is_file():
            continue
        seen.add(path)
        for name in _imports(path.read_text(encoding="utf-8")) - HARMLESS:
            module = here.joinpath(*name.split("."))
            waiting += [module.with_suffix(".py"), *module.glob("*.py")]
    return sorted(seen)


def _imports(text: str) -> set[str]:
    """The modules of this library that a module imports, without ``forerun.``."""
    found = set(re.findall(r"^\s*(?:from|import) forerun\.([\w.]+)", text, re.MULTILINE))
    for several in re.findall(r"^\s*from forerun import ([\w, ]+)", text, re.MULTILINE):
        found |= {name.split()[0] for name in several.split(",") if name.strip()}
    return found


@cache
def versions(engine: str) -> dict[str, str]:
    """Versions of Python and of the packages behind an engine."""
    found = {"python": platform.python_version()}
    for name in PACKAGES[engine]:
        try:
            found[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            continue
    return found


def rows(data: str | Path | pd.DataFrame, columns: list[str], left_out: int = 0) -> dict[str, str]:
    """What identifies the rows that a fit sees: a sha256 for each column that it uses.

    They are computed from the data each time: what is noted beside them may be wrong.

    Parameters
    ----------
    data : the run's ``data.parquet``, or its content; rows without a target only serve forecasts
    left_out : steps at the end of each series that the fit does not see
    """
    import pandas as pd

    frame = data[columns] if isinstance(data, pd.DataFrame) else _read(data, columns)
    frame = frame[frame["y"].notna()]
    if left_out:
        from_end = frame.groupby("unique_id", observed=True).cumcount(ascending=False)
        frame = frame[from_end >= left_out]
    return columns_sha256(frame)


def _read(data: str | Path, columns: list[str]) -> pd.DataFrame:
    import pandas as pd

    try:
        return pd.read_parquet(data, columns=columns)
    except (OSError, ValueError, LookupError, TypeError, AttributeError) as error:
        raise Damaged(f"{data}: is not the data of a run ({error})") from None


def columns_sha256(frame: pd.DataFrame) -> dict[str, str]:
    """Identify each column by its values and their order: what a model sees decides what it is."""
    from pandas.util import hash_pandas_object

    return {
        name: hashlib.sha256(
            str(frame[name].dtype).encode()
            + hash_pandas_object(frame[name], index=False).to_numpy().tobytes()
        ).hexdigest()
        for name in map(str, frame.columns)
    }


def history_sha256(data: str | Path) -> str:
    """Identify the series and values of a run's ``data.parquet``: what its models are scored on."""
    found = rows(data, ["unique_id", "ds", "y"])
    return hashlib.sha256("".join(found.values()).encode()).hexdigest()


def ingredients(
    settings: dict[str, Any],
    spec: ModelSpec,
    data: str | Path | pd.DataFrame,
    fold: int | None,
    threads: int,
) -> dict[str, Any]:
    """Return all that determines a fit: the final one, or that of cross-validation fold `fold`."""
    unseen = NOT_SEEN | schema.marked("x-operational") | NOT_SEEN_BY[spec.engine]
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
        "versions": versions(spec.engine),
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
