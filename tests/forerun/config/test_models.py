"""Models of a configuration: names, mappings, arguments, exogenous variants."""

from __future__ import annotations

from typing import Any

import pytest

from forerun.base.errors import UserError
from forerun.config import models, without_season
from forerun.config.models import ModelSpec
from forerun.config.settings import resolve


def resolved(items, **settings):
    return resolve({"models": items, "baselines": [], **settings})["models"]


def names(items, **settings):
    return [item["name"] for item in resolved(items, **settings)]


def test_a_name_becomes_a_full_mapping():
    assert resolved(["NHITS"]) == [
        {
            "name": "NHITS",
            "engine": "neuralforecast",
            "model": "NHITS",
            "params": {},
            "exogenous": False,
        }
    ]


def test_engines_are_found_by_name():
    engines = [item["engine"] for item in resolved("NHITS,AutoETS,LightGBM,AutoNHITS")]
    assert engines == ["neuralforecast", "statsforecast", "mlforecast", "neuralforecast"]


def test_two_of_one_class():
    items = resolved(
        [
            "NHITS",
            {"name": "NHITS_2", "model": "NHITS", "params": {"max_steps": 3}},
            {"model": "MLP"},
        ]
    )
    assert [(item["name"], item["model"], item["params"]) for item in items] == [
        ("NHITS", "NHITS", {}),
        ("NHITS_2", "NHITS", {"max_steps": 3}),
        ("MLP", "MLP", {}),
    ]


def test_a_default_baseline_is_omitted_if_it_is_a_model():
    settings = resolve({"models": ["DynamicOptimizedTheta", "Naive"]})
    assert [item["name"] for item in settings["baselines"]] == ["SeasonalNaive", "DirectRidge"]
    with pytest.raises(UserError, match="named 'AutoETS'"):
        resolve({"models": ["AutoETS"], "baselines": ["AutoETS"]})


def test_baselines_may_be_left_out_and_models_too():
    assert resolve({"baselines": None})["baselines"] == []
    assert [spec.name for spec in models.specs(resolve({"models": []}))] == [
        "SeasonalNaive",
        "DynamicOptimizedTheta",
        "DirectRidge",
    ]


def test_specs_are_baselines_first():
    settings = resolve({"models": "NHITS", "baselines": "Naive"})
    assert models.specs(settings) == [
        ModelSpec("Naive", "statsforecast", "Naive"),
        ModelSpec("NHITS", "neuralforecast", "NHITS"),
    ]
    assert models.spec(settings, "NHITS").info.family == "mlp"
    with pytest.raises(UserError, match=r"no model 'nhits' \(did you mean 'NHITS'"):
        models.spec(settings, "nhits")


def test_exogenous_variants():
    columns = {"hist_exog": ["a"], "futr_exog": ["b"], "stat_exog": ["c"]}
    assert [item["exogenous"] for item in resolved("NHITS,NBEATS,AutoARIMA", **columns)] == [
        True,
        False,  # NBEATS takes none
        True,
    ]
    assert names("NHITS,NBEATS", exogenous="both", **columns) == ["NHITS", "NHITS_exog", "NBEATS"]
    assert names([{"name": "TFT", "exogenous": "both"}, "NHITS"], **columns) == [
        "TFT",
        "TFT_exog",
        "NHITS",
    ]
    assert names("NHITS", exogenous="both") == ["NHITS"]  # there are no columns
    assert not resolved("NHITS", exogenous=False, **columns)[0]["exogenous"]
    assert not resolved("AutoARIMA", hist_exog=["a"])[0]["exogenous"]  # only future ones


def test_columns_of_a_model():
    settings = resolve(
        {"models": "TFT,Informer,NBEATS", "hist_exog": ["a"], "futr_exog": ["b"], "baselines": []}
    )
    columns = [models.exogenous_columns(spec, settings) for spec in models.specs(settings)]
    assert columns == [
        {"hist_exog": ["a"], "futr_exog": ["b"], "stat_exog": []},
        {"hist_exog": [], "futr_exog": ["b"], "stat_exog": []},
        {"hist_exog": [], "futr_exog": [], "stat_exog": []},
    ]


