"""NeuralForecast: every model class it exports."""

from __future__ import annotations

import inspect
import logging
import tempfile
import warnings
from pathlib import Path
from typing import TYPE_CHECKING, Any

import neuralforecast.losses.pytorch as losses
import neuralforecast.models as model_classes
import numpy as np
import pandas as pd
import pytorch_lightning as lightning
import torch
from neuralforecast import NeuralForecast

from forerun import windows
from forerun.engines.base import Data, ForecastError, Progress, check_finite, tidy_columns

if TYPE_CHECKING:
    from forerun.models import ModelSpec

warnings.filterwarnings("ignore", module="pytorch_lightning")
logging.getLogger("pytorch_lightning").setLevel(logging.WARNING)

#: Settings of the run that are arguments of a model under the same name.
SHARED = (
    "max_steps",
    "scaler_type",
    "windows_batch_size",
    "batch_size",
    "learning_rate",
    "early_stop_patience_steps",
)


class _Report(lightning.Callback):
    """Tells the step and the loss while the model trains; stops at once when the loss is NaN."""

    def __init__(self, progress: Progress):
        self.progress = progress

    def on_train_batch_end(self, trainer, module, outputs, batch, batch_idx) -> None:  # type: ignore[no-untyped-def]
        loss = float(outputs["loss"].detach()) if isinstance(outputs, dict) else None
        if loss is not None and not np.isfinite(loss):
            raise ForecastError(
                f"the training loss is {loss} at step {trainer.global_step}; try a smaller "
                "learning_rate, another scaler_type, or look at the data"
            )
        self.progress(trainer.global_step, trainer.max_steps, loss)


def _loss(value: Any) -> Any:
    """Build a loss from ``MAE`` or ``{name: MQLoss, level: [80, 95]}``."""
    if not isinstance(value, str | dict):
        return value
    arguments = {"name": value} if isinstance(value, str) else dict(value)
    return getattr(losses, arguments.pop("name"))(**arguments)


def _arguments(spec: ModelSpec, settings: dict[str, Any], data: Data) -> dict[str, Any]:
    """Gather what the model's class is called with: the run's settings, then its own params."""
    known = inspect.signature(getattr(model_classes, spec.model).__init__).parameters
    arguments: dict[str, Any] = {
        name: settings[name] for name in SHARED if name in known and settings.get(name) is not None
    }
    arguments |= {"h": windows.reach(settings), "input_size": settings["input_size"]}
    arguments |= {"random_seed": settings["seed"], "alias": spec.name}
    if "start_padding_enabled" in known:
        arguments["start_padding_enabled"] = settings["on_short"] == "pad"
    if "n_series" in known:
        arguments["n_series"] = data.history["unique_id"].nunique()
    if spec.exogenous:
        arguments |= {
            f"{kind}_list": list(settings[kind])
            for kind in ("hist_exog", "futr_exog", "stat_exog")
            if settings.get(kind) and f"{kind}_list" in known
        }
    arguments |= spec.params
    for name in ("loss", "valid_loss"):
        if name in arguments:
            arguments[name] = _loss(arguments[name])
    return arguments


def _build(
    spec: ModelSpec, settings: dict[str, Any], data: Data, progress: Progress
) -> NeuralForecast:
    """Make the untrained model; nothing it does writes anywhere but to a scratch folder."""
    trainer = {
        "accelerator": settings["accelerator"],
        "devices": 1,
        "precision": settings["precision"],
        "logger": False,
        "enable_checkpointing": False,
        "enable_progress_bar": False,
        "enable_model_summary": False,
        "default_root_dir": tempfile.gettempdir(),
        "callbacks": [_Report(progress)],
    }
    model = getattr(model_classes, spec.model)(**trainer | _arguments(spec, settings, data))
    return NeuralForecast(models=[model], freq=settings["freq"])


def _narrow(nf: NeuralForecast, data: Data) -> tuple[pd.DataFrame, pd.DataFrame | None]:
    """Keep the columns that the model uses."""
    model = nf.models[0]
    columns = dict.fromkeys([*(model.hist_exog_list or ()), *(model.futr_exog_list or ())])
    static = None
    if model.stat_exog_list and data.static is not None:
        static = data.static[["unique_id", *model.stat_exog_list]]
    return data.history[["unique_id", "ds", "y", *columns]], static


def _float32(frame: pd.DataFrame, model: str) -> pd.DataFrame:
    columns = [c for c in frame.columns if c == model or str(c).startswith(f"{model}-")]
    return frame.astype(dict.fromkeys(columns, "float64"))


def fit(spec: ModelSpec, settings: dict[str, Any], data: Data, progress: Progress) -> NeuralForecast:
    """See :meth:`forerun.engines.base.Engine.fit`."""
    nf = _build(spec, settings, data, progress)
    history, static = _narrow(nf, data)
    nf.fit(df=history, static_df=static, val_size=settings["val_size"])
    _check_weights(nf)
    return nf


def _check_weights(nf: NeuralForecast) -> None:
    for name, tensor in nf.models[0].state_dict().items():
        if tensor.is_floating_point() and not torch.isfinite(tensor).all():
            raise ForecastError(
                f"training ended with NaN or infinite weights ('{name}'); try a smaller "
                "learning_rate or another scaler_type"
            )


def cross_validate(
    spec: ModelSpec, settings: dict[str, Any], data: Data, windows: int, progress: Progress
) -> pd.DataFrame:
    """See :meth:`forerun.engines.base.Engine.cross_validate`."""
    from forerun.windows import step_size

    nf = _build(spec, settings, data, progress)
    history, static = _narrow(nf, data)
    frame = nf.cross_validation(
        df=history,
        static_df=static,
        n_windows=windows,
        step_size=step_size(settings),
        val_size=settings["val_size"],
        refit=False,
    )
    frame = _float32(tidy_columns(frame, spec.name), spec.name)
    forecasts = [c for c in frame.columns if c not in ("unique_id", "ds", "cutoff", "y")]
    return check_finite(frame[["unique_id", "ds", "cutoff", "y", *forecasts]], spec.name)


def predict(fitted: NeuralForecast, settings: dict[str, Any], data: Data) -> pd.DataFrame:
    """See :meth:`forerun.engines.base.Engine.predict`."""
    model = fitted.models[0]
    history, static = _narrow(fitted, data)
    future = None
    if model.futr_exog_list and data.future is not None:
        future = data.future[["unique_id", "ds", *model.futr_exog_list]]
    frame = fitted.predict(df=history, static_df=static, futr_df=future)
    name = str(model.alias)
    return check_finite(_float32(tidy_columns(frame, name), name), name)


def save(fitted: NeuralForecast, folder: Path) -> None:
    """Write safetensors and JSON, without the data set (see ``NeuralForecast.save``)."""
    fitted.save(str(folder), save_dataset=False, overwrite=True)


def load(spec: ModelSpec, settings: dict[str, Any], folder: Path) -> NeuralForecast:
    """Read a saved model; files that could carry code are refused by NeuralForecast itself."""
    nf = NeuralForecast.load(str(folder))
    for model in nf.models:
        model.trainer_kwargs |= {"logger": False, "enable_progress_bar": False}
        model.trainer_kwargs |= {"enable_checkpointing": False, "enable_model_summary": False}
        model.trainer_kwargs |= {"accelerator": settings["accelerator"], "devices": 1}
    return nf
