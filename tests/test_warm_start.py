"""Networks of a run continue the weights of an earlier one: from the command to the weights."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from pathlib import Path

import pandas as pd
import pytest
from running import PROGRAMS, PROJECT, TEMPORARY_FILES, TEST_CONFIG, contents, write_table

from forerun.base.errors import UserError
from forerun.base.files import read_json, sha256
from forerun.base.yaml_files import load_yaml
from forerun.config.models import ModelSpec
from forerun.config.settings import read_frozen, resolve
from forerun.forecasting import freeze, warm_start
from forerun.jobs import fingerprint
from forerun.runs.fit import Fit
from forerun.runs.paths import RunPaths
from forerun.runs.run_data import read_data

#: Days of the data of the run `trained` (tests/conftest.py).
BEFORE = 60


def forerun(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    environment = os.environ | {"PYTHONPATH": str(PROJECT / "scripts")}
    return PROGRAMS.run([*arguments], folder, environment, timeout=600, program="forerun")


def table(folder: Path, days: int, **more: int) -> str:
    """Write the data of the run `trained` with some more days."""
    path = write_table(folder / f"days_{days}.csv", length=BEFORE + 40, **more)
    frame = pd.read_csv(path)
    frame[frame["ds"] <= str(pd.Timestamp("2023-12-31") + pd.Timedelta(days=days))].to_csv(
        path, index=False
    )
    return str(path)


TRAIN = ["train", "--config", str(TEST_CONFIG)]


@pytest.fixture(scope="module")
def home(trained_run: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the run `trained` and `child`, which continues its networks."""
    folder = tmp_path_factory.mktemp("home")
    shutil.copytree(trained_run, folder / "runs" / "trained", ignore=TEMPORARY_FILES)
    table(folder, 70)
    done = forerun(folder, *CHILD, "--run-id", "child")
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    (folder / "output.txt").write_text(done.stdout)
    return folder


CHILD = [*TRAIN, "-d", "days_70.csv", "--set", "warm_start=trained", "--set", "learning_rate=1e-9"]


@pytest.mark.slow
class TestChild:
    def test_continued_models_are_listed(self, home: Path) -> None:
        text = (home / "output.txt").read_text()
        assert "note: weights of run 'trained' are continued by NHITS, DLinear" in text
        assert "note: trained from scratch: SeasonalNaive" in text
        provenance = read_json(home / "runs" / "child" / "provenance.json")
        assert provenance["warm_start"] == {
            "run_id": "trained",
            "seal": sha256(home / "runs" / "trained" / "SEALED"),
            "models": ["NHITS", "DLinear"],
        }

    def test_weights_start_from_those_of_the_parent(self, home: Path) -> None:
        """A tiny learning rate keeps them there, in the final fit and in cross-validation."""
        parent, child = weights(home, "trained"), weights(home, "child")
        assert max(float((child[name] - parent[name]).abs().max()) for name in parent) < 1e-6
        cv = pd.read_csv(home / "runs" / "child" / "cv_results_NHITS.csv", parse_dates=["ds"])
        again = forerun(
            home, *("predict", "--run-id", "trained", "--models", "NHITS", "--name", "then"),
            *("-d", table(home, 62)),
        )  # fmt: skip
        assert again.returncode == 0, again.stderr[-3000:]
        then = pd.read_csv(home / "runs/trained/inference/then/NHITS.csv", parse_dates=["ds"])
        both = cv.merge(then, on=["unique_id", "ds"], suffixes=("", "_then"))
        assert len(both) == 12  # four steps of three series after the first cutoff
        assert (both["NHITS"] - both["NHITS_then"]).abs().max() < 1e-3

    @pytest.mark.long  # resuming with the parent trains the same weights
    def test_reproduced_to_the_last_digit(self, home: Path) -> None:
        before = contents(home / "runs" / "child")
        done = forerun(home, "reproduce", "child")
        assert done.returncode == 0, done.stdout + done.stderr
        assert "run child is reproduced: identical to the last digit" in done.stdout
        assert contents(home / "runs" / "child") == before

    def test_retrain_continues_the_champion(self, home: Path) -> None:
        """The new run has the fits of `child`: same parent, data and settings."""
        deploy = ["deploy", "net", "--run-id", "trained", "--data-file", "days_70.csv"]
        assert forerun(home, *deploy).returncode == 0
        retrain = ["retrain", "net", "--run-id", "again", "--warm-start"]
        done = forerun(home, *retrain, "--set", "learning_rate=1e-9")
        assert done.returncode == 0, done.stdout + done.stderr
        assert "note: weights of run 'trained' are continued by NHITS, DLinear" in done.stdout
        assert "run again challenges trained" in done.stdout
        outcome = read_json(home / "runs" / "again" / "parts" / "NHITS" / "final.json")
        assert outcome["reused_from"] == "child"
        assert not list(home.glob("deployments/net/tables/*"))

    def test_retrain_on_data_that_are_too_new_is_refused(self, home: Path) -> None:
        table(home, 64)
        deploy = ["deploy", "early", "--run-id", "trained", "--data-file", "days_64.csv"]
        assert forerun(home, *deploy).returncode == 0
        done = forerun(home, "retrain", "early", "--run-id", "no", "--warm-start")
        assert done.returncode == 2
        assert "set n_windows to 1, or continue an older run" in done.stderr
        assert len(done.stderr.strip().splitlines()) == 1
        assert not (home / "runs" / "no").exists()
        assert not list(home.glob("deployments/early/tables/*"))

    def test_an_unfinished_run_is_resumed_only_with_its_parent(self, home: Path) -> None:
        half = home / "runs" / "half"
        half.mkdir()
        for name in ("config.yaml", "data.parquet", "provenance.json"):
            shutil.copyfile(home / "runs" / "child" / name, half / name)
        parent, aside = home / "runs" / "trained", home / "aside"
        parent.rename(aside)
        done = forerun(home, "train", "--run-id", "half")
        assert done.returncode == 2
        assert done.stderr.strip() == (
            "forerun: error: warm_start: there is no run 'trained' in runs"
        )
        aside.rename(parent)
        done = forerun(home, "train", "--run-id", "half")
        assert done.returncode == 0, done.stderr[-3000:]
        assert weights_sha(home, "half") == weights_sha(home, "child")

    def test_another_parent_contradicts_the_frozen_run(self, home: Path) -> None:
        done = forerun(home, "train", "--run-id", "child", "--set", "warm_start=other")
        assert done.returncode == 2
        assert "warm_start is 'trained', requested 'other'" in done.stderr


