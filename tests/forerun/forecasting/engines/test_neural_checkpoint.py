"""A network resumed from a checkpoint equals one that was not interrupted, to the byte."""

from __future__ import annotations

import io
import pickle
import random
import warnings
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pandas as pd
import pytest
from lazily import lazily

from forerun.config.models import specs
from forerun.config.settings import resolve
from forerun.data import prepare, split
from forerun.forecasting.checkpoint import Checkpoint
from forerun.forecasting.engines.base import Data, get_engine

torch = lazily("torch")
pytestmark = [pytest.mark.filterwarnings("ignore")]

SERIES, STEPS = 10, 12
#: Three steps for each epoch; dropout draws random numbers in each.
TINY: dict[str, dict[str, Any]] = {
    "NHITS": {"mlp_units": [[8, 8]] * 3, "dropout_prob_theta": 0.3},
    "LSTM": {"encoder_hidden_size": 4, "decoder_hidden_size": 4},
    "TSMixer": {"ff_dim": 4, "n_block": 1},
    "DeepAR": {"lstm_hidden_size": 4, "decoder_hidden_size": 4, "trajectory_samples": 5},
    "TiDE": {"hidden_size": 4, "decoder_output_dim": 2, "temporal_decoder_dim": 4},
}


class Killed(BaseException):
    """Stops a training like a kill."""


def table() -> pd.DataFrame:
    draw = np.random.default_rng(3)
    steps = np.arange(40)
    frames = [
        pd.DataFrame(
            {"unique_id": f"s{n}", "ds": steps, "y": n + np.sin(steps) + draw.normal(size=40)}
        )
        for n in range(SERIES)
    ]
    return pd.concat(frames, ignore_index=True)


class Training:
    """Trainings of one model, each as in a new process."""

    def __init__(self, model: str, folder: Path, **settings: Any):
        given = {"models": [{"name": model, "model": model, "params": TINY[model]}]}
        given |= {"baselines": [], "horizon": 4, "input_size": 8, "freq": 1, "season_length": 4}
        given |= {"n_windows": 2, "max_steps": STEPS, "windows_batch_size": 8, "batch_size": 4}
        self.settings = resolve(given | settings)
        self.spec = specs(self.settings)[0]
        self.engine, self.folder = get_engine("neuralforecast"), folder
        self.seen: list[int] = []
        self.resumed = 0

    def run(
        self, checkpoint: Checkpoint | None = None, until: int | None = None, folds: bool = False
    ) -> dict[str, bytes]:
        """Train, at most `until` a step; return the files of the model, or the forecasts."""
        warnings.simplefilter("ignore")
        random.seed()
        self.seen = []

        def progress(step: int, most: int, loss: float | None, resumed: bool = False) -> None:
            if resumed:
                self.resumed = step
                return
            self.seen.append(step)
            if step == until:
                raise Killed

        data = Data(*split(prepare(table(), self.settings).frame, self.settings))
        data.checkpoint = checkpoint
        if folds:
            frame = self.engine.cross_validate(self.spec, self.settings, data, 2, progress)
            return {"frame": frame.to_csv().encode()}
        fitted = self.engine.fit(self.spec, self.settings, data, progress)
        target = self.folder / "model"
        target.mkdir(exist_ok=True)
        self.engine.save(fitted, target)
        return {path.name: path.read_bytes() for path in sorted(target.iterdir())}

    def checkpoint(self, key: str = "a", seconds: float = 0) -> Checkpoint:
        return Checkpoint(str(self.folder / "a.checkpoint"), key, seconds)


#: A network with early stopping, and a recurrent one in cross-validation; then all others.
QUICK = [("NHITS", True, False), ("LSTM", False, True)]
ALL = [(m, early, folds) for m in TINY for early in (True, False) for folds in (True, False)]
CASES = [*QUICK, *(pytest.param(*c, marks=pytest.mark.long) for c in ALL if c not in QUICK)]


@pytest.mark.slow
@pytest.mark.parametrize(("model", "early", "folds"), CASES)
def test_a_resumed_training_ends_as_an_uninterrupted_one(
    model: str, early: bool, folds: bool, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """It is stopped twice within an epoch: before and after a validation."""
    more = {"early_stop_patience_steps": 2, "val_size": 4} if early else {}
    training = Training(model, tmp_path, **more)
    if early:
        training.spec.params.update(val_check_steps=2)
    expected = training.run(folds=folds)
    whole = training.seen
    for until in (4, 6):
        with pytest.raises(Killed):
            training.run(training.checkpoint(), until, folds=folds)
    assert training.run(training.checkpoint(), folds=folds) == expected
    assert training.seen == [step for step in whole if step > 5]
    assert "resumed at step 5 of 12" in capsys.readouterr().out


@pytest.mark.slow
def test_a_checkpoint_that_cannot_be_used_is_named_and_ignored(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    training = Training("LSTM", tmp_path, max_steps=3)
    checkpoint = training.checkpoint()
    with pytest.raises(Killed):
        training.run(checkpoint, 2)
    path = Path(checkpoint.path)
    state = path.read_bytes().partition(b"\n")[2]
    found = torch.load(io.BytesIO(state), weights_only=True)
    found["weights"].popitem()
    other = io.BytesIO()
    torch.save(found, other)
    contents = {b"no pickle": "is damaged", pickle.dumps(Evil()): "is damaged"}
    contents |= {other.getvalue(): "belongs to another network", bytes(65_000_000): "is too large"}
    for content, reason in contents.items():
        checkpoint.write(1, 3, content)
        training.run(training.checkpoint(seconds=1000))
        assert training.seen == [1, 2, 3]
        assert reason in (out := capsys.readouterr().out)
        assert f"{path}: " in out
        assert "the checkpoint is ignored" in out
    assert not Evil.ran


class Evil:
    """Code that unpickling would run."""

    ran: ClassVar[list[int]] = []

    def __reduce__(self) -> Any:
        return Evil.ran.append, (1,)
