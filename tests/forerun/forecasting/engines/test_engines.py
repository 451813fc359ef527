"""Every model class trains, cross-validates, saves, loads and predicts.

`make test` tests one model of each family, `make test-all` all of them.

One process trains all classes, and one serves what loads them, for importing the libraries takes
longer than training.
"""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import tiny_weights
from fresh_process import forecast_saved

from forerun.base.errors import UserError
from forerun.config import catalog
from forerun.config.models import ModelSpec, specs
from forerun.config.settings import resolve
from forerun.data import prepare, split
from forerun.forecasting.engines.base import Data, ForecastError, get_engine

pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("ignore")]

HORIZON, WINDOWS, SERIES = 4, 2, 3
SMALL: dict[str, dict[str, Any]] = {
    "AutoMFLES": {"n_windows": 1},
    "AutoARIMA": {"max_p": 1, "max_q": 1, "max_P": 1, "max_Q": 0, "max_d": 1, "max_D": 0},
    "AutoTBATS": {"use_boxcox": False, "use_trend": False, "use_arma_errors": False},
    "NHITS": {"mlp_units": [[8, 8]] * 3},
    "NBEATS": {"mlp_units": [[8, 8]] * 3},
    "NBEATSx": {"mlp_units": [[8, 8]] * 3},
    "TimesNet": {"hidden_size": 4, "conv_hidden_size": 4},
    "StemGNN": {"multi_layer": 1},
    "TimeMixer": {"d_model": 4, "d_ff": 4},
    "TSMixer": {"ff_dim": 4},
    "TSMixerx": {"ff_dim": 4},
    "SOFTS": {"hidden_size": 8, "d_core": 8},
    "KAN": {"hidden_size": 8},
    "VanillaTransformer": {"hidden_size": 8, "n_head": 2},
    "Informer": {"hidden_size": 8, "n_head": 2},
    "Autoformer": {"hidden_size": 8, "n_head": 2},
    "FEDformer": {"hidden_size": 16, "modes": 2},
    "PatchTST": {"hidden_size": 8, "n_heads": 2, "patch_len": 4, "stride": 4},
    "iTransformer": {"hidden_size": 8, "n_heads": 2},
    "TimeXer": {"hidden_size": 8, "n_heads": 2, "patch_len": 4},
}
NEURAL = [
    n for n, i in catalog.of_engine("neuralforecast").models.items() if not i.refusal and not i.auto
]
STATISTICAL = [n for n, i in catalog.of_engine("statsforecast").models.items() if not i.refusal]
REGRESSORS = [n for n, i in catalog.of_engine("mlforecast").models.items() if not i.refusal]
NEEDED = {
    "AutoRegressive": {"lags": [1, 2]},
    "SimpleExponentialSmoothing": {"alpha": 0.3},
    "SeasonalExponentialSmoothing": {"alpha": 0.3},
    "TSB": {"alpha_d": 0.3, "alpha_p": 0.3},
    "WindowAverage": {"window_size": 4},
    "SeasonalWindowAverage": {"window_size": 2},
    "ConstantModel": {"constant": 1.0},
}


def one_of_each(names: list[str], chosen: tuple[str, ...]) -> list[Any]:
    """Return all names as test cases; mark all but the chosen ones as long."""
    assert set(chosen) <= set(names)
    return [
        name if name in chosen else pytest.param(name, marks=pytest.mark.long) for name in names
    ]


def table(length: int = 60, series: int = SERIES, missing: bool = True) -> pd.DataFrame:
    """Series with a season of 4, an effect of a known covariate, and `HORIZON` future rows."""
    random = np.random.default_rng(3)
    frames = []
    for number in range(series):
        steps = np.arange(length + HORIZON)
        futr = random.normal(size=len(steps)).round(3)
        y = 20 + 5 * number + 3 * np.sin(np.pi * steps / 2) + 2 * futr
        y = y + random.normal(0, 0.3, len(steps))
        y[length:] = np.nan
        frame = {"unique_id": f"s{number}", "ds": steps, "y": y, "futr": futr}
        hist = np.where(np.isnan(y), np.nan, random.normal(size=len(steps)))
        frames.append(pd.DataFrame(frame | {"hist": hist, "stat": float(number)}))
    whole = pd.concat(frames, ignore_index=True)
    return whole if missing else whole[whole["y"].notna()].reset_index(drop=True)


