"""Losses of networks: each combination of loss, distribution, levels and quantiles is checked."""

from __future__ import annotations

import re
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from forerun.base.errors import UserError
from forerun.config import training_losses
from forerun.config.settings import resolve


def resolved(loss: Any = None, model: str = "MLP", **params: Any) -> dict[str, Any]:
    given = params | ({} if loss is None else {"loss": loss})
    models = [{"name": "a", "model": model, "params": given}]
    return resolve({"models": models, "baselines": [], "horizon": 3, "input_size": 6})


def distribution(name: str, **arguments: Any) -> dict[str, Any]:
    return {"name": "DistributionLoss", "distribution": name, **arguments}


#: Losses with which a network can be trained and makes point forecasts.
GOOD: list[Any] = [
    *("MAE", "MSE", "RMSE", "MAPE", "SMAPE", "FreDF", "HuberLoss", "TukeyLoss"),
    *("IQLoss", "HuberIQLoss", "MQLoss", "HuberMQLoss", "GMM", "PMM", "NBMM"),
    {"name": "MASE", "seasonality": 3},
    {"name": "QuantileLoss", "q": 0.9},
    {"name": "HuberQLoss", "q": 0.5, "delta": 2.0},
    {"name": "MQLoss", "level": [80, 95]},
    {"name": "MQLoss", "level": []},
    {"name": "MQLoss", "quantiles": [0.9, 0.5, 0.1]},
    {"name": "MQLoss", "quantiles": [0.2, 0.5, 0.9]},
    {"name": "HuberMQLoss", "quantiles": [0.5], "delta": 0.5},
    {"name": "GMM", "quantiles": [0.05, 0.95]},
    {"name": "GMM", "n_components": 3, "weighted": True},
    *map(distribution, ("Normal", "StudentT", "Poisson", "NegativeBinomial", "Bernoulli", "ISQF")),
    distribution("Tweedie", rho=1.5),
    distribution("StudentT", level=[90]),
    distribution("Normal", quantiles=[0.05, 0.95], return_params=True, num_samples=50),
    distribution("ISQF", num_pieces=3),
]
NEEDED = "which is the point forecast"
LEVELS = "levels are in percent, between 1 and 100"
#: (loss, expected part of the message)
BAD: list[tuple[Any, str]] = [
    ({"name": "MQLoss", "quantiles": [0.1, 0.9]}, f"{NEEDED}; write quantiles: [0.1, 0.5, 0.9]"),
    ({"name": "HuberMQLoss", "quantiles": [0.9]}, f"{NEEDED}; write quantiles: [0.5, 0.9]"),
    ({"name": "MQLoss", "quantiles": [0.5], "level": [95]}, "level or quantiles, not both"),
    (distribution("Normal", quantiles=[0.5], level=[95]), "level or quantiles, not both"),
    ({"name": "GMM", "quantiles": [0.5], "level": [95]}, "level or quantiles, not both"),
    ({"name": "MQLoss", "level": [0.8]}, f"has the level 0.8; {LEVELS}; write 80"),
    (distribution("Normal", level=[0.95]), "write 95"),
    ({"name": "PMM", "level": [100]}, "has the level 100"),
    ({"name": "MQLoss", "level": [0]}, "has the level 0"),
    ({"name": "MQLoss", "level": [-80]}, "has the level -80"),
    ({"name": "MQLoss", "level": ["80"]}, "has the level '80'"),
    ({"name": "MQLoss", "level": 80}, "must be a list such as [80, 95]"),
    ({"name": "MQLoss", "level": [80, 80]}, "has duplicates in level"),
    ({"name": "MQLoss", "quantiles": [5, 50]}, "5; it must be between 0 and 1; write 0.05"),
    ({"name": "MQLoss", "quantiles": [0, 0.5, 1]}, "has the quantile 0"),
    ({"name": "MQLoss", "quantiles": [0.5, 0.5]}, "has duplicates in quantiles"),
    ({"name": "MQLoss", "quantiles": []}, "must be a list such as"),
    ({"name": "MQLoss", "quantiles": 0.5}, "must be a list such as"),
    (distribution("Normal", quantiles=[1.5]), "has the quantile 1.5"),
    ({"name": "NBMM", "quantiles": ["a"]}, "has the quantile 'a'"),
    ({"name": "QuantileLoss", "q": 95}, "the quantile 95; it must be between 0 and 1; write 0.95"),
    ({"name": "QuantileLoss", "q": [0.5]}, "has the quantile [0.5]"),
    ("QuantileLoss", "needs the argument 'q', a quantile between 0 and 1, such as q: 0.5"),
    ("MASE", "needs the argument 'seasonality', the steps of a season"),
    ("DistributionLoss", "needs the argument 'distribution', one of Normal"),
    (distribution("Gaussian"), "has no distribution 'Gaussian', only Normal, StudentT"),
    (distribution("poisson"), "did you mean 'Poisson'?"),
    (distribution(["Normal"]), "has no distribution ['Normal']"),
    (distribution("Tweedie"), "'rho', a number between 1 and 2, such as rho: 1.5"),
    (distribution("Tweedie", rho=2), "has rho 2; it must be a number between 1 and 2"),
    (distribution("Tweedie", rho="x"), "has rho 'x'"),
    (distribution("Normal", rho=1.5), "takes 'rho' with the distribution Tweedie only, leave"),
    (distribution("Normal", num_pieces=3), "takes 'num_pieces' with the distribution ISQF only"),
    (distribution("ISQF", return_params=True), "cannot return_params of ISQF"),
    (distribution("Tweedie", rho=1.5, return_params=True), "cannot return_params of Tweedie"),
    (distribution("Normal", num_samples=0), "num_samples 0; it must be an integer of at least 1"),
    (distribution("Normal", return_params="x"), "has return_params 'x'; it must be true or false"),
    ("Poisson", "write {name: DistributionLoss, distribution: Poisson}"),
    ("mae", "did you mean 'MAE'?"),
    ({"name": "MAE", "horizon_weight": [1, 1, 1]}, "'horizon_weight' is an array"),
    ({"name": "HuberLoss", "delta": 0}, "has delta 0; it must be a number above 0"),
    ({"name": "FreDF", "alpha": 2}, "has alpha 2; it must be a number from 0 to 1"),
    ({"name": "GMM", "n_components": 1.5}, "has n_components 1.5"),
    ({"name": "MASE", "seasonality": 0}, "has seasonality 0"),
]  # fmt: skip


