"""NeuralForecast: all model classes it exports."""

from __future__ import annotations

import json
import logging
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas as pd
import torch
from neuralforecast import NeuralForecast

from forerun.base.errors import UserError
from forerun.base.files import put_in_order
from forerun.base.scratch import machine_folder
from forerun.config import windows
from forerun.config.models import exogenous_columns
from forerun.data.panel import without_last
from forerun.data.splitting import only
from forerun.forecasting.engines import neural_groups, neural_steps, window_scaling
from forerun.forecasting.engines.base import (
    Data,
    ForecastError,
    Progress,
    check_finite,
    future_values,
    tidy_columns,
)
from forerun.forecasting.engines.neural_arguments import Report, arguments_of, model_class
from forerun.forecasting.engines.neural_catalog import describe as describe
from forerun.forecasting.engines.neural_checkpoint import Checkpoints

if TYPE_CHECKING:
    from forerun.config.models import ModelSpec

warnings.filterwarnings("ignore", module="pytorch_lightning")
for _name in ("pytorch_lightning", "lightning_fabric", "lightning", "lightning.pytorch"):
    logging.getLogger(_name).setLevel(logging.WARNING)

#: File with the series of a multivariate model, and the attribute of a loaded model.
SERIES_FILE, SERIES = "series.json", "trained_series"
#: The attribute with the columns that are not scaled inside each window.
UNSCALED = "unscaled_columns"


def _build(
    spec: ModelSpec, settings: dict[str, Any], data: Data, progress: Progress
) -> NeuralForecast:
    """Build the untrained model, which writes to a scratch folder only."""
    _set_precision(settings)
    report = Report(progress)
    trainer = {
        "accelerator": settings["accelerator"],
        "devices": 1,
        "precision": settings["precision"],
        "logger": False,
        "enable_checkpointing": False,
        "enable_progress_bar": False,
        "enable_model_summary": False,
        "default_root_dir": machine_folder(),  # saved with the model
        "callbacks": [report],
    }
    arguments = trainer | arguments_of(spec, settings, data)
    if spec.info.auto:
        from forerun.forecasting.engines import automatic  # imports optuna

        report.rounds = 1 + automatic.number_of_trials(spec, settings)
        model = automatic.build(spec, settings, arguments, report, data.checkpoint)
    else:
        model = model_class(spec)(**arguments)
        if data.checkpoint is not None:
            Checkpoints(data.checkpoint, progress).attach(model)
    if data.start is not None:
        _continue(model, load(spec, settings, data.start).models[0])
    return NeuralForecast(models=[model], freq=settings["freq"])


def _continue(model: Any, before: Any) -> None:
    """Load the weights of a trained network into a new one."""
    try:
        model.load_state_dict(before.state_dict())
    except RuntimeError as error:
        raise ForecastError(
            f"the weights to continue are those of another network: {str(error).splitlines()[-1]}"
        ) from None


def _set_precision(settings: dict[str, Any]) -> None:
    """Set the precision of matrix products in this process; older runs do not have the key."""
    torch.set_float32_matmul_precision(settings.get("matmul_precision", "highest"))


def _narrow(used: dict[str, list[str]], data: Data) -> tuple[pd.DataFrame, pd.DataFrame | None]:
    """Return history and static features with only the columns that the model uses."""
    static = None
    if used["stat_exog"] and data.static is not None:
        static = data.static[["unique_id", *used["stat_exog"]]]
    columns = dict.fromkeys([*used["hist_exog"], *used["futr_exog"]])
    return only(data.history, ["unique_id", "ds", "y", *columns]), static


def _float64(frame: pd.DataFrame) -> pd.DataFrame:
    forecasts = [c for c in frame.columns if c not in ("unique_id", "ds", "cutoff", "y")]
    return frame.astype(dict.fromkeys(forecasts, "float64"))


def fit(
    spec: ModelSpec, settings: dict[str, Any], data: Data, progress: Progress
) -> NeuralForecast:
    """See :meth:`forerun.forecasting.engines.base.Engine.fit`."""
    nf = _build(spec, settings, data, progress)
    history, static = _narrow(exogenous_columns(spec, settings), data)
    columns = window_scaling.unscaled(spec, settings, history)
    with _training(nf, columns):
        nf.fit(df=neural_groups.compact(history), static_df=static, val_size=settings["val_size"])
    _keep_tuned(nf, data)
    _check_weights(nf)
    setattr(nf, SERIES, [str(name) for name in nf.uids])
    setattr(nf, UNSCALED, columns)
    return nf


@contextmanager
def _training(nf: NeuralForecast, unscaled: list[str]) -> Iterator[None]:
    """Train inside the block; `unscaled` as in :mod:`window_scaling`."""
    with window_scaling.without_window_scaling(unscaled), neural_steps.less_overhead(nf.models[0]):
        yield


def _keep_tuned(nf: NeuralForecast, data: Data) -> None:
    """Replace an automatic model by the network it selected; keep the trials."""
    model = nf.models[0]
    if getattr(model, "results", None) is not None:
        from forerun.forecasting.engines import automatic

        data.kept["trials"] = automatic.trials(model.results)
        nf.models = [model.model]


def _check_weights(nf: NeuralForecast) -> None:
    for name, tensor in nf.models[0].named_parameters():  # buffers may hold masks of -inf
        if not torch.isfinite(tensor).all():
            raise ForecastError(
                f"training ended with NaN or infinite weights ('{name}'); try a smaller "
                "learning_rate or another scaler_type"
            )


