"""Arguments of NeuralForecast's model classes, from settings and specifications."""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import neuralforecast.losses.pytorch as losses
import neuralforecast.models as model_classes
import numpy as np
import pytorch_lightning as lightning

from forerun.config import categories, windows
from forerun.config.models import categorical_columns, exogenous_columns
from forerun.forecasting.engines.base import Data, ForecastError, Progress

if TYPE_CHECKING:
    from forerun.config.models import ModelSpec

#: Settings of the run that are arguments of a model under the same name.
SHARED = (
    "max_steps",
    "scaler_type",
    "windows_batch_size",
    "batch_size",
    "learning_rate",
    "early_stop_patience_steps",
)

#: Default learning rates of linear models: with the library's 0.0001 they have not converged after
#: 1,000 steps (docs/accuracy.md).
LEARNING_RATES = {"DLinear": 0.005, "NLinear": 0.005}


#: Defaults since version 2 of the key ``model_defaults``. TiDE ends with a layer of one
#: value per step, which normalization makes constant: only a linear map of the lags would remain.
SINCE_2: dict[str, dict[str, Any]] = {"TiDE": {"layernorm": False}}


class Report(lightning.Callback):
    """Reports step and loss during training; raises an error when the loss is not finite.

    An automatic model trains `rounds` times in sequence.
    """

    def __init__(self, progress: Progress, rounds: int = 1):
        self.progress, self.rounds, self.round = progress, rounds, 0

    def __deepcopy__(self, memo: Any) -> Report:
        return self  # automatic models copy the arguments of each trial

    def on_train_start(self, trainer, module) -> None:  # type: ignore[no-untyped-def]
        self.round = min(self.round + 1, self.rounds)

    def on_train_batch_end(self, trainer, module, outputs, batch, batch_idx) -> None:  # type: ignore[no-untyped-def]
        loss = float(outputs["loss"].detach()) if isinstance(outputs, dict) else None
        if loss is not None and not np.isfinite(loss):
            raise ForecastError(
                f"the training loss is {loss} at step {trainer.global_step}; try a smaller "
                "learning_rate, another scaler_type, or look at the data"
            )
        done = (self.round - 1) * trainer.max_steps + trainer.global_step
        self.progress(done, self.rounds * trainer.max_steps, loss)


def _loss(value: Any, settings: dict[str, Any]) -> Any:
    """Build a loss from ``MAE`` or ``{name: MQLoss, level: [80, 95]}``.

    The levels of a loss default to those of the run.
    """
    if not isinstance(value, str | dict):
        return value
    arguments = {"name": value} if isinstance(value, str) else dict(value)
    loss = getattr(losses, arguments.pop("name"))
    accepted = inspect.signature(loss.__init__).parameters
    if (
        "level" in accepted
        and settings.get("levels")
        and not {"level", "quantiles"} & set(arguments)
    ):
        arguments["level"] = list(settings["levels"])
    return loss(**arguments)


def arguments_of(spec: ModelSpec, settings: dict[str, Any], data: Data) -> dict[str, Any]:
    """Return the arguments of the model's class: the run's settings, then the model's params."""
    accepted = inspect.signature(model_class(spec).__init__).parameters
    arguments: dict[str, Any] = {
        name: settings[name]
        for name in SHARED
        if name in accepted and settings.get(name) is not None
    }
    if settings.get("learning_rate") is None and spec.model in LEARNING_RATES:
        arguments["learning_rate"] = LEARNING_RATES[spec.model]
    if settings.get("model_defaults", 1) >= 2:
        arguments |= SINCE_2.get(spec.model, {})
    arguments |= {"h": windows.reach(settings), "input_size": settings["input_size"]}
    arguments |= {"random_seed": settings["seed"], "alias": spec.name}
    if "start_padding_enabled" in accepted:
        arguments["start_padding_enabled"] = settings["on_short"] == "pad"
    if "n_series" in accepted:
        arguments["n_series"] = data.history["unique_id"].nunique()
    for kind, columns in exogenous_columns(spec, settings).items():
        if columns and f"{kind}_list" in accepted:
            arguments[f"{kind}_list"] = columns
    if categorical := categorical_columns(spec, settings):
        series = data.history["unique_id"].nunique()
        sizes = {name: len(categories.values(settings, name)) or series for name in categorical}
        arguments |= {"cat_exog_list": categorical, "categorical_cardinalities": sizes}
    arguments |= spec.params
    arguments |= _validation_interval(arguments, accepted)
    if "loss" in arguments:
        arguments.setdefault("valid_loss", None)  # the training loss, not the class's default
    for name in ("loss", "valid_loss"):
        if name in arguments:
            arguments[name] = _loss(arguments[name], settings)
    return arguments


def _validation_interval(
    arguments: dict[str, Any], parameters: Mapping[str, inspect.Parameter]
) -> dict[str, int]:
    """Validate at the last step if training is shorter than the class's validation interval."""
    steps, interval = (
        arguments.get(name, parameters[name].default) for name in ("max_steps", "val_check_steps")
    )
    return {"val_check_steps": steps} if interval > steps else {}


def model_class(spec: ModelSpec) -> Any:
    """Return the class of the network; for an automatic model, the class that it tunes."""
    return getattr(model_classes, spec.info.base or spec.model)
