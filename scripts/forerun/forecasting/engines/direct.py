"""DirectRidge, implemented here: a linear model in closed form, one for all series.

It forecasts all steps at once from the last values (:mod:`.window_regression`), takes seconds, and
needs only numpy. Its parameters: ``input_size``, the number of lags (by default five seasons, at
least 8, at most the longer of 48 and two seasons); ``penalty``; ``log``: use logarithms (``true``),
values (``false``), or the mean of both forecasts (the default). Series with values that are not
positive are always forecast from the values. ``features`` adds random nonlinear features, of size
``feature_scale`` relative to the lags, drawn with the run's seed. ``size_weight`` is the exponent
of the size of a series in its weight: by default all series count equally.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from utilsforecast.processing import make_future_dataframe

from forerun.config.catalog import Argument, EngineCatalog, ModelInfo
from forerun.config.engines import versions
from forerun.config.windows import reach, step_size
from forerun.data.panel import series_starts
from forerun.forecasting.engines import fallback, window_regression
from forerun.forecasting.engines.base import Data, Progress, check_finite
from forerun.forecasting.engines.window_regression import Features, Floats, Regression

if TYPE_CHECKING:
    from forerun.config.models import ModelSpec

NAME = "DirectRidge"
#: Number of default lags in seasons, and its minimum and maximum in steps.
SEASONS, LEAST, MOST = 5, 8, 48
PENALTY = 3e-3
#: Forecasts from logarithms may exceed the range of a series by half of it, within these factors.
NEAR, FAR = 1.1, 2.0
ADVICE = "look at the data, or set log: false"
#: Suffix of the names of saved weights of random features.
FEATURES = "features"


@dataclass
class Fitted:
    """Coefficients of the regressions on values, logarithms, or both."""

    spec: ModelSpec
    regressions: dict[str, Regression]


def describe() -> EngineCatalog:
    """Describe the model."""
    arguments = {
        "input_size": Argument("int | None"),
        "penalty": Argument("float", PENALTY),
        "log": Argument("bool | None"),
        "features": Argument("int", Features.number),
        "feature_scale": Argument("float", Features.scale),
        "size_weight": Argument("float", 0.0),
    }
    info = ModelInfo(
        NAME,
        "direct",
        "linear",
        summary="Linear model from the last values to all steps, one for all series",
        arguments=arguments,
        needs=("numpy",),
    )
    return EngineCatalog(versions(["numpy"]), {NAME: info})


def default_lags(season: int) -> int:
    """Return the default number of lags."""
    return max(LEAST, min(SEASONS * season, max(MOST, 2 * season)))


def _fit(spec: ModelSpec, settings: dict[str, Any], series: Sequence[Floats]) -> Fitted:
    season = int(settings["season_length"])
    lags = int(spec.params.get("input_size") or default_lags(season))
    penalty = float(spec.params.get("penalty", PENALTY))
    positive = np.array([_is_positive(one) for one in series])
    logs = [np.log(one) for one, usable in zip(series, positive, strict=True) if usable]
    given = {"values": series, "logs": logs}
    power = float(spec.params.get("size_weight") or 0.0)
    sizes = window_regression.by_size(series, season, power) if power else None
    importance = {"values": sizes, "logs": None if sizes is None else sizes[positive]}
    features = Features(
        int(spec.params.get("features") or Features.number),
        float(spec.params.get("feature_scale") or Features.scale),
        int(settings.get("seed", Features.seed)),
    )
    log = spec.params.get("log")
    wanted = ["values"] if log is False else ["values", "logs"]
    steps = reach(settings)
    regressions = {
        kind: window_regression.fit(
            given[kind],
            lags,
            steps,
            season,
            penalty,
            kind == "values",
            features,
            importance[kind],
        )
        for kind in wanted
        if given[kind]
    }
    return Fitted(spec, regressions)


def _note_untrained(
    spec: ModelSpec, steps: int, ids: pd.Index, series: list[Floats], data: Data
) -> None:
    """Report all series if none is long enough for training; their forecast is the last value."""
    if max(map(len, series)) > steps:
        return
    replaced = pd.DataFrame({"unique_id": ids})
    print(f"{spec.name}: {fallback.note(replaced)}", file=sys.stderr)
    data.kept[fallback.TABLE] = replaced


def _is_positive(values: Floats) -> bool:
    return len(values) > 0 and bool(values.min() > 0)


def _forecast(fitted: Fitted, series: Sequence[Floats]) -> Floats:
    result = fitted.regressions["values"].forecast(series)
    positive = [number for number, values in enumerate(series) if _is_positive(values)]
    if "logs" in fitted.regressions and positive:
        logs = [np.log(series[one]) for one in positive]
        low, high = (np.array([f(each) for each in logs])[:, None] for f in (np.min, np.max))
        more = np.clip((high - low) / 2, np.log(NEAR), np.log(FAR))
        from_logs = np.clip(fitted.regressions["logs"].forecast(logs), low - more, high + more)
        share = 1.0 if fitted.spec.params.get("log") else 0.5
        result[positive] += share * (np.exp(from_logs) - result[positive])
    return result


def _split(history: pd.DataFrame) -> tuple[pd.Index, list[Floats]]:
    """Return the names and the values of the series of a sorted table."""
    codes, ids = pd.factorize(history["unique_id"])
    return pd.Index(ids), np.split(history["y"].to_numpy(dtype=float), series_starts(codes)[1:])


def fit(spec: ModelSpec, settings: dict[str, Any], data: Data, progress: Progress) -> Fitted:
    """See :meth:`forerun.forecasting.engines.base.Engine.fit`."""
    progress(0, 1, None)
    ids, series = _split(data.history)
    _note_untrained(spec, reach(settings), ids, series, data)
    return _fit(spec, settings, series)


def cross_validate(
    spec: ModelSpec, settings: dict[str, Any], data: Data, windows: int, progress: Progress
) -> pd.DataFrame:
    """See :meth:`forerun.forecasting.engines.base.Engine.cross_validate`."""
    progress(0, 1, None)
    ids, series = _split(data.history)
    steps, step = reach(settings), step_size(settings)
    ends = [steps + step * number for number in reversed(range(windows))]  # cutoffs, from the end
    before = [values[: -ends[0]] for values in series]
    _note_untrained(spec, steps, ids, before, data)
    fitted = _fit(spec, settings, before)
    lengths = np.array([len(values) for values in series])
    first = np.cumsum(lengths) - lengths
    rows, cutoffs, values = [], [], []
    for end in ends:
        cut = first + lengths - end
        rows.append((cut[:, None] + np.arange(steps)).ravel())
        cutoffs.append(np.repeat(cut - 1, steps))
        values.append(_forecast(fitted, [one[: len(one) - end] for one in series]).ravel())
    frame = data.history[["unique_id", "ds", "y"]].iloc[np.concatenate(rows)]
    times = data.history["ds"].to_numpy()[np.concatenate(cutoffs)]
    frame = frame.reset_index(drop=True).assign(cutoff=times, **{spec.name: np.concatenate(values)})
    frame = frame[["unique_id", "ds", "cutoff", "y", spec.name]]
    return check_finite(frame, spec.name, ADVICE)


def predict(fitted: Fitted, settings: dict[str, Any], data: Data) -> pd.DataFrame:
    """See :meth:`forerun.forecasting.engines.base.Engine.predict`."""
    ids, series = _split(data.history)
    last = data.history.groupby("unique_id", sort=False, observed=True)["ds"].last()
    steps = reach(settings)
    frame = make_future_dataframe(ids, pd.Index(last), freq=settings["freq"], h=steps)
    frame[fitted.spec.name] = _forecast(fitted, series).ravel()
    return check_finite(frame, fitted.spec.name, ADVICE)


def save(fitted: Fitted, folder: Path) -> None:
    """Write the specification as JSON and the coefficients as arrays, both without code."""
    text = json.dumps(asdict(fitted.spec), indent=2, sort_keys=True)
    (folder / "model.json").write_text(text + "\n", encoding="utf-8")
    arrays = {
        f"{kind}_{lags}": coefficients
        for kind, regression in fitted.regressions.items()
        for lags, coefficients in regression.by_lags.items()
    }
    arrays |= {
        f"{kind}_{lags}_{FEATURES}": weights
        for kind, regression in fitted.regressions.items()
        for lags, weights in regression.features.items()
    }
    np.savez(folder / "coefficients.npz", allow_pickle=False, **arrays)


def load(spec: ModelSpec, settings: dict[str, Any], folder: Path) -> Fitted:
    """Read a model written by :func:`save`."""
    found: dict[str, dict[int, Floats]] = {}
    drawn: dict[str, dict[int, Floats]] = {}
    with np.load(folder / "coefficients.npz", allow_pickle=False) as arrays:
        for name in arrays.files:
            kind, lags, *what = name.split("_")
            table = drawn if what == [FEATURES] else found
            table.setdefault(kind, {})[int(lags)] = arrays[name]
    regressions = {
        kind: Regression(by_lags, kind == "values", drawn.get(kind, {}))
        for kind, by_lags in found.items()
    }
    return Fitted(spec, regressions)
