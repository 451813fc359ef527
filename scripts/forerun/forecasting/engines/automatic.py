"""NeuralForecast's automatic models: networks whose hyperparameters optuna tunes.

A trial that fails is left out. Results of completed trials are saved after each: an interrupted
search proposes the same arguments again and takes their results instead of training.
"""

from __future__ import annotations

import inspect
import json
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import neuralforecast.auto as auto_classes
import optuna
import pandas as pd
from neuralforecast.common._base_auto import OptunaOptions

from forerun.base.bounded import Damaged, parse_json, shaped
from forerun.forecasting.engines.base import ForecastError

if TYPE_CHECKING:
    from forerun.config.models import ModelSpec
    from forerun.forecasting.checkpoint import Checkpoint
    from forerun.forecasting.engines.neural_arguments import Report

optuna.logging.set_verbosity(optuna.logging.WARNING)

#: Arguments that the run sets; users fix others in the model's params.
FIXED = (
    "input_size", "max_steps", "random_seed", "alias", "n_series", "start_padding_enabled",
    "early_stop_patience_steps", "val_check_steps", "hist_exog_list", "futr_exog_list",
    "stat_exog_list", "cat_exog_list", "categorical_cardinalities",
    "accelerator", "devices", "precision", "logger", "enable_checkpointing",
    "enable_progress_bar", "enable_model_summary", "default_root_dir", "callbacks",
)  # fmt: skip
_OF_SEARCH = ("refit_with_val", "num_samples", "time_budget", "verbose")
#: Maximum size in bytes of the saved results of a search.
LARGEST = 64_000_000
_SHAPE = {"params": dict, "seconds": float, "loss": float, "train_loss": float, "error": str}


def number_of_trials(spec: ModelSpec, settings: dict[str, Any]) -> int:
    """Return the largest number of trials of an automatic model."""
    return int(spec.params.get("num_samples", settings["num_samples"]))


def build(
    spec: ModelSpec,
    settings: dict[str, Any],
    arguments: dict[str, Any],
    report: Report,
    checkpoint: Checkpoint | None = None,
) -> Any:
    """Build an automatic model.

    Parameters
    ----------
    arguments : arguments of the network itself. :data:`FIXED` and the user's params are kept; the
        others are tuned over the default search space of the class.
    report : the callback that reports the steps of all trainings
    checkpoint : where results of trials are saved
    """
    cls = getattr(auto_classes, spec.model)
    search = Search(number_of_trials(spec, settings), arguments["max_steps"], report, checkpoint)
    accepted = inspect.signature(cls.__init__).parameters
    more = {"n_series": arguments["n_series"]} if "n_series" in accepted else {}
    default = cls.get_default_config(h=arguments["h"], backend="optuna", **more)
    own = {name: arguments[name] for name in spec.params}
    of_class = {name: own.pop(name) for name in _OF_SEARCH if name in own}
    losses = {name: own.pop(name) for name in ("loss", "valid_loss") if name in own}
    fixed = {name: arguments[name] for name in FIXED if name in arguments} | own

    def config(trial: Any) -> dict[str, Any]:
        searched = {k: v for k, v in default(trial).items() if k not in ("h", *losses)}
        if isinstance(trial, optuna.Trial):
            search.start(trial)
        chosen = {k: v for k, v in searched.items() if v is not None or k not in _EMPTY}
        chosen.pop("inference_input_size", None)  # follows the input size
        return chosen | fixed

    model = type(cls.__name__, (_Resumable, cls), {})(
        h=arguments["h"],
        config=config,
        backend="optuna",
        search_alg=optuna.samplers.TPESampler(seed=settings["seed"]),
        num_samples=of_class.pop("num_samples", settings["num_samples"]),
        optuna_options=OptunaOptions(study_kwargs={"catch": (Exception,)}),
        callbacks=[search.record],
        alias=spec.name,
        **more,
        **of_class,
        **losses,
    )
    model.search = search
    return model


_EMPTY = ("loss", "valid_loss", "n_series")


@dataclass(frozen=True)
class _Trial:
    """A completed trial: its arguments, and its losses or its error."""

    params: dict[str, Any]
    seconds: float
    loss: float | None = None
    train_loss: float | None = None
    error: str | None = None


