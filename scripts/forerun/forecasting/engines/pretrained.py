"""Pretrained networks: Chronos-2, Chronos-Bolt, TimesFM, Fracast.

Parameters of the models: ``weights``, the folder of the weights; ``context_length``, the number of
past steps used (default: the model's maximum); ``batch_size``, the number of series forecast at
once. ``max_steps`` fine-tunes all weights, or a part of them with ``lora``, at ``learning_rate``;
the result is saved with the model. Without ``max_steps`` nothing is trained, and only the checksums
of the weights are saved.

Nothing is downloaded, and no code from the folder of the weights is executed.
"""

from __future__ import annotations

import json
import sys
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import torch
from utilsforecast.processing import make_future_dataframe

from forerun.base.errors import UserError
from forerun.base.files import put_in_order, read_mapping
from forerun.config.catalog import Argument, EngineCatalog, ModelInfo
from forerun.config.engines import versions
from forerun.config.models import exogenous_columns
from forerun.config.weight_folders import ADAPTER, TUNED, checksums
from forerun.config.windows import reach, step_size
from forerun.data.panel import series_starts
from forerun.forecasting.engines import fallback
from forerun.forecasting.engines.base import (
    Data,
    ForecastError,
    Progress,
    check_finite,
    future_values,
)
from forerun.forecasting.engines.pretrained_chronos import CHRONOS2, CHRONOS_BOLT
from forerun.forecasting.engines.pretrained_families import Family, Task, offline
from forerun.forecasting.engines.pretrained_others import FRACAST, TIMESFM

if TYPE_CHECKING:
    import numpy.typing as npt

    from forerun.config.models import ModelSpec

FAMILIES = {family.name: family for family in (CHRONOS2, CHRONOS_BOLT, TIMESFM, FRACAST)}
#: Number of series (with their covariates) that are forecast at once.
BATCH = 256
ADVICE = "look at the data, or leave the model out"


@dataclass
class Fitted:
    """A loaded model.

    Attributes
    ----------
    checksums : of the pretrained weights, as :func:`forerun.config.weight_folders.checksums`
    tuned : whether the model was fine-tuned
    """

    spec: ModelSpec
    model: Any
    checksums: list[str]
    tuned: bool = False

    @property
    def family(self) -> Family:
        return FAMILIES[self.spec.model]


def describe() -> EngineCatalog:
    """Describe the models."""
    arguments = {
        "weights": Argument("str | None", required=True),
        "context_length": Argument("int | None"),
        "batch_size": Argument("int", BATCH),
    }
    tuning = {
        "max_steps": Argument("int | None"),
        "learning_rate": Argument("float", 1e-6),
        "lora": Argument("bool", False),
    }
    models = {
        name: ModelInfo(
            name,
            "pretrained",
            "pretrained",
            summary=family.summary,
            futr_exog=family.covariates,
            hist_exog=family.covariates,
            arguments=arguments | (tuning if family.tune else {}),
            needs=family.needs,
        )
        for name, family in FAMILIES.items()
    }
    return EngineCatalog(versions(["chronos-forecasting", "transformers"]), models)


def _device(settings: dict[str, Any]) -> str:
    asked = settings["accelerator"]
    if asked == "gpu" and not torch.cuda.is_available():
        raise UserError("accelerator is gpu, but there is no GPU; set accelerator: auto or cpu")
    return "cuda" if asked != "cpu" and torch.cuda.is_available() else "cpu"


def _read(spec: ModelSpec, settings: dict[str, Any], folder: Path) -> Any:
    """Return the model in a folder, ready to forecast."""
    offline()
    if (folder / ADAPTER).exists():  # an adapter refers to another folder
        raise UserError(f"the weights of {spec.name} in '{folder}' are an adapter; remove them")
    return FAMILIES[spec.model].read(folder, _device(settings))


