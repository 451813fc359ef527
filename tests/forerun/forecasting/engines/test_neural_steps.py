"""Training steps with less overhead: weights and forecasts are those of NeuralForecast's own."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from importlib import import_module
from typing import Any

import numpy as np
import pandas as pd
import pytest
from lazily import lazily

from forerun.config.models import specs
from forerun.config.settings import resolve
from forerun.data import prepare, split
from forerun.forecasting.engines.base import Data, get_engine

torch = lazily("torch")
pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("ignore")]

#: With known future values, more windows than one step uses, short series, a validation.
CASES: dict[str, dict[str, Any]] = {
    "NHITS": {"params": {"mlp_units": [[4, 4]] * 3}, "val_size": 4},
    "LSTM": {"params": {"encoder_hidden_size": 4, "decoder_hidden_size": 4}, "on_short": "pad"},
    "TSMixerx": {"params": {"ff_dim": 4, "n_block": 1}},  # of all series jointly
    "TFT": {"params": {"hidden_size": 4, "n_head": 1}, "early_stop_patience_steps": 2},
}
CASES["TFT"]["val_size"] = 4
LONG = [pytest.param(name, marks=pytest.mark.long) for name in ("TSMixerx", "TFT")]


@pytest.fixture
def neural_steps() -> Any:
    return import_module("forerun.forecasting.engines.neural_steps")


@contextmanager
def as_it_is(model: Any) -> Iterator[None]:
    yield


def data_of(settings: dict[str, Any]) -> Data:
    draw = np.random.default_rng(3)
    frames = [
        pd.DataFrame(
            {
                "unique_id": f"s{n}",
                "ds": np.arange(length + 4),
                "y": [*draw.normal(n, 1, length), *[np.nan] * 4],
                "known": draw.normal(size=length + 4),
                "size": float(n),
            }
        )
        for n, length in enumerate((60, 60, 40))
    ]
    return Data(*split(prepare(pd.concat(frames, ignore_index=True), settings).frame, settings))


@pytest.mark.parametrize("model", ["NHITS", "LSTM", *LONG])
def test_weights_and_forecasts_are_the_same(
    model: str, neural_steps: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = {**CASES[model], "horizon": 4, "input_size": 8, "freq": 1, "season_length": 4}
    asked |= {"models": [{"name": model, "model": model, "params": asked.pop("params")}]}
    asked |= {"futr_exog": ["known"], "stat_exog": [] if model == "LSTM" else ["size"]}
    asked |= {"baselines": [], "n_windows": 2, "max_steps": 3, "windows_batch_size": 16}
    settings = resolve(asked)
    (spec,), engine = specs(settings), get_engine("neuralforecast")

    def trained() -> tuple[dict[str, Any], pd.DataFrame]:
        fitted = engine.fit(spec, settings, data_of(settings), lambda *_: None)
        frame = engine.cross_validate(spec, settings, data_of(settings), 2, lambda *_: None)
        return fitted.models[0].state_dict(), frame

    weights, forecasts = trained()
    assert neural_steps.BaseModel._create_windows is neural_steps._CREATE_WINDOWS  # as before
    assert "log" not in vars(neural_steps.BaseModel)
    monkeypatch.setattr(neural_steps, "less_overhead", as_it_is)
    before, expected = trained()
    assert weights.keys() == before.keys()
    assert all(torch.equal(weights[name], before[name]) for name in weights)
    pd.testing.assert_frame_equal(forecasts, expected, check_exact=True)


def test_only_the_chosen_windows_are_copied(neural_steps: Any) -> None:
    values = torch.arange(2 * 5.0).reshape(2, 1, 5)  # two series of five steps
    windows = neural_steps._Windows(values.unfold(-1, 3, 1).permute(0, 2, 3, 1))
    found = windows[torch.tensor([1, 5])]  # the second of the first series, the last of the other
    assert found.shape == (2, 3, 1, 1)
    assert found.flatten().tolist() == [1, 2, 3, 7, 8, 9]