def test_brief():
    asked = [
        "NHITS",
        {"name": "A", "model": "NHITS", "params": {"max_steps": 3}},
        {"name": "B", "model": "MLP"},
    ]
    assert models.brief(resolved(asked)) == asked


def test_another_class_for_data_without_a_season() -> None:
    other = {"model": "AutoARIMA", "params": {"max_p": 2}}
    asked = [
        {"name": "Classic", "model": "AutoETS", "params": {"damped": True}, "without_season": other}
    ]
    settings = resolve({"models": [], "baselines": asked})
    assert resolve(settings) == settings
    assert models.brief(settings["baselines"]) == asked
    for season in (None, 12, 1):
        spec = models.spec(settings | {"season_length": season}, "Classic")
        given = {"max_p": 2} if season == 1 else {"damped": True}
        assert (spec.model, spec.params) == ("AutoARIMA" if season == 1 else "AutoETS", given)
    assert without_season.notes(settings | {"season_length": 12}) == []
    assert without_season.notes(settings | {"season_length": 1}) == [
        "the data have no season, so Classic is AutoARIMA (without_season)"
    ]
    assert without_season.wrong_frozen(other) == ""
    assert (
        without_season.wrong_frozen({"model": "AutoARIMA"}) == "its without_season is not a model"
    )
    assert "cannot be given" in without_season.wrong_frozen(
        {"model": "AutoARIMA", "params": {"prediction_intervals": 1}}
    )


@pytest.mark.parametrize(
    ("item", "words"),
    [
        ({"name": "AutoETS", "without_season": "AutoARIMA"}, "must be a mapping with model"),
        ({"name": "AutoETS", "without_season": {"model": "AutoArima"}}, "did you mean 'AutoARIMA'"),
        ({"name": "AutoETS", "without_season": {"model": "NHITS"}}, "NHITS"),
        ({"name": "NHITS", "without_season": {"model": "NBEATS"}}, "statsforecast and direct"),
        ({"name": "AutoETS", "without_season": {"model": "AutoARIMA", "x": 1}}, "unknown key 'x'"),
        (
            {"name": "AutoETS", "without_season": {"model": "AutoARIMA", "params": {"max_q1": 2}}},
            "params in without_season of AutoETS: AutoARIMA has no argument",
        ),
    ],
)
def test_a_class_without_a_season_that_is_refused(item: dict[str, Any], words: str) -> None:
    with pytest.raises(UserError, match=words):
        resolve({"models": [], "baselines": [item]})


@pytest.mark.parametrize(
    ("model", "params"),
    [
        ("NHITS", {"max_steps": 10, "mlp_units": [[8, 8]], "dropout_prob_theta": 0}),
        ("NHITS", {"learning_rate": "1e-4"}),
        ("NHITS", {"gradient_clip_val": 1.0}),  # of Lightning's Trainer
        ("NHITS", {"loss": "HuberLoss", "valid_loss": "MAE"}),
        ("NHITS", {"loss": {"name": "MQLoss", "level": [80]}}),
        ("NHITS", {"loss": {"name": "DistributionLoss", "distribution": "StudentT"}}),
        ("NHITS", {"valid_batch_size": None, "random_seed": 5}),
        ("LSTM", {"encoder_hidden_size": 8, "input_size": 24}),
        ("NHITS", {"training_data_availability_threshold": [0.5, 0.5]}),
        ("AutoNHITS", {"num_samples": 2, "max_steps": 5}),
        ("MSTL", {"season_length": [24, 168]}),
        ("AutoETS", {"model": "ZZZ", "season_length": 7}),
        ("WindowAverage", {"window_size": 3}),
        ("AutoMFLES", {}),
        ("LightGBM", {"lags": [1, 12], "num_leaves": 7}),
    ],
)
def test_arguments_that_fit(model, params):
    (item,) = resolved([{"name": "A", "model": model, "params": params}])
    assert set(item["params"]) == set(params)


