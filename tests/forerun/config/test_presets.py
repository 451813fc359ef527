"""A preset sets keys that have their default, and the run freezes the values."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from forerun.base.errors import UserError
from forerun.config import presets, schema
from forerun.config.frozen import read_frozen
from forerun.config.settings import differences, dump, resolve


def names(settings: dict[str, Any], key: str = "models") -> list[str]:
    return [item["name"] for item in settings[key]]


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


def test_earlier_fits_decide_the_steps() -> None:
    given = {"preset": "best", "time_limit": 120}
    settings = resolve(given, step_seconds={"NHITS": 0.01, "NBEATS": 0.02, "TiDE": 0.03})
    assert settings["max_steps"] == 500
    assert presets.notes(settings, is_measured=True) == [
        "preset best within time_limit 120 s: max_steps 500 (by earlier fits)"
    ]
    settings = resolve(given, step_seconds={"TiDE": 10.0})  # a network too slow
    assert (names(settings)[1:], settings["max_steps"]) == (["NHITS", "NBEATS"], 300)
    assert presets.notes(settings, is_measured=False) == [
        "preset best within time_limit 120 s: max_steps 300, without TiDE "
        "(by an assumed 0.05 s per step)"
    ]
    assert presets.notes(resolve({"preset": "best"}), is_measured=True) == []
    # The run keeps what it has, whatever was measured since.
    assert resolve(settings) == settings
    assert differences(settings, {**schema.defaults(), **given}) == []


def test_another_preset_contradicts_a_run_and_the_same_does_not() -> None:
    frozen = resolve({"preset": "good"})
    assert differences(frozen, {**schema.defaults(), "preset": "good"}) == []
    found = {key for key, _, _ in differences(frozen, {"preset": "fast"})}
    assert "preset" in found


def test_an_unknown_preset_is_refused() -> None:
    with pytest.raises(UserError, match="preset is 'quick'; it must be one of fast, good, best"):
        resolve({"preset": "quick"})