def cross_validate(
    spec: ModelSpec, settings: dict[str, Any], data: Data, number: int, progress: Progress
) -> pd.DataFrame:
    """See :meth:`forerun.forecasting.engines.base.Engine.cross_validate`."""
    nf = _build(spec, settings, data, progress)
    history, static = _narrow(exogenous_columns(spec, settings), data)
    columns = window_scaling.unscaled(spec, settings, history)
    step = windows.step_size(settings)
    arguments = {"n_windows": number, "step_size": step, "refit": False}
    with _training(nf, columns):
        if neural_groups.are_possible(nf.models[0], history):
            held = windows.reach(settings) + (number - 1) * step
            past = without_last(neural_groups.compact(history), held)
            nf.fit(df=past, static_df=static, val_size=settings["val_size"])
            del past
            frame = neural_groups.cross_validate(nf, history, static, arguments)
        else:
            arguments["val_size"] = settings["val_size"]
            frame = nf.cross_validation(df=history, static_df=static, **arguments)
    _keep_tuned(nf, data)
    return check_finite(_float64(tidy_columns(frame, spec.name)), spec.name)


def predict(fitted: NeuralForecast, settings: dict[str, Any], data: Data) -> pd.DataFrame:
    """See :meth:`forerun.forecasting.engines.base.Engine.predict`."""
    model, name = fitted.models[0], str(fitted.models[0].alias)
    used = {k: list(getattr(model, f"{k}_list") or ()) for k in ("hist_exog", "stat_exog")}
    used["futr_exog"] = list(model.futr_exog_list or ())
    future = future_values(data, used["futr_exog"], name, settings)
    history, static = _narrow(used, data)
    if model.MULTIVARIATE:
        _check_series(name, getattr(fitted, SERIES, None) or data.trained_on, data)
    frames = []
    torch.manual_seed(settings["seed"])  # some models sample their forecasts
    for ids in neural_groups.names(history["unique_id"], joint=model.MULTIVARIATE):
        tables = [
            t if ids is None or t is None else t[t["unique_id"].isin(ids)]
            for t in (history, static, future)
        ]
        with window_scaling.without_window_scaling(getattr(fitted, UNSCALED, [])):
            frames.append(fitted.predict(df=tables[0], static_df=tables[1], futr_df=tables[2]))
    frame = pd.concat(frames, ignore_index=True)
    return check_finite(_float64(tidy_columns(frame, name)), name)


def _check_series(name: str, trained: list[str] | None, data: Data) -> None:
    """Refuse series other than those that a multivariate model was trained on.

    Parameters
    ----------
    trained : names saved with the model, otherwise those of its run; None if neither is known
    """
    if data.own:
        return
    if trained is None:
        raise UserError(f"{name} forecasts all series jointly, but its training series are unknown")
    given = data.history["unique_id"].astype(str).unique()
    missing, other = sorted({*trained} - {*given}), sorted({*given} - {*trained})
    if missing or other:
        parts = [("without", missing), ("with others:", other)]
        difference = ", ".join(f"{word} {_some(names)}" for word, names in parts if names)
        raise UserError(
            f"{name} forecasts its {len(trained)} series together and cannot forecast "
            f"them {difference}"
        )


def _some(names: list[str]) -> str:
    more = f" and {len(names) - 3} more" if len(names) > 3 else ""
    return ", ".join(f"'{name}'" for name in names[:3]) + more


def save(fitted: NeuralForecast, folder: Path) -> None:
    """Write safetensors and JSON without the data set (see ``NeuralForecast.save``)."""
    for model in fitted.models:
        _detach_losses(model)
    fitted.save(str(folder), save_dataset=False, overwrite=True)
    for path in folder.glob("*.safetensors"):
        put_in_order(path)
    window_scaling.write(getattr(fitted, UNSCALED, []), folder)
    sizes = {str(m): m.inference_input_size for m in fitted.models if m.RECURRENT}
    (folder / "inference.json").write_text(json.dumps(sizes) + "\n", encoding="utf-8")
    if any(model.MULTIVARIATE for model in fitted.models):
        names = [str(name) for name in fitted.uids]
        (folder / SERIES_FILE).write_text(json.dumps(names) + "\n", encoding="utf-8")


def _detach_losses(model: Any) -> None:
    """Detach tensors that losses keep from the last training step: graphs cannot be copied.

    Distribution losses keep the mean they computed; only validation and prediction, which compute
    without a graph, would replace it.
    """
    kept = [model, *model.modules(), *dict(model.hparams).values()]
    for holder in kept:
        for name, value in list(getattr(holder, "__dict__", {}).items()):
            if isinstance(value, torch.Tensor) and value.grad_fn is not None:
                setattr(holder, name, value.detach())


def load(spec: ModelSpec, settings: dict[str, Any], folder: Path) -> NeuralForecast:
    """Load a saved model; NeuralForecast refuses files that could contain code."""
    _set_precision(settings)
    with warnings.catch_warnings():  # the scratch folder of the training no longer matters
        warnings.filterwarnings("ignore", message="Ignoring runtime settings")
        nf = NeuralForecast.load(str(folder))
    file = folder / "inference.json"
    sizes = json.loads(file.read_text(encoding="utf-8")) if file.is_file() else {}
    setattr(nf, UNSCALED, window_scaling.read(folder))
    names = folder / SERIES_FILE
    setattr(nf, SERIES, json.loads(names.read_text(encoding="utf-8")) if names.is_file() else None)
    for model in nf.models:
        if str(model) in sizes:  # DeepAR increments it each time it is loaded
            model.inference_input_size = sizes[str(model)]
        model.trainer_kwargs |= {"logger": False, "enable_progress_bar": False}
        model.trainer_kwargs |= {"enable_checkpointing": False, "enable_model_summary": False}
        # A model trained on a GPU can forecast without one.
        accelerator = "cpu" if settings["accelerator"] == "cpu" else "auto"
        model.trainer_kwargs |= {"accelerator": accelerator, "devices": 1}
    return nf