def test_exponents_in_arguments_are_numbers():
    (item,) = resolved([{"name": "NHITS", "params": {"learning_rate": "1e-4"}}])
    assert item["params"]["learning_rate"] == 0.0001


#: (items of models, expected part of the message)
BAD = [
    (["nhits"], ["models[0]: there is no model 'nhits'", "did you mean 'NHITS'"]),
    (["NBEETS"], ["did you mean 'NBEATS'"]),
    (["Prophet"], ["there is no model 'Prophet'"]),
    (["NHITS", "AutoEts"], ["models[1]", "did you mean 'AutoETS'"]),
    ([""], ["there is no model ''"]),
    ([3], ["models[0]: 3 is neither a name nor a mapping"]),
    ([None], ["null is neither"]),
    ([["NHITS"]], ["is neither a name nor a mapping"]),
    (["NHITS", "NHITS"], ["two models are named 'NHITS'"]),
    (
        ["NHITS", {"name": "nhits", "model": "NHITS"}],
        ["two models are named 'NHITS' and 'nhits'"],
    ),
    ([{}], ["name and model must be strings"]),
    ([{"name": 3, "model": "NHITS"}], ["must be strings"]),
    ([{"name": "A"}], ["there is no model 'A'"]),
    ([{"nam": "NHITS"}], ["unknown key 'nam'", "did you mean 'name'"]),
    ([{"name": "a/b", "model": "NHITS"}], ["name 'a/b' is not allowed"]),
    ([{"name": "../x", "model": "NHITS"}], ["name '../x' is not allowed"]),
    ([{"name": "-x", "model": "NHITS"}], ["name '-x' is not allowed"]),
    ([{"name": "a b", "model": "NHITS"}], ["name 'a b' is not allowed"]),
    ([{"name": "x" * 101, "model": "NHITS"}], ["is not allowed"]),
    ([{"name": "A-lo-80", "model": "NHITS"}], ["without '-lo-'"]),
    ([{"name": "best", "model": "NHITS"}], ["name 'best' is reserved"]),
    ([{"name": "Ensemble", "model": "NHITS"}], ["name 'Ensemble' is reserved"]),
    ([{"name": "NHITS", "engine": "statsforecast"}], ["no model 'NHITS' of statsforecast"]),
    ([{"name": "NHITS", "engine": "keras"}], ["engine is 'keras'", "mlforecast"]),
    ([{"name": "NHITS", "exogenous": "yes"}], ["exogenous is 'yes'"]),
    ([{"name": "NHITS", "exogenous": 1}], ["exogenous is 1"]),
    ([{"name": "NHITS", "params": [1]}], ["params of NHITS is [1]", "a mapping"]),
    (["HINT"], ["'HINT' cannot be used", "hierarchy"]),
    (["AutoHINT"], ["hierarchy"]),
    (["TimeLLM"], ["cannot save it"]),
    (["SklearnModel"], ["LightGBM"]),
]
BAD_PARAMS = [
    ("NHITS", {"h": 3}, "'h' cannot be given, it is set by the key horizon"),
    ("AutoETS", {"h": 3}, "'h' cannot be given"),
    ("NHITS", {"alias": "x"}, "set by the key name"),
    ("NHITS", {"futr_exog_list": ["a"]}, "set by the key futr_exog"),
    ("NHITS", {"logger": True}, "Forerun sets it itself"),
    ("NHITS", {"default_root_dir": "/"}, "Forerun sets it itself"),
    ("NHITS", {"max_epochs": 3}, "set by the key max_steps"),
    ("NHITS", {"optimizer": "Adam"}, "a Python object"),
    ("TSMixer", {"n_series": 3}, "counted in the data"),
    ("NHITS", {"max_stps": 3}, "no argument 'max_stps' (did you mean 'max_steps'?)"),
    ("NHITS", {"gradient_clip": 3}, "did you mean 'gradient_clip_val'?"),
    ("NHITS", {"encoder_layers": 3}, "NHITS has no argument 'encoder_layers'"),
    ("AutoNHITS", {"max_stps": 3}, "AutoNHITS has no argument 'max_stps'"),
    ("NHITS", {"max_steps": 0}, "max_steps is 0; it must be an integer from 1"),
    ("NHITS", {"max_steps": "many"}, "max_steps is 'many'"),
    ("NHITS", {"input_size": -1}, "input_size is -1"),
    ("NHITS", {"scaler_type": "rob"}, "did you mean 'robust'"),
    ("NHITS", {"dropout_prob_theta": "high"}, "must be a number"),
    ("NHITS", {"val_check_steps": 2.5}, "must be an integer"),
    ("NHITS", {"drop_last_loader": 1}, "must be true or false"),
    ("NHITS", {"mlp_units": 3}, "mlp_units is 3; it must be a list"),
    ("NHITS", {"loss": "MEA"}, "loss is 'MEA'; it must be one of MAE"),
    ("NHITS", {"loss": "BasePointLoss"}, "must be one of"),
    ("NHITS", {"loss": 3}, "loss is 3"),
    ("NHITS", {"loss": {"nam": "MAE"}}, "must be one of"),
    ("NHITS", {"loss": {"name": "MQLoss", "levels": [80]}}, "did you mean 'level'"),
    ("NHITS", {"loss": "QuantileLoss"}, "needs the argument 'q'"),
    ("NHITS", {"early_stop_patience_steps": 3}, "needs validation data; set val_size"),
    ("DirectRidge", {"features": -1}, "features is -1; it must be an integer from 0 to 5000"),
    ("DirectRidge", {"feature_scale": 0}, "feature_scale is 0; it must be a number above 0"),
    ("WindowAverage", {}, "WindowAverage needs the argument 'window_size'"),
    ("AutoETS", {"seasonlength": 3}, "did you mean 'season_length'"),
    ("AutoETS", {"prediction_intervals": 3}, "set by the key levels"),
    ("AutoETS", {"season_length": True}, "must be a number"),
    ("LightGBM", {"leaves": 3}, "LightGBM has no argument 'leaves'"),
    ("LightGBM", {"n_jobs": 3}, "Forerun sets it itself"),
]
BAD += [([{"name": "A", "model": m, "params": p}], ["params of A", w]) for m, p, w in BAD_PARAMS]


