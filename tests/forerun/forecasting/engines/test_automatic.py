"""Searches of automatic models: failed trials, interruptions, time budgets."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from forerun.base.errors import UserError
from forerun.config.models import ModelSpec, specs
from forerun.config.settings import resolve
from forerun.data import prepare, split
from forerun.forecasting.checkpoint import Checkpoint
from forerun.forecasting.engines.base import Data, ForecastError, get_engine

pytestmark = pytest.mark.filterwarnings("ignore:suggest_:FutureWarning")

STEPS, TRIALS = 2, 3


class Killed(BaseException):
    """As if the process had been killed."""


class Steps:
    """Counts training steps; raises an error in one of them."""

    def __init__(self, failing: tuple[int, ...] = (), error: BaseException | None = None):
        self.failing, self.error = failing, error
        self.trained, self.seen = 0, list[tuple[int, int, bool]]()

    def __call__(
        self, step: int, max_steps: int, loss: float | None = None, resumed: bool = False
    ) -> None:
        self.seen.append((step, max_steps, resumed))
        self.trained += not resumed
        if self.error and self.trained in self.failing:
            raise self.error


def setting(**params: Any) -> tuple[ModelSpec, dict[str, Any]]:
    item = {"name": "AutoMLP", "params": {"hidden_size": 8, "num_layers": 1, **params}}
    asked = {"models": [item], "baselines": [], "horizon": 4, "input_size": 8, "n_windows": 1}
    asked |= {"num_samples": TRIALS, "max_steps": STEPS, "freq": 1, "season_length": 4}
    settings = resolve(asked)
    return specs(settings)[-1], settings


def run_data(settings: dict[str, Any]) -> Data:
    values = np.random.default_rng(3).normal(size=80).cumsum()
    table = {"unique_id": np.repeat(["a", "b"], 40), "ds": [*range(40)] * 2, "y": values}
    return Data(*split(prepare(pd.DataFrame(table), settings).frame, settings))


def searched(steps: Steps, checkpoint: Checkpoint | None = None, **params: Any) -> tuple[Any, Any]:
    """Return the trials and the weights of a search."""
    spec, settings = setting(**params)
    data = run_data(settings)
    data.checkpoint = checkpoint
    fitted = get_engine("neuralforecast").fit(spec, settings, data, steps)
    weights = {name: w.tolist() for name, w in fitted.models[0].state_dict().items()}
    return data.kept["trials"].drop(columns="seconds"), weights


def test_a_failed_trial_is_left_out(capfd: pytest.CaptureFixture[str]) -> None:
    trials, _ = searched(Steps((STEPS + 1,), RuntimeError("no memory")))
    assert trials["state"].tolist() == ["complete", "fail", "complete"]
    assert "trial 1 failed: RuntimeError: no memory" in capfd.readouterr().out


def test_a_search_whose_trials_all_fail_names_the_reason() -> None:
    everywhere = tuple(range(100))
    with pytest.raises(ForecastError, match="all 3 trials failed; the last one: OSError: broken"):
        searched(Steps(everywhere, OSError("broken")))


@pytest.mark.parametrize("failing", [(), (2,)], ids=["successful", "with a failed trial"])
def test_an_interrupted_search_resumes_with_the_same_result(
    failing: tuple[int, ...], tmp_path: Path
) -> None:
    path = str(tmp_path / "AutoMLP.checkpoint")
    expected = searched(Steps(failing, ValueError("failed")))
    steps = Steps((2 * STEPS + 1,), Killed())
    if failing:
        steps = Fails(failing)
    with pytest.raises(Killed):
        searched(steps, Checkpoint(path, "key", 600))
    steps = Steps()
    trials, weights = searched(steps, Checkpoint(path, "key", 600))
    assert steps.seen[0] == (2 * STEPS, (TRIALS + 1) * STEPS, True)
    assert steps.trained == 2 * STEPS  # the third trial, and the network with the best arguments
    assert trials.equals(expected[0])
    assert weights == expected[1]


class Fails(Steps):
    """Fails in some steps and is killed in the third trial."""

    def __init__(self, failing: tuple[int, ...]):
        super().__init__(failing, ValueError("failed"))

    def __call__(self, step: int, *rest: Any, **more: Any) -> None:
        if step > 2 * STEPS:
            raise Killed
        super().__call__(step, *rest, **more)


def test_results_of_others_are_ignored(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "AutoMLP.checkpoint"
    for state in (b"garbage", b"[1, {}]", b'[{"params": {"a": 1}, "seconds": 1, "loss": -1}]'):
        Checkpoint(str(path), "key", 600).write(2, 8, state)
        steps = Steps()
        searched(steps, Checkpoint(str(path), "key", 600))
        assert steps.trained == (TRIALS + 1) * STEPS
        printed = capfd.readouterr().out
        assert "the checkpoint is ignored" in printed or "has other arguments" in printed


def test_a_time_budget_keeps_completed_trials() -> None:
    trials, _ = searched(Steps(), time_budget=1e-6)
    assert trials["state"].tolist() == ["complete"]


@pytest.mark.parametrize("value", [0, "long", True])
def test_a_time_budget_is_a_number_of_seconds(value: object) -> None:
    with pytest.raises(UserError, match=r"params of AutoMLP: time_budget is .* must be a number"):
        setting(time_budget=value)