def weights_sha(home: Path, run: str) -> str:
    return sha256(next((home / "runs" / run / "models" / "NHITS").glob("NHITS*.safetensors")))


def weights(home: Path, run: str) -> dict:
    from safetensors.torch import load_file

    return load_file(next((home / "runs" / run / "models" / "NHITS").glob("NHITS*.safetensors")))


# -- What is refused before anything is trained ---------------------------------------------------


def checked(run: Path, days: int, **settings: object) -> list[str]:
    """Check a new run on the data of some days that continues the run `trained`."""
    asked = load_yaml(TEST_CONFIG) | {"warm_start": "trained", "data_file": table(run, days)}
    return freeze.read_data(resolve(asked | settings), run.parent).notes


def test_data_that_end_at_the_first_cutoff_are_accepted(run_copy: Path) -> None:
    """Two windows of four steps are held out, so at least eight more days are needed."""
    assert "weights of run 'trained' are continued by NHITS, DLinear" in checked(run_copy, 68)
    with pytest.raises(UserError, match=r"only 7 steps before the end .* set n_windows to 1"):
        checked(run_copy, 67)
    assert checked(run_copy, 67, n_windows=1)
    with pytest.raises(UserError, match=r"only 3 steps before .* wait for 1 more steps"):
        checked(run_copy, 63)