def resolved(**asked: Any) -> dict[str, Any]:
    given = {"models": [], "baselines": ["SeasonalNaive"], "horizon": HORIZON, "input_size": 8}
    given |= {"n_windows": WINDOWS, "max_steps": 2, "windows_batch_size": 8, "batch_size": 4}
    return resolve({**given, "freq": 1, "season_length": 4, **asked})


def run_data(settings: dict[str, Any], frame: pd.DataFrame | None = None) -> Data:
    frame = table(missing=bool(settings["futr_exog"])) if frame is None else frame
    return Data(*split(prepare(frame, settings).frame, settings))


def progress(step: int, most: int, loss: float | None) -> None:
    assert step <= most or most == 0


def check_everything(spec: ModelSpec, settings: dict[str, Any], folder: Path) -> pd.DataFrame:
    """Train, save, load in a new process and predict, as a run does; then cross-validate."""
    warnings.simplefilter("ignore")
    engine, data = get_engine(spec.engine), run_data(settings)
    fitted = engine.fit(spec, settings, data, progress)
    engine.save(fitted, folder)
    frame = forecast_saved(spec, settings, folder, data)
    direct = engine.predict(fitted, settings, data)
    assert len(frame) == SERIES * HORIZON
    assert (
        frame.groupby("unique_id")["ds"].agg(["min", "max"]).to_numpy().tolist() == [[60, 63]] * 3
    )
    assert np.isfinite(frame[spec.name]).all()
    np.testing.assert_allclose(frame[spec.name], direct[spec.name], rtol=1e-5)
    assert not [p for p in folder.rglob("*") if p.suffix in (".pkl", ".pickle", ".ckpt", ".pt")]
    results = engine.cross_validate(spec, settings, data, WINDOWS, progress)
    assert len(results) == SERIES * WINDOWS * HORIZON
    assert list(results.columns[:5]) == ["unique_id", "ds", "cutoff", "y", spec.name]
    assert results["ds"].max() == 59
    assert sorted(results["cutoff"].unique()) == [51, 55]
    assert np.isfinite(results[spec.name]).all()
    return frame


#: One network of each family: recurrent, sampling, convolutional, of blocks of layers, linear,
#: with attention, of all series together.
FAMILIES = ("LSTM", "DeepAR", "TCN", "NBEATSx", "NLinear", "TFT", "TSMixerx")


@pytest.mark.parametrize("model", one_of_each(NEURAL, FAMILIES))
def test_every_neural_model(model: str, tmp_path: Path) -> None:
    settings = resolved(models=[{"name": model, "params": SMALL.get(model, {})}])
    check_everything(specs(settings)[-1], settings, tmp_path)


#: Losses with internal state, and the data that they need.
DISTRIBUTIONS: dict[str, Any] = {
    name: {"name": "DistributionLoss", "distribution": name, "level": [80]}
    for name in ("Normal", "StudentT", "Poisson", "NegativeBinomial")
} | {
    "Tweedie": {"name": "DistributionLoss", "distribution": "Tweedie", "rho": 1.5, "level": [80]},
    "GMM": {"name": "GMM", "n_components": 2, "level": [80]},
    "PMM": {"name": "PMM", "n_components": 2, "level": [80]},
    "NBMM": {"name": "NBMM", "n_components": 2, "level": [80]},
}


@pytest.mark.parametrize(
    ("loss", "val_size"),
    [
        pytest.param(loss, val_size, marks=[] if (loss, val_size) in quick else pytest.mark.long)
        for quick in [[("StudentT", HORIZON), ("Tweedie", 0), ("GMM", HORIZON)]]
        for loss in DISTRIBUTIONS
        for val_size in (0, HORIZON)
    ],
)
def test_losses_of_distributions_are_saved_right_after_training(
    loss: str, val_size: int, tmp_path: Path
) -> None:
    params = {"mlp_units": [[8, 8]] * 3, "loss": DISTRIBUTIONS[loss]}
    settings = resolved(models=[{"name": "NHITS", "params": params}], val_size=val_size)
    spec, engine, data = specs(settings)[-1], get_engine("neuralforecast"), run_data(settings)
    engine.save(engine.fit(spec, settings, data, progress), tmp_path)
    frame = forecast_saved(spec, settings, tmp_path, data)
    assert np.isfinite(frame[["NHITS", "NHITS-lo-80", "NHITS-hi-80"]].to_numpy()).all()


