"""NeuralForecast's automatic models: networks whose hyperparameters optuna tunes."""

from __future__ import annotations

import inspect
from typing import TYPE_CHECKING, Any

import neuralforecast.auto as auto_classes
import optuna
import pandas as pd

if TYPE_CHECKING:
    from forerun.config.models import ModelSpec

optuna.logging.set_verbosity(optuna.logging.WARNING)

#: Arguments that the run sets; users fix others in the model's params.
FIXED = (
    "input_size", "max_steps", "random_seed", "alias", "n_series", "start_padding_enabled",
    "early_stop_patience_steps", "val_check_steps", "hist_exog_list", "futr_exog_list",
    "stat_exog_list", "cat_exog_list", "categorical_cardinalities",
    "accelerator", "devices", "precision", "logger", "enable_checkpointing",
    "enable_progress_bar", "enable_model_summary", "default_root_dir", "callbacks",
)  # fmt: skip
_OF_SEARCH = ("refit_with_val", "num_samples", "verbose")


def build(spec: ModelSpec, settings: dict[str, Any], arguments: dict[str, Any]) -> Any:
    """Build an automatic model.

    Parameters
    ----------
    arguments : arguments of the network itself. :data:`FIXED` and the user's params are kept; the
        others are tuned over the default search space of the class.
    """
    cls = getattr(auto_classes, spec.model)
    accepted = inspect.signature(cls.__init__).parameters
    more = {"n_series": arguments["n_series"]} if "n_series" in accepted else {}
    default = cls.get_default_config(h=arguments["h"], backend="optuna", **more)
    own = {name: arguments[name] for name in spec.params}
    of_class = {name: own.pop(name) for name in _OF_SEARCH if name in own}
    losses = {name: own.pop(name) for name in ("loss", "valid_loss") if name in own}
    fixed = {name: arguments[name] for name in FIXED if name in arguments} | own

    def config(trial: Any) -> dict[str, Any]:
        searched = {k: v for k, v in default(trial).items() if k not in ("h", *losses)}
        chosen = {k: v for k, v in searched.items() if v is not None or k not in _EMPTY}
        chosen.pop("inference_input_size", None)  # follows the input size
        return chosen | fixed

    return cls(
        h=arguments["h"],
        config=config,
        backend="optuna",
        search_alg=optuna.samplers.TPESampler(seed=settings["seed"]),
        num_samples=of_class.pop("num_samples", settings["num_samples"]),
        alias=spec.name,
        **more,
        **of_class,
        **losses,
    )


_EMPTY = ("loss", "valid_loss", "n_series")


def trials(study: optuna.Study) -> pd.DataFrame:
    """Return one row for each trial: ``trial``, ``loss``, ``seconds``, ``state``, arguments."""
    rows = []
    for trial in study.trials:
        seconds = trial.duration.total_seconds() if trial.duration else None
        row = {"trial": trial.number, "loss": trial.value, "seconds": seconds}
        rows.append(row | {"state": trial.state.name.lower()} | trial.params)
    return pd.DataFrame(rows).sort_values("trial", ignore_index=True)