def test_a_series_that_has_ended_cannot_be_scored(run_copy: Path) -> None:
    path = table(run_copy, 70)
    frame = pd.read_csv(path)
    ended = (frame["unique_id"] == "series_1") & (frame["ds"] > "2024-03-01")
    frame[~ended].to_csv(run_copy / "ended.csv", index=False)
    with pytest.raises(UserError, match="end of series 'series_1'"):
        checked(run_copy, 70, data_file=str(run_copy / "ended.csv"))


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"warm_start": "gone"}, "there is no run 'gone' in "),
        ({"horizon": 3}, "horizon of NHITS is 3 here and 4 there"),
        ({"gap": 1}, "gap of NHITS is 1 here and 0 there"),
        ({"input_size": 9}, "input_size of NHITS is 9 here and 8 there"),
        ({"scaler_type": "standard"}, "scaler_type of DLinear is standard here and robust there"),
        ({"models": [{"name": "NHITS", "model": "MLP"}]}, "NHITS is MLP here and NHITS there"),
        ({"models": ["NHITS"]}, "mlp_units of NHITS is None here and "),
        ({"models": [{"name": "DLinear", "transform": "log"}]}, "transform of DLinear is log here"),
        ({"models": ["MLP"]}, "has none of the networks of this run"),
        ({"models": []}, "has none of the networks of this run"),
    ],
)
def test_other_networks_are_refused_by_name(run_copy: Path, settings: dict, message: str) -> None:
    with pytest.raises(UserError, match=f"warm_start: .*{message}"):
        checked(run_copy, 80, **settings)


def test_columns_that_the_parent_did_not_see(run_copy: Path) -> None:
    path = Path(table(run_copy, 80))
    frame = pd.read_csv(path)
    frame.assign(price=frame["y"] * 2).to_csv(run_copy / "more.csv", index=False)
    settings = {"data_file": str(run_copy / "more.csv"), "hist_exog": ["price"]}
    with pytest.raises(UserError, match=r"hist_exog of NHITS is \['price'\] here and \[\] there"):
        checked(run_copy, 80, **settings)


@pytest.mark.parametrize("value", ["../trained", "a/b", ".hidden", "", "@trained"])
def test_a_parent_is_named_by_a_run_id_only(value: str) -> None:
    with pytest.raises(UserError, match="warm_start is"):
        resolve({"warm_start": value})


def test_a_frozen_parent_id_that_is_a_path_is_refused(run_copy: Path) -> None:
    """The configuration of a run may come from an untrusted source."""
    settings = read_frozen(run_copy / "config.yaml") | {"warm_start": "../../elsewhere"}
    with pytest.raises(UserError, match="is invalid"):
        warm_start.parent_of(run_copy.parent / "child", settings)


def test_an_unfinished_parent_is_refused(run_copy: Path) -> None:
    (run_copy / "SEALED").unlink()
    with pytest.raises(UserError, match="run 'trained' is not complete; 'train --run-id trained'"):
        checked(run_copy, 80)


@pytest.mark.parametrize("part", ["data.parquet", "models/NHITS"])
def test_a_damaged_parent_is_refused(run_copy: Path, part: str) -> None:
    path = run_copy / part
    path = path if path.is_file() else next(path.glob("NHITS*.safetensors"))
    path.chmod(0o600)
    path.write_bytes(path.read_bytes()[:-1] + b"x")
    settings = read_frozen(run_copy / "config.yaml") | {"warm_start": "trained"}
    spec = next(s for s in warm_start.specs(settings) if s.name == "NHITS")

    def use() -> None:
        checked(run_copy, 80)
        warm_start.start(run_copy.with_name("child"), settings, spec)

    with pytest.raises(UserError, match="run 'trained' is damaged"):
        use()


def test_a_parent_that_was_replaced_is_refused(run_copy: Path) -> None:
    child = run_copy.with_name("child")
    child.mkdir()
    (child / "provenance.json").write_text(json.dumps({"warm_start": {"seal": "0" * 64}}))
    settings = read_frozen(run_copy / "config.yaml") | {"warm_start": "trained"}
    with pytest.raises(UserError, match="is not the one that 'child' was created to continue"):
        warm_start.parent_of(child, settings)


def test_the_weights_are_part_of_the_fits_identity(run_copy: Path) -> None:
    settings = read_frozen(run_copy / "config.yaml")
    network, naive = (
        next(s for s in warm_start.specs(settings) if s.name == name)
        for name in ("NHITS", "SeasonalNaive")
    )
    child, warm = run_copy.with_name("child"), settings | {"warm_start": "trained"}

    def key(spec: ModelSpec, given: dict) -> str:
        """Return the fingerprint of a final fit of the run `child` on the parent's data."""
        fit, data = Fit(RunPaths(child), spec.name), read_data(run_copy / "data.parquet")
        return fingerprint.key(fingerprint.ingredients(fit, given, 1, data))

    assert key(network, warm) != key(network, settings)
    assert key(naive, warm) == key(naive, settings)
    start = warm_start.weights(child, warm, network)
    assert start
    assert any(name.endswith(".safetensors") for name in start)