def test_early_stopping_ends_the_training_where_validation_no_longer_improves() -> None:
    """With a learning rate near 0 training stops after two validations, 5 steps apart."""
    params = {"mlp_units": [[8, 8]] * 3, "val_check_steps": 5, "learning_rate": 1e-12}
    settings = resolved(
        models=[{"name": "NHITS", "params": params}],
        max_steps=200,
        val_size=HORIZON,
        early_stop_patience_steps=1,
    )
    steps: list[int] = []
    engine = get_engine("neuralforecast")
    spec, data = specs(settings)[-1], run_data(settings)
    engine.fit(spec, settings, data, lambda step, most, loss: steps.append(step))
    assert 5 < max(steps) <= 20
    steps.clear()
    settings = resolved(models=[{"name": "NHITS", "params": params}], max_steps=30)
    engine.fit(specs(settings)[-1], settings, data, lambda step, most, loss: steps.append(step))
    assert max(steps) == 30


#: Naive, smoothing, ARIMA, an ensemble, and models of variance, components and sparse demand.
STATISTICAL_FAMILIES = (
    *("SeasonalNaive", "AutoETS", "ARIMA", "MSTL", "GARCH", "UCM", "TSB", "AutoTheta", "MFLES"),
)


@pytest.mark.parametrize("model", ["NHITS", pytest.param("LSTM", marks=pytest.mark.long)])
def test_cross_validation_by_groups_of_series_is_the_same(
    model: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The series have unequal lengths; all targets are exact in 64 bits."""
    from forerun.forecasting.engines import neural_groups

    parts = [table(50 + 3 * n, 1).assign(unique_id=f"s{n}", stat=1.0 * n) for n in range(6)]
    columns = {"futr_exog": ["futr"], "hist_exog": ["hist"], "stat_exog": ["stat"]}
    settings = resolved(
        models=[{"name": model, "params": SMALL.get(model, {})}], val_size=4, **columns
    )
    data = run_data(settings, pd.concat(parts, ignore_index=True))
    spec, engine = list(specs(settings))[-1], get_engine("neuralforecast")
    results = [engine.cross_validate(spec, settings, data, WINDOWS, progress)]
    used: list[Any] = []
    original = neural_groups.cross_validate
    monkeypatch.setattr(neural_groups, "SIZE_OF_WINDOWS", 4)  # as the batch size
    monkeypatch.setattr(neural_groups, "cross_validate", lambda *a: used.append(a) or original(*a))
    results.append(engine.cross_validate(spec, settings, data, WINDOWS, progress))
    assert len(used) == 1
    pd.testing.assert_frame_equal(*results, check_exact=True)
    exact = data.history.merge(results[1], on=["unique_id", "ds"])
    assert exact["y_x"].equals(exact["y_y"])


@pytest.mark.parametrize("model", one_of_each(STATISTICAL, STATISTICAL_FAMILIES))
def test_every_statistical_model(model: str, tmp_path: Path) -> None:
    params = SMALL.get(model, {}) | NEEDED.get(model, {})
    item = {"name": model, "engine": "statsforecast", "params": params}
    settings = resolved(baselines=[item], levels=[80], statistical_intervals="own")
    frame = check_everything(specs(settings)[0], settings, tmp_path)
    statistical = get_engine("statsforecast")
    assert (f"{model}-lo-80" in frame) == statistical.gives_levels(model)  # type: ignore[attr-defined]


#: Each library once, in both ways.
LIBRARIES = ("Ridge recursive", "LightGBM direct", "XGBoost recursive", "CatBoost direct")
BOTH_WAYS = [f"{name} {way}" for name in REGRESSORS for way in ("recursive", "direct")]


@pytest.mark.parametrize("case", one_of_each(BOTH_WAYS, LIBRARIES))
def test_every_machine_learning_model(case: str, tmp_path: Path) -> None:
    model, way = case.split()
    features = {"direct": True} if way == "direct" else {}
    few = {"n_estimators": 5} if model in ("LightGBM", "XGBoost", "RandomForest") else {}
    few |= {"iterations": 5} if model == "CatBoost" else {}
    item = {"name": model, "params": few | {"lags": [1, 2, 4]} | features}
    settings = resolved(models=[item], futr_exog=["futr"], stat_exog=["stat"])
    spec = specs(settings)[-1]
    assert spec.exogenous
    check_everything(spec, settings, tmp_path)
    flat = run_data(settings)
    flat.future = flat.future.assign(futr=0.0)  # type: ignore[union-attr]
    engine = get_engine("mlforecast")
    loaded = engine.load(spec, settings, tmp_path)
    other = engine.predict(loaded, settings, flat)
    assert not np.allclose(
        other[model], engine.predict(loaded, settings, run_data(settings))[model]
    )


@pytest.mark.parametrize("log", [None, True, False])
def test_direct_model(log: bool | None, tmp_path: Path) -> None:
    item = {"name": "DirectRidge", "params": {"log": log, "input_size": 8}}
    settings = resolved(models=[item], baselines=[])
    spec, library = specs(settings)[0], get_engine("direct")
    frame = check_everything(spec, settings, tmp_path)
    again = library.fit(spec, settings, run_data(settings), progress)
    second = library.predict(again, settings, run_data(settings))
    pd.testing.assert_series_equal(frame["DirectRidge"], second["DirectRidge"])


#: Pretrained models, fine-tuned if they have arguments.
PRETRAINED: dict[str, dict[str, int]] = {
    "Chronos2": {"max_steps": 2, "batch_size": 4},
    **{name: {} for name in ("ChronosBolt", "TimesFM", "Fracast")},
}


@pytest.mark.parametrize("model", PRETRAINED)
def test_every_pretrained_model(
    model: str,
    tmp_path: Path,
    weights: dict[str, Path],
) -> None:
    assert set(PRETRAINED) == set(catalog.names("pretrained"))
    folder = tmp_path / "model"
    folder.mkdir()
    for params in {str(params): params for params in ({}, PRETRAINED[model])}.values():
        item = {"name": model, "params": {"weights": str(weights[model])} | params}
        settings = resolved(models=[item], baselines=[])
        check_everything(specs(settings)[0], settings, folder)


@pytest.fixture(scope="module")
def weights(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    return tiny_weights.folders(tmp_path_factory.mktemp("weights"))


def test_unsupported_models_are_refused_with_the_reason() -> None:
    for name, needs in {"HINT": "summing matrix", "TimeLLM": "language model"}.items():
        with pytest.raises(UserError, match=needs):
            resolved(models=[name])


@pytest.mark.parametrize("model", one_of_each(["AutoNHITS", "AutoTSMixer"], ("AutoTSMixer",)))
def test_automatic_model_keeps_its_trials(model: str, tmp_path: Path) -> None:
    settings = resolved(models=[model], num_samples=2)
    spec = specs(settings)[-1]
    data = run_data(settings)
    engine = get_engine("neuralforecast")
    fitted = engine.fit(spec, settings, data, progress)
    trials = data.kept["trials"]
    assert len(trials) == 2
    assert trials["loss"].notna().all()
    assert {"trial", "state", "learning_rate"} <= set(trials.columns)
    assert fitted.models[0].hparams.learning_rate in trials["learning_rate"].tolist()
    assert fitted.models[0].hparams.max_steps == 2
    check_everything(spec, settings, tmp_path)


def test_quantile_loss_gives_the_levels_of_the_run() -> None:
    item = {"name": "DLinear", "params": {"loss": "MQLoss"}}
    settings = resolved(models=[item], levels=[50, 90])
    results = get_engine("neuralforecast").cross_validate(
        specs(settings)[-1], settings, run_data(settings), WINDOWS, progress
    )
    sides = [f"DLinear-{side}-{level}" for level in (50, 90) for side in ("lo", "hi")]
    assert sorted(results.columns[4:]) == sorted(["DLinear", *sides])
    one = {"name": "DLinear", "params": {"loss": {"name": "QuantileLoss", "q": 0.3}}}
    settings = resolved(models=[one], levels=[50])
    results = get_engine("neuralforecast").cross_validate(
        specs(settings)[-1], settings, run_data(settings), WINDOWS, progress
    )
    assert list(results.columns[4:]) == ["DLinear"]


@pytest.mark.parametrize("name", ["TFT", "AutoARIMA"])
def test_future_values_are_used_and_missing_ones_named(name: str) -> None:
    key = "baselines" if name == "AutoARIMA" else "models"
    item = {"name": name, "params": SMALL.get(name, {})}
    settings = resolved(**{key: [item]}, futr_exog=["futr"], exogenous="both")
    names = [spec.name for spec in specs(settings)]
    assert {name, f"{name}_exog"} <= set(names)
    spec = next(s for s in specs(settings) if s.name == f"{name}_exog")
    engine, data = get_engine(spec.engine), run_data(settings)
    fitted = engine.fit(spec, settings, data, progress)
    expected = engine.predict(fitted, settings, data)[spec.name]
    data.future = data.future.assign(futr=data.future["futr"] + 3)  # type: ignore[union-attr]
    assert not np.allclose(expected, engine.predict(fitted, settings, data)[spec.name])
    data.future = data.future.iloc[1:]
    with pytest.raises(
        UserError, match=f"{name}_exog needs the values of futr for the 4 .*'s0' of 3"
    ):
        engine.predict(fitted, settings, data)
    data.future = None
    with pytest.raises(UserError, match="none are given"):
        engine.predict(fitted, settings, data)


def test_failing_series_get_the_naive_forecast_but_a_failing_model_fails() -> None:
    settings = resolved(baselines=[{"name": "MSTL", "params": {"season_length": [4, 1000]}}])
    engine = get_engine("statsforecast")
    bad = ModelSpec("Bad", "statsforecast", "AutoRegressive", {"lags": ["x"]})
    with pytest.raises(Exception):  # noqa: B017, PT011
        engine.fit(bad, settings, run_data(settings), progress)


@pytest.mark.parametrize("model", ["SeasonalNaive", "AutoETS"])
def test_series_shorter_than_a_season_get_the_naive_forecast(model: str) -> None:
    """At the first cutoff `short` has two values, at the second one six: a season is four."""
    settings = resolved(baselines=[model], on_short="pad", levels=[80], statistical_intervals="own")
    spec, library = specs(settings)[0], get_engine("statsforecast")
    short = table(missing=False).query("unique_id == 's0'").tail(10).assign(unique_id="short")
    data = run_data(settings, pd.concat([table(missing=False), short]))
    results = library.cross_validate(spec, settings, data, WINDOWS, progress)
    assert np.isfinite(results[[model, f"{model}-lo-80", f"{model}-hi-80"]]).all(axis=None)
    first = results[(results["unique_id"] == "short") & (results["cutoff"] == 51)]
    value = data.history.query("unique_id == 'short' and ds == 51")["y"].item()
    assert first[model].tolist() == [value] * HORIZON
    replaced = data.kept["fallback"]
    assert set(replaced["unique_id"]) == {"short"}
    assert set(replaced["cutoff"]) <= {51, 55}
    if model == "SeasonalNaive":
        assert replaced["cutoff"].tolist() == [51]


def test_a_statistical_model_that_fails_gets_advice_that_fits() -> None:
    settings, library = resolved(), get_engine("statsforecast")
    spec = ModelSpec("Endless", "statsforecast", "ConstantModel", {"constant": np.inf})
    with pytest.raises(ForecastError, match="look at the data, or leave the model out") as error:
        library.fit(spec, settings, run_data(settings), progress)
    assert "learning_rate" not in str(error.value)


LEAKY = [
    ("statsforecast", "SeasonalNaive", {}),
    ("neuralforecast", "NHITS", {"mlp_units": [[8, 8]] * 3}),
    ("neuralforecast", "TSMixer", {"ff_dim": 4}),
    ("mlforecast", "Ridge", {"lags": [1, 2, 4]}),
    ("direct", "DirectRidge", {}),
]


@pytest.mark.parametrize(
    ("val_size", "engine", "model", "params"),
    [(n, *case) for case in LEAKY for n in (0, 4) if n == 0 or case[0] == "neuralforecast"],
)
def test_first_window_does_not_see_later_data(
    val_size: int, engine: str, model: str, params: dict[str, Any]
) -> None:
    """Plant a leak: everything after the first cutoff becomes enormous."""
    settings = resolved(
        models=[{"name": model, "params": params}], val_size=val_size, hist_exog=["hist"],
        baselines=[], stat_exog=["stat"],
    )  # fmt: skip
    spec, library = specs(settings)[-1], get_engine(engine)
    honest, planted = run_data(settings), run_data(settings)
    late = planted.history["ds"] > 51
    planted.history.loc[late, ["y", "hist"]] += 1e4
    frames = [
        library.cross_validate(spec, settings, data, WINDOWS, progress)
        for data in (honest, planted)
    ]
    first = [f[f["cutoff"] == 51].sort_values(["unique_id", "ds"])[model] for f in frames]
    np.testing.assert_array_equal(first[0].to_numpy(), first[1].to_numpy())
    later = [f[f["cutoff"] == 55].sort_values(["unique_id", "ds"])[model] for f in frames]
    assert not np.allclose(later[0], later[1])  # the second window includes it, so the leak works
