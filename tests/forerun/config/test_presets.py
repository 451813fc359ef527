"""A preset sets keys that have their default, and the run freezes the values."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from forerun.base.errors import UserError
from forerun.config import presets, schema
from forerun.config.frozen import read_frozen
from forerun.config.layers import Layers
from forerun.config.presets import Timings
from forerun.config.settings import differences, dump, preset_choice, resolve


def names(settings: dict[str, Any], key: str = "models") -> list[str]:
    """Return the names of models; one for those with several seeds."""
    return [item["name"] for item in settings[key] if "member_of" not in item]


def chosen(given: dict[str, Any], **times: dict[str, float]) -> dict[str, Any]:
    """Return the keys that the preset of a configuration sets, without its lists of models."""
    found, _ = preset_choice(given, Timings(**times))
    return {key: found[key] for key in ("n_windows", "refit", "seeds", "max_steps") if key in found}


def test_the_schema_lists_all_presets() -> None:
    assert schema.properties()["preset"]["enum"] == [*presets.PRESETS, None]


@pytest.mark.parametrize("name", list(presets.PRESETS))
def test_values_are_frozen_with_the_run(name: str, tmp_path: Path) -> None:
    settings = resolve({"preset": name})
    assert names(settings) == presets.PRESETS[name]["models"]
    assert names(settings, "baselines") == presets.PRESETS[name]["baselines"]
    assert resolve(settings) == settings
    path = tmp_path / "config.yaml"
    path.write_text(dump(settings))
    assert read_frozen(path) == settings


def test_values_set_by_the_user_are_kept() -> None:
    settings = resolve({"preset": "best", "max_steps": 77, "models": ["LSTM"]})
    assert (settings["max_steps"], names(settings)) == (77, ["LSTM"])
    assert settings["windows_batch_size"] == 128


def test_defaults_in_a_file_follow_the_preset() -> None:
    """The shipped config.yaml lists all keys with their default."""
    assert resolve({**schema.defaults(), "preset": "good"}) == resolve({"preset": "good"})


def test_the_time_limit_limits_the_steps() -> None:
    # 0.5 * 60 s for one network that is fitted twice, at 0.05 s for a step
    assert resolve({"preset": "good", "time_limit": 60})["max_steps"] == 300
    assert resolve({"preset": "good", "time_limit": 30})["max_steps"] == 150
    assert resolve({"preset": "best", "time_limit": 120})["max_steps"] == 200  # three networks
    # Three fits with refits, and two seeds: six instead of two.
    more = {"preset": "good", "time_limit": 60, "refit": True, "n_windows": 2, "seeds": 2}
    assert resolve(more)["max_steps"] == 100


def test_networks_without_time_for_50_steps_are_left_out() -> None:
    # 0.5 * 24 s / 2 fits: 40 steps of three networks, 60 of two.
    settings = resolve({"preset": "best", "time_limit": 24})
    assert (names(settings), settings["max_steps"]) == (["LightGBM", "NHITS", "NBEATS"], 60)
    assert names(resolve({"preset": "best", "time_limit": 1})) == ["LightGBM"]
    own = resolve({"preset": "best", "time_limit": 1, "models": ["LSTM"]})
    assert (names(own), own["max_steps"]) == (["LSTM"], 50)  # models of the user are kept


def test_refits_and_seeds_are_given_up_before_300_steps() -> None:
    """Three networks at 0.05 s: 0.15 s for a step of each, in half of the limit."""
    most = {"n_windows": 3, "refit": True, "seeds": 3, "max_steps": 1500}
    assert chosen({"preset": "best"}) == most
    assert chosen({"preset": "best", "time_limit": 10_000}) == most  # 12 fits: 2,778 steps
    given = {"preset": "best", "time_limit": 2000}
    assert chosen(given) == {**most, "max_steps": 556}  # 1000 / 12 / 0.15
    lower = {**most, "refit": False}
    assert chosen(given | {"time_limit": 1000}) == {**lower, "max_steps": 556}  # 500 / 6 / 0.15
    assert chosen(given | {"time_limit": 400}) == {**lower, "seeds": 2, "max_steps": 333}
    assert chosen(given | {"time_limit": 200}) == {**lower, "seeds": 1, "max_steps": 333}
    # Few steps of the user fit with all seeds: 6 fits of 30 steps take 27 s.
    few = {"preset": "best", "time_limit": 60, "max_steps": 30}
    assert chosen(few) == {"n_windows": 3, "refit": False, "seeds": 3}


def test_other_models_have_the_other_half_by_their_earlier_fits() -> None:
    given = {"preset": "best", "time_limit": 200}
    fits = {"LightGBM": 3.0, "AutoETS": 10.0, "AutoARIMA": 20.0}
    # 33 s for a fit of each: 132 s with three windows, 99 s with two.
    assert chosen(given, fits=fits)["n_windows"] == 2
    assert chosen(given | {"time_limit": 264}, fits=fits)["n_windows"] == 3
    assert chosen(given, fits={"AutoETS": 10.0})["n_windows"] == 3  # others are not counted
    less, notes = preset_choice(given | {"time_limit": 100}, Timings(fits=fits))
    assert less["baselines"] == ["SeasonalNaive", "DynamicOptimizedTheta", "AutoETS"]
    assert "without AutoARIMA" in notes[0]
    least, _ = preset_choice(given | {"time_limit": 1}, Timings(fits=fits))
    assert least["baselines"] == ["SeasonalNaive"]
    assert "n_windows" not in chosen(given | {"test_size": 12}, fits=fits)


def test_earlier_fits_decide_the_steps() -> None:
    given = {"preset": "best", "time_limit": 120}
    steps = {"NHITS": 0.01, "NBEATS": 0.02, "TiDE": 0.03}
    found, notes = preset_choice(given, Timings(steps))
    assert (found["max_steps"], found["seeds"], found["refit"]) == (500, 1, False)
    assert notes == [
        "preset best within time_limit 120 s: n_windows 3, refit false, max_steps 500, seeds 1 "
        "(by earlier fits)"
    ]
    settings = resolve(given, timings=Timings({"TiDE": 10.0}))  # a network too slow
    assert (names(settings)[1:], settings["max_steps"]) == (["NHITS", "NBEATS"], 300)
    assert preset_choice(given, Timings())[1][0].endswith("(by an assumed 0.05 s per step)")
    # The run keeps what it has, whatever was measured since, even if it is the default.
    settings = resolve(given, timings=Timings(steps))
    assert resolve(settings, timings=Timings({"NHITS": 9.0})) == settings
    assert differences(settings, {**schema.defaults(), **given}) == []


def test_keys_that_the_preset_leaves_alone_are_named() -> None:
    given = {"preset": "best", "max_steps": 77, "models": ["LSTM"]}
    found, notes = preset_choice(given, Timings())
    assert not {"models", "max_steps"} & found.keys()
    assert notes == ["preset best: models, max_steps as configured, not those of the preset"]
    assert preset_choice({"preset": "best"}, Timings())[1] == []


def test_a_default_that_the_user_has_set_is_kept() -> None:
    given = {"preset": "best", "seeds": 1, "refit": False}
    assert resolve(given)["seeds"] == 3
    frozen = resolve(given, explicit=given.keys())
    assert (frozen["seeds"], frozen["refit"], frozen["max_steps"]) == (1, False, 1500)
    assert differences(frozen, given, explicit=given.keys()) == []
    most = resolve({"preset": "best"})
    assert differences(most, given) == []
    assert differences(most, given, explicit={"seeds"}) == [("seeds", 3, 1)]


def test_a_listing_of_all_defaults_sets_none(tmp_path: Path, monkeypatch: Any) -> None:
    monkeypatch.chdir(tmp_path)
    full, few = tmp_path / "full.yaml", tmp_path / "few.yaml"
    full.write_text(schema.template("config.schema.yaml"))
    few.write_text("seeds: 1\n")
    assert Layers.of([full], {"n_windows": "3"}).explicit(None) == {"n_windows"}
    assert Layers.of([few], {}).explicit(None) == {"seeds"}
    folder = tmp_path / "config" / "experiments"
    folder.mkdir(parents=True)
    (folder / "exp.yaml").write_text("refit: false\n")
    assert Layers.of([full], {}).explicit("exp") == {"refit"}


def test_another_preset_contradicts_a_run_and_the_same_does_not() -> None:
    frozen = resolve({"preset": "good"})
    assert differences(frozen, {**schema.defaults(), "preset": "good"}) == []
    found = {key for key, _, _ in differences(frozen, {"preset": "fast"})}
    assert "preset" in found


def test_an_unknown_preset_is_refused() -> None:
    with pytest.raises(UserError, match="preset is 'quick'; it must be one of fast, good, best"):
        resolve({"preset": "quick"})