def _tasks(spec: ModelSpec, settings: dict[str, Any], data: Data, known: Any) -> list[Task]:
    """Return the series of a sorted table, with their covariates, cut to the context length.

    Parameters
    ----------
    known : future values of ``futr_exog`` by series and time, or None
    """
    used = exogenous_columns(spec, settings)
    past = list(dict.fromkeys([*used["hist_exog"], *used["futr_exog"]]))
    starts = series_starts(data.history["unique_id"].to_numpy())[1:]
    columns = {
        name: np.split(data.history[name].to_numpy(dtype=float), starts) for name in ["y", *past]
    }
    later = _later(known, used["futr_exog"], len(columns["y"]))
    length = spec.params.get("context_length")
    keep = slice(-length if length else None, None)
    return [
        Task(y[keep], {name: columns[name][i][keep] for name in past}, later[i])
        for i, y in enumerate(columns["y"])
    ]


def _later(
    known: pd.DataFrame | None, names: list[str], series: int
) -> list[dict[str, npt.NDArray[np.float64]]]:
    if known is None or not names:
        return [{} for _ in range(series)]
    table = known[names].to_numpy(dtype=float).reshape(series, -1, len(names))
    return [{name: one[:, i] for i, name in enumerate(names)} for one in table]


def fit(spec: ModelSpec, settings: dict[str, Any], data: Data, progress: Progress) -> Fitted:
    """See :meth:`forerun.forecasting.engines.base.Engine.fit`."""
    folder = Path(spec.params["weights"])
    fitted = Fitted(spec, _read(spec, settings, folder), checksums(folder))
    steps = spec.params.get("max_steps")
    progress(0, steps or 1, None)
    return _tuned(fitted, settings, data, progress) if steps else fitted


def _tuned(fitted: Fitted, settings: dict[str, Any], data: Data, progress: Progress) -> Fitted:
    spec, tune, steps = fitted.spec, fitted.family.tune, reach(settings)
    assert tune is not None
    table = replace(spec, params={k: v for k, v in spec.params.items() if k != "context_length"})
    tasks = [task for task in _tasks(table, settings, data, None) if len(task.target) >= 2 * steps]
    if not tasks:
        raise ForecastError(
            f"no series has the {2 * steps} steps that fine-tuning of {spec.name} needs (twice "
            "the horizon and gap); leave max_steps out"
        )
    known = exogenous_columns(spec, settings)["futr_exog"]
    model = tune(fitted.model, tasks, known, steps, spec.params, settings["seed"], progress)
    return replace(fitted, model=model, tuned=True)


def _forecast(
    fitted: Fitted, settings: dict[str, Any], tasks: list[Task]
) -> tuple[dict[str, npt.NDArray[np.float64]], list[int]]:
    """Return the columns of the forecasts, and the numbers of the series that are too short.

    Short series get their last value as forecast. Levels outside the model's quantiles are omitted;
    Forerun computes them from cross-validation.
    """
    family, steps, name = fitted.family, reach(settings), fitted.spec.name
    able = [number for number, task in enumerate(tasks) if len(task.target) >= family.shortest]
    own = np.array(family.quantiles(fitted.model))
    if not able:
        raise ForecastError(f"no series has the {family.shortest} steps that {name} needs")
    values: npt.NDArray[np.float64] = np.empty((len(tasks), steps, len(own)))
    values[:] = np.array([task.target[-1] for task in tasks])[:, None, None]
    size = int(fitted.spec.params.get("batch_size") or BATCH)
    with torch.no_grad():
        values[able] = family.forecast(fitted.model, [tasks[i] for i in able], steps, size)
    flat = values.reshape(-1, len(own))
    found = {name: _quantile(flat, own, 0.5)}
    for level in settings["levels"] or []:
        sides = {"lo": (100 - level) / 200, "hi": (100 + level) / 200}
        if own[0] - 1e-9 <= sides["lo"] and sides["hi"] <= own[-1] + 1e-9:
            found |= {f"{name}-{s}-{level:g}": _quantile(flat, own, q) for s, q in sides.items()}
    return found, [number for number in range(len(tasks)) if number not in set(able)]


def _quantile(
    values: npt.NDArray[np.float64], own: npt.NDArray[np.float64], wanted: float
) -> npt.NDArray[np.float64]:
    """Return a quantile of each row, interpolated between those of the model."""
    place = float(np.interp(wanted, own, np.arange(len(own))))
    low = min(int(place), len(own) - 2) if len(own) > 1 else 0
    high = min(low + 1, len(own) - 1)
    share = place - low
    if share < 1e-6 or share > 1 - 1e-6:
        return values[:, low if share < 0.5 else high]
    return values[:, low] * (1 - share) + values[:, high] * share


