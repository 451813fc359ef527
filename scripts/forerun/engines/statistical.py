"""StatsForecast: models that are fitted to each series on its own, anew at each cutoff."""

from __future__ import annotations

import inspect
import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas as pd
import statsforecast.models as model_classes
from statsforecast import StatsForecast

from forerun.engines.base import Data, Progress, check_finite, tidy_columns
from forerun.windows import reach, step_size

if TYPE_CHECKING:
    from forerun.models import ModelSpec


@dataclass
class Fitted:
    """A local model is its specification; its forecasts for the data it was fitted to are kept."""

    spec: ModelSpec
    forecasts: pd.DataFrame
    ends: pd.DataFrame


def _build(spec: ModelSpec, settings: dict[str, Any]) -> StatsForecast:
    model = getattr(model_classes, spec.model)
    known = inspect.signature(model.__init__).parameters
    arguments: dict[str, Any] = {"alias": spec.name} if "alias" in known else {}
    if "season_length" in known:
        arguments["season_length"] = settings["season_length"]
    return StatsForecast(
        models=[model(**arguments | spec.params)],
        freq=settings["freq"],
        n_jobs=1,
        fallback_model=model_classes.Naive(),
    )


def _plain(data: Data) -> pd.DataFrame:
    return data.history[["unique_id", "ds", "y"]]


def _ends(data: Data) -> pd.DataFrame:
    return data.history.groupby("unique_id", observed=True, sort=True).agg(
        ds=("ds", "last"), rows=("y", "size"), total=("y", "sum")
    )


def _forecast(spec: ModelSpec, settings: dict[str, Any], data: Data) -> pd.DataFrame:
    frame = _build(spec, settings).forecast(
        h=reach(settings), df=_plain(data), level=settings.get("levels") or None
    )
    return check_finite(tidy_columns(frame, spec.name), spec.name)


def fit(spec: ModelSpec, settings: dict[str, Any], data: Data, progress: Progress) -> Fitted:
    """See :meth:`forerun.engines.base.Engine.fit`."""
    progress(0, 1, None)
    return Fitted(spec, _forecast(spec, settings, data), _ends(data))


def cross_validate(
    spec: ModelSpec, settings: dict[str, Any], data: Data, windows: int, progress: Progress
) -> pd.DataFrame:
    """See :meth:`forerun.engines.base.Engine.cross_validate`; each window is a fit of its own."""
    progress(0, 1, None)
    frame = _build(spec, settings).cross_validation(
        h=reach(settings),
        df=_plain(data),
        n_windows=windows,
        step_size=step_size(settings),
        level=settings.get("levels") or None,
        refit=True,
    )
    frame = tidy_columns(frame, spec.name)
    forecasts = [c for c in frame.columns if c not in ("unique_id", "ds", "cutoff", "y")]
    return check_finite(frame[["unique_id", "ds", "cutoff", "y", *forecasts]], spec.name)


def predict(fitted: Fitted, settings: dict[str, Any], data: Data) -> pd.DataFrame:
    """See :meth:`forerun.engines.base.Engine.predict`; other data than the run's is fitted anew."""
    if _ends(data).equals(fitted.ends):
        return fitted.forecasts
    return _forecast(fitted.spec, settings, data)


def save(fitted: Fitted, folder: Path) -> None:
    """Write the specification as JSON, forecasts and the series they belong to as Parquet."""
    text = json.dumps(asdict(fitted.spec), indent=2, sort_keys=True)
    (folder / "model.json").write_text(text + "\n", encoding="utf-8")
    fitted.forecasts.to_parquet(folder / "forecasts.parquet", index=False)
    fitted.ends.reset_index().to_parquet(folder / "series.parquet", index=False)


def load(spec: ModelSpec, settings: dict[str, Any], folder: Path) -> Fitted:
    """Read what :func:`save` wrote."""
    ends = pd.read_parquet(folder / "series.parquet").set_index("unique_id")
    return Fitted(spec, pd.read_parquet(folder / "forecasts.parquet"), ends)