@pytest.mark.parametrize("loss", GOOD, ids=str)
def test_accepted(loss: Any) -> None:
    assert resolved(loss)["models"][0]["params"] == {"loss": loss}


@pytest.mark.parametrize(("loss", "words"), BAD, ids=[str(loss) for loss, _ in BAD])
@pytest.mark.parametrize("key", ["loss", "valid_loss"])
def test_refused(key: str, loss: Any, words: str) -> None:
    with pytest.raises(UserError) as caught:
        resolved(**{key: loss})
    (line,) = str(caught.value).splitlines()
    assert line.startswith(f"configuration: models[0]: params of a: {key} ")
    assert words in line


MQ = {"name": "MQLoss", "quantiles": [0.1, 0.5, 0.9]}


@pytest.mark.parametrize(
    ("loss", "valid", "words"),
    [
        ("MAE", "MSE", ""),
        ("MQLoss", None, ""),
        ("MQLoss", "HuberMQLoss", ""),
        (MQ, MQ, ""),
        ("IQLoss", "IQLoss", ""),
        ("GMM", "GMM", ""),
        ("GMM", "MAE", ""),
        (distribution("Normal"), "MQLoss", ""),
        ("MQLoss", "MAE", "valid_loss MAE cannot be combined with the loss MQLoss"),
        ("MAE", "MQLoss", "valid_loss MQLoss requires a loss with the same quantiles"),
        (None, "MQLoss", "valid_loss MQLoss requires a loss with the same quantiles"),
        (MQ, "MQLoss", "with the same quantiles; leave valid_loss out"),
        (distribution("Normal"), MQ, "with the same quantiles; leave valid_loss out"),
        ("IQLoss", "MAE", "valid_loss must be IQLoss when loss is; leave valid_loss out"),
        ("IQLoss", "HuberIQLoss", "valid_loss must be IQLoss"),
        ("MAE", "GMM", "valid_loss GMM requires the same loss"),
        ("GMM", "PMM", "valid_loss PMM requires the same loss"),
    ],
)
def test_pairs(loss: Any, valid: Any, words: str) -> None:
    if not words:
        resolved(loss, valid_loss=valid)
        return
    with pytest.raises(UserError, match=re.escape(words)):
        resolved(loss, valid_loss=valid)


