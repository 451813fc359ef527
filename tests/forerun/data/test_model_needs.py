"""Requirements of models on the data are checked before training."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from forerun.base.errors import UserError
from forerun.cli.app import run
from forerun.config.settings import resolve
from forerun.data import model_needs


def checked(values: list[float | None], season: int = 7, **model: Any) -> None:
    days = pd.date_range("2024-01-01", periods=len(values))
    frame = pd.DataFrame({"unique_id": "a", "ds": days, "y": values}, dtype=object)
    settings = resolve({"models": [{"name": "m", **model}], "baselines": [], "input_size": 6})
    model_needs.check(settings | {"season_length": season}, frame.astype({"y": float}))


def distribution(name: str, **arguments: Any) -> dict[str, Any]:
    return {"loss": {"name": "DistributionLoss", "distribution": name, **arguments}}


NOT_NEGATIVE = [
    distribution("Poisson"),
    distribution("NegativeBinomial"),
    distribution("Tweedie", rho=1.5),
    {"loss": "PMM"},
    {"loss": {"name": "NBMM", "n_components": 2}},
]


@pytest.mark.parametrize("params", NOT_NEGATIVE, ids=str)
@pytest.mark.parametrize("model", ["NHITS", "DeepAR"])
def test_counts_are_not_negative(model: str, params: dict[str, Any]) -> None:
    checked([1, 0, 6, None], model=model, params=params)
    with pytest.raises(UserError) as caught:
        checked([1, -1, 6, -2, None], model=model, params=params)
    output = str(caught.value)
    assert (
        " of m needs a target without negative values: the target of series 'a' at 2024-01-02"
        in output
    )
    assert "is -1 (2 such values in all); use the distribution Normal or StudentT" in output


def test_other_losses_take_any_target() -> None:
    for params in ({}, {"loss": "MAE"}, {"loss": "GMM"}, distribution("Normal")):
        checked([1, -1, 6], model="NHITS", params=params)


def test_the_target_that_the_model_sees_counts() -> None:
    with pytest.raises(UserError, match=r"the log of the target of series 'a' at .* is -0.69"):
        checked([2, 0.5, 6], model="NHITS", params=distribution("Poisson"), transform="log")


def test_zero_or_one() -> None:
    checked([0, 1, 1, None], model="NHITS", params=distribution("Bernoulli"))
    with pytest.raises(UserError, match=r"needs a target of 0 and 1 only.*is 2 .1 such values"):
        checked([0, 2, 1], model="NHITS", params=distribution("Bernoulli"))


@pytest.mark.parametrize("key", ["loss", "valid_loss"])
def test_the_season_of_mase_is_shorter_than_the_input(key: str) -> None:
    checked([1, 2], model="MLP", params={key: {"name": "MASE", "seasonality": 5}})
    with pytest.raises(
        UserError, match=f"the {key} MASE of m has a seasonality of 6, its input_size"
    ):
        checked([1, 2], model="MLP", params={key: {"name": "MASE", "seasonality": 6}})
    longer = {key: {"name": "MASE", "seasonality": 6}, "input_size": 12}
    checked([1, 2], model="MLP", params=longer)


def test_models_that_decompose_seasons_need_one() -> None:
    checked([1, 2], model="MSTL")
    checked([1, 2], season=1, model="MSTL", params={"season_length": [7, 365]})
    checked([1, 2], season=1, model="AutoETS")
    with pytest.raises(UserError, match="m needs a season, but season_length is 1"):
        checked([1, 2], season=1, model="MSTL")


def test_a_missing_package_is_named_with_its_command(monkeypatch: pytest.MonkeyPatch) -> None:
    from forerun.config import engines

    installed = engines.version
    monkeypatch.setattr(
        engines, "version", lambda name: None if name == "scikit-learn" else installed(name)
    )
    for model in ("MFLES", "AutoMFLES"):
        with pytest.raises(UserError, match="it needs the package scikit-learn; install it with"):
            checked([1, 2], model=model)


def test_train_refuses_before_the_run_is_created(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    days = pd.date_range("2024-01-01", periods=40)
    values = [float(day % 7 - 1) for day in range(40)]
    pd.DataFrame({"unique_id": "a", "ds": days, "y": values}).to_csv("neg.csv", index=False)
    Path("my.yaml").write_text(
        "data_file: neg.csv\nhorizon: 2\ninput_size: 4\nbaselines: []\n"
        "models: [{name: p, model: MLP, params: {loss: {name: DistributionLoss,"
        " distribution: Poisson}}}]\n"
    )
    assert run(["train", "--run-id", "new", "--config", "my.yaml"]) == 2
    assert "the loss Poisson of p needs a target without negative" in capsys.readouterr().err
    assert not Path("runs").exists()


def test_networks_that_ignore_future_values_are_noted() -> None:
    asked = {"models": ["TimesNet", "NHITS"], "futr_exog": ["promo"], "season_length": 7}
    assert model_needs.notes(resolve(asked)) == [
        "TimesNet: this network uses known columns only up to the cutoff; its forecasts do not "
        "depend on their future values"
    ]
    assert model_needs.notes(resolve(asked | {"futr_exog": []})) == []
    assert model_needs.notes(resolve(asked | {"models": ["NHITS"]})) == []