@pytest.mark.parametrize(("items", "words"), BAD, ids=[str(items)[:60] for items, _ in BAD])
def test_refused(items, words):
    with pytest.raises(UserError) as caught:
        resolved(items)
    message = str(caught.value)
    assert all(line.startswith("configuration: ") for line in message.splitlines()), message
    for word in words:
        assert word in message, message


def test_exogenous_for_a_model_that_supports_none():
    with pytest.raises(UserError, match="NBEATS uses no such columns"):
        resolved([{"name": "NBEATS", "exogenous": "both"}], hist_exog=["a"])
    assert names([{"name": "NBEATS", "exogenous": True}]) == ["NBEATS"]  # no columns to use


def test_a_variant_must_not_have_the_name_of_a_model():
    columns = {"hist_exog": ["a"]}
    items = [{"name": "TFT", "exogenous": "both"}, {"name": "TFT_exog", "model": "TFT"}]
    with pytest.raises(UserError, match="named 'TFT_exog'"):
        resolved(items, **columns)
    with pytest.raises(UserError, match="is not allowed"):
        resolved([{"name": "x" * 98, "model": "TFT", "exogenous": "both"}], **columns)


def test_a_variant_resolves_to_itself():
    settings = resolve({"models": "TFT,NBEATS", "hist_exog": ["a"], "exogenous": "both"})
    assert resolve(settings) == settings