def _keep_short(spec: ModelSpec, replaced: pd.DataFrame, data: Data) -> None:
    if len(replaced):
        print(f"{spec.name}: {fallback.note(replaced)}", file=sys.stderr)
        data.kept[fallback.TABLE] = replaced


def cross_validate(
    spec: ModelSpec, settings: dict[str, Any], data: Data, windows: int, progress: Progress
) -> pd.DataFrame:
    """See :meth:`forerun.forecasting.engines.base.Engine.cross_validate`."""
    history, steps = data.history, reach(settings)
    from_end = history.groupby("unique_id", observed=True).cumcount(ascending=False).to_numpy()
    ends = [steps + step_size(settings) * number for number in reversed(range(windows))]
    fitted = fit(spec, settings, replace(data, history=history[from_end >= ends[0]]), progress)
    tasks, rows = [], []
    for end in ends:
        window = history[(from_end < end) & (from_end >= end - steps)]
        before = replace(data, history=history[from_end >= end])
        tasks += _tasks(spec, settings, before, window)
        last = before.history.groupby("unique_id", observed=True, sort=False)["ds"].last()
        window = window[["unique_id", "ds", "y"]]
        rows.append(window.assign(cutoff=np.repeat(last.to_numpy(), steps)))
    columns, short = _forecast(fitted, settings, tasks)
    frame = pd.concat(rows, ignore_index=True)[["unique_id", "ds", "cutoff", "y"]]
    _keep_short(spec, frame[["unique_id", "cutoff"]].iloc[[i * steps for i in short]], data)
    return check_finite(frame.assign(**columns), spec.name, ADVICE)


def predict(fitted: Fitted, settings: dict[str, Any], data: Data) -> pd.DataFrame:
    """See :meth:`forerun.forecasting.engines.base.Engine.predict`."""
    spec, steps = fitted.spec, reach(settings)
    known = future_values(data, exogenous_columns(spec, settings)["futr_exog"], spec.name, settings)
    last = data.history.groupby("unique_id", observed=True, sort=False)["ds"].last()
    frame = make_future_dataframe(last.index, pd.Index(last), freq=settings["freq"], h=steps)
    if known is not None:  # in the order of the series
        known = frame.merge(known, on=["unique_id", "ds"], how="left")
    columns, short = _forecast(fitted, settings, _tasks(spec, settings, data, known))
    _keep_short(spec, frame[["unique_id"]].iloc[[i * steps for i in short]], data)
    return check_finite(frame.assign(**columns), spec.name, ADVICE)


def save(fitted: Fitted, folder: Path) -> None:
    """Write the specification, the checksums, and the weights if they were fine-tuned."""
    record = asdict(fitted.spec)
    record["params"].pop("weights")  # a path on this machine
    record["pretrained"] = fitted.checksums
    text = json.dumps(record, indent=2, sort_keys=True)
    (folder / "model.json").write_text(text + "\n", encoding="utf-8")
    if fitted.tuned and fitted.family.write:
        fitted.family.write(fitted.model, folder / TUNED)
        for path in (folder / TUNED).glob("*.safetensors"):
            put_in_order(path)


def load(spec: ModelSpec, settings: dict[str, Any], folder: Path) -> Fitted:
    """Read a model written by :func:`save`; refuse weights that differ from those of the fit."""
    record = read_mapping(folder / "model.json", {"pretrained": [str]})
    recorded = record.get("pretrained", [])
    if (folder / TUNED).is_dir():
        return Fitted(spec, _read(spec, settings, folder / TUNED), recorded, tuned=True)
    weights = Path(spec.params["weights"])
    if checksums(weights) != recorded:
        raise UserError(
            f"the weights of {spec.name} in '{weights}' are missing or changed since the fit; "
            "restore them, or train a new run"
        )
    return Fitted(spec, _read(spec, settings, weights), recorded)
