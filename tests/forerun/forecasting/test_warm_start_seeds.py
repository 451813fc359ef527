"""Warm start with seeds: members continue members; a mean has no weights."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest

from forerun.base.errors import UserError
from forerun.base.files import write_json
from forerun.config.settings import dump, resolve
from forerun.forecasting import warm_start
from forerun.runs.paths import RunPaths


@pytest.fixture
def runs(tmp_path: Path) -> Path:
    """A folder with the completed run `parent`, whose NHITS has two seeds."""
    parent = RunPaths(tmp_path / "parent")
    settings = resolve({"models": ["NHITS"], "seeds": 2, "baselines": ["SeasonalNaive"]})
    for name in ("NHITS_seed1", "NHITS_seed2", "NHITS"):
        parent.model(name).mkdir(parents=True)
        write_json(parent.model(name) / "model.json", {})
    parent.config.write_text(dump(settings))
    write_json(parent.sealed, {})
    return tmp_path


def asked(**settings: object) -> dict:
    return resolve({"warm_start": "parent", "models": ["NHITS"]} | settings)


def test_members_continue_members(runs: Path) -> None:
    record = warm_start.record(runs, asked(seeds=3))["warm_start"]
    assert record["models"] == ["NHITS_seed1", "NHITS_seed2"]


def test_a_network_cannot_continue_a_mean(runs: Path) -> None:
    assert warm_start.record(runs, asked())["warm_start"]["models"] == []
    message = "NHITS is the mean of 2 seeds in run 'parent'; set seeds of NHITS to 2, or leave"
    with pytest.raises(UserError, match=message):
        warm_start.check(runs, asked(), pd.DataFrame())
