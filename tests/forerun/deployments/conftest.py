"""A small real run for deployments: SeasonalNaive on three daily series, trained once."""

from __future__ import annotations

import shutil
from pathlib import Path

import pandas as pd
import pytest
from deploying import ALL, TRAINED, until
from filelock import FileLock
from running import snakemake, write_table

from forerun.deployments.folder import Deployment
from forerun.deployments.service import deploy


@pytest.fixture(scope="session")
def trained_naive(shared_folder: Path) -> Path:
    """A folder with ``runs/naive`` and ``runs/other`` (season 1), and the whole table."""
    home = shared_folder / "naive"
    with FileLock(str(shared_folder / "naive.lock")):
        if not (home / "done").exists():
            shutil.rmtree(home, ignore_errors=True)
            home.mkdir()
            whole = pd.read_csv(write_table(home / "all.csv", length=ALL))
            first = sorted(whole["ds"].unique())[:TRAINED]
            whole[whole["ds"].isin(first)].to_csv(home / "trained.csv", index=False)
            for run_id, season in (("naive", 7), ("other", 1)):
                file = home / "config" / "experiments" / f"{run_id}.yaml"
                file.parent.mkdir(parents=True, exist_ok=True)
                file.write_text(f"season_length: {season}\n")
            done = snakemake(
                home, "runs/naive/predictions", "runs/other/predictions", "--config",
                "data_file=trained.csv", "models=[]", "baselines=SeasonalNaive", "levels=80",
            )  # fmt: skip
            assert done.returncode == 0, done.stderr[-5000:]
            (home / "done").touch()
    return home


@pytest.fixture
def home(trained_naive: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of that folder in which the test works."""
    shutil.copytree(trained_naive, tmp_path / "home", ignore=shutil.ignore_patterns(".snakemake"))
    monkeypatch.chdir(tmp_path / "home")
    return tmp_path / "home"


@pytest.fixture
def sales(home: Path) -> Deployment:
    """A deployment of the run ``naive`` with the data that it was trained on."""
    one = Deployment(Path("."), "sales")
    deploy(one, "naive", {"data_file": until(TRAINED), "every": "1W"})
    return one