@dataclass
class Search:
    """The completed trials of a search.

    Attributes
    ----------
    number : largest number of trials
    steps : training steps of each trial, and of the training with the best arguments
    completed : by number of the trial
    running : number of the trial that is proposed or trained; None otherwise
    error : why the last training failed
    """

    number: int
    steps: int
    report: Report
    checkpoint: Checkpoint | None = None
    completed: list[_Trial] = field(default_factory=list)
    running: int | None = None
    error: str | None = None

    def __deepcopy__(self, memo: Any) -> Search:
        return self

    def tune(self, tune: Callable[..., optuna.Study], arguments: dict[str, Any]) -> optuna.Study:
        """Run the search from its saved trials on; refuse one without a successful trial."""
        self.completed = self._saved()
        if self.completed:
            done, total = len(self.completed) * self.steps, (self.number + 1) * self.steps
            print(f"resumed after {len(self.completed)} trials of {self.number}", flush=True)
            self.report.progress(done, total, None, resumed=True)
        if arguments["time_budget"] is not None:
            left = arguments["time_budget"] - sum(trial.seconds for trial in self.completed)
            if left > 0 or not self.completed:
                arguments |= {"time_budget": max(left, 0.001)}
            else:
                arguments |= {"time_budget": None, "num_samples": len(self.completed)}
        study = tune(**arguments)
        self.running = None
        if not any(trial.state.name == "COMPLETE" for trial in study.trials):
            raise ForecastError(
                f"all {len(study.trials)} trials failed; the last one: {self.error}"
            )
        return study

    def start(self, trial: optuna.Trial) -> None:
        """Note which trial is trained next; saved results of other arguments are dropped."""
        self.running = trial.number
        if trial.number < len(self.completed):
            saved = self.completed[trial.number].params
            if json.dumps(saved) != json.dumps(trial.params):
                print(f"forerun: trial {trial.number} has other arguments than before", flush=True)
                del self.completed[trial.number :]

    def train(self, train: Callable[..., Any], arguments: dict[str, Any]) -> Any:
        """Train the network of a trial or with the best arguments; look completed trials up."""
        if self.running is None:
            self.report.round = self.number
            return train(**arguments)
        if self.running < len(self.completed):
            saved = self.completed[self.running]
            if saved.error is not None:
                raise ForecastError(saved.error)
            losses = {"ptl/val_loss": saved.loss, "train_loss": saved.train_loss}
            return SimpleNamespace(metrics=losses)
        self.report.round, self.error = self.running, None
        try:
            return train(**arguments)
        except Exception as error:
            self.error = f"{type(error).__name__}: {' '.join(str(error).split())[:300]}"
            print(f"trial {self.running} failed: {self.error}", flush=True)
            raise

    def record(self, study: optuna.Study, trial: optuna.trial.FrozenTrial) -> None:
        """Save the result of a trial that has just ended."""
        if trial.number < len(self.completed):
            return
        seconds = trial.duration.total_seconds() if trial.duration else 0.0
        losses = trial.user_attrs.get("METRICS", {})
        if trial.state.name != "COMPLETE":
            self.error = self.error or "its loss is not finite"
            losses = {"error": self.error}
        self.completed.append(_Trial(trial.params, seconds, **losses))
        if self.checkpoint is not None:
            state = json.dumps([asdict(one) for one in self.completed]).encode()
            done, total = len(self.completed) * self.steps, (self.number + 1) * self.steps
            try:
                self.checkpoint.write(done, total, state)
            except OSError as error:
                print(f"forerun: no checkpoint was saved: {error}", flush=True)

    def _saved(self) -> list[_Trial]:
        """Return the saved trials; unusable ones are reported and ignored."""
        try:
            found = self.checkpoint.read(LARGEST) if self.checkpoint else None
            if found is None:
                return []
            records = parse_json(found[1].decode())
            return [_Trial(**shaped(record, _SHAPE)) for record in records]
        except (Damaged, ValueError, TypeError) as error:
            print(f"forerun: {error}; the checkpoint is ignored", flush=True)
            return []


class _Resumable:
    """Has an automatic class search with :class:`Search`."""

    search: Search

    def _optuna_tune_model(self, **arguments: Any) -> optuna.Study:
        return self.search.tune(super()._optuna_tune_model, arguments)  # type: ignore[misc]

    def _fit_model(self, **arguments: Any) -> Any:
        return self.search.train(super()._fit_model, arguments)  # type: ignore[misc]


def trials(study: optuna.Study) -> pd.DataFrame:
    """Return one row for each trial: ``trial``, ``loss``, ``seconds``, ``state``, arguments."""
    rows = []
    for trial in study.trials:
        seconds = trial.duration.total_seconds() if trial.duration else None
        row = {"trial": trial.number, "loss": trial.value, "seconds": seconds}
        rows.append(row | {"state": trial.state.name.lower()} | trial.params)
    return pd.DataFrame(rows).sort_values("trial", ignore_index=True)