@pytest.mark.parametrize("loss", ["MQLoss", "GMM", distribution("Normal")])
def test_a_network_of_points(loss: Any) -> None:
    with pytest.raises(
        UserError, match=r"DeepNPTS supports point losses only .such as MAE.; loss is"
    ):
        resolved(loss, model="DeepNPTS")
    resolved("MAE", model="DeepNPTS")


def test_the_distributions_are_those_of_the_library() -> None:
    spec = find_spec("neuralforecast")
    assert spec is not None
    assert spec.submodule_search_locations is not None
    folder = Path(spec.submodule_search_locations[0])
    text = (folder / "losses/pytorch.py").read_text(encoding="utf-8")
    block = re.search(r"available_distributions = dict\((.*?)\n        \)", text, re.DOTALL)
    assert block
    assert set(re.findall(r"(\w+)=", block[1])) == set(training_losses.DISTRIBUTIONS)
    examples = {*GOOD[:15], *(one["name"] for one in GOOD[15:])}
    assert examples == set(training_losses.losses())  # each loss has a good example


@pytest.mark.parametrize("devices", [2, "auto", [0, 1], True])
def test_one_device(devices: Any) -> None:
    with pytest.raises(UserError, match=r"devices is .*, one fit uses one device: leave it out"):
        resolved(devices=devices)
    resolved(devices=1)


#: A loss of each kind: of points, of one quantile, of many, of a random one, mixed, a distribution.
KINDS = [
    *("MAE", {"name": "QuantileLoss", "q": 0.9}, {"name": "MQLoss", "quantiles": [0.9, 0.5, 0.1]}),
    *("IQLoss", "GMM", distribution("Normal", quantiles=[0.05, 0.95], return_params=True)),
    *(distribution("Tweedie", rho=1.5), distribution("ISQF")),
]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("model", "accepted"),
    [
        pytest.param("MLP", KINDS, id="MLP"),
        pytest.param("MLP", GOOD, id="MLP, all", marks=pytest.mark.long),
        pytest.param("DeepAR", ["MAE", "MQLoss", "HuberIQLoss"], id="DeepAR"),
    ],
)
def test_accepted_losses_train_and_give_a_point_forecast(model: str, accepted: list[Any]) -> None:
    from forerun.config.models import specs
    from forerun.forecasting.engines import neural
    from forerun.forecasting.engines.base import Data

    random = np.random.default_rng(0)
    days = pd.date_range("2024-01-01", periods=40)
    frame = pd.DataFrame({"unique_id": "a", "ds": days, "y": 10 + random.random(40)})
    for loss in accepted:
        settings = resolved(loss, model) | {"freq": "D", "season_length": 7, "levels": [80]}
        settings |= {"max_steps": 1, "val_size": 6}
        binary = frame["y"].gt(10.5).astype(float)
        data = Data(frame.assign(y=binary) if "Bernoulli" in str(loss) else frame)
        (spec,) = specs(settings)
        fitted = neural.fit(spec, settings, data, lambda *_: None)
        assert "a" in neural.predict(fitted, settings, data).columns, loss
