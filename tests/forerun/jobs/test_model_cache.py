"""Fits are reused exactly when everything that determines them is equal."""

from __future__ import annotations

import json
import multiprocessing
import os
import shutil
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from forerun.base import files
from forerun.base.publishing import new_folder
from forerun.base.yaml_files import load_yaml
from forerun.config.settings import resolve
from forerun.data import checksums
from forerun.forecasting import freeze
from forerun.jobs import child_task, fingerprint, model_cache
from forerun.jobs.fit_job import Job, perform
from forerun.runs.fit import Fit
from forerun.runs.outcome import Outcome
from forerun.runs.paths import RunPaths

WHAT = {"stage": "train_model", "model": {"name": "NHITS"}, "seed": 1}


def write_table(path, shift=0.0, **columns):
    days = pd.date_range("2024-01-01", periods=60, freq="D")
    wave = 20 + 3 * np.sin(2 * np.pi * np.arange(60) / 7)
    table = {"unique_id": "a", "ds": days, "y": wave + shift} | columns
    pd.DataFrame(table).to_csv(path, index=False)


def make_run(run_id, table="table.csv", **settings):
    """Freeze a run and return the ingredients of NHITS and SeasonalNaive: final fit and fold 0."""
    asked = {"data_file": table, "horizon": 4, "input_size": 8, "n_windows": 2}
    asked |= {"models": ["NHITS"], "baselines": ["SeasonalNaive"]} | settings
    names = {"data": "data.parquet", "provenance": "provenance.json", "config": "config.yaml"}
    to = {name: f"runs/{run_id}/{file}" for name, file in names.items()}
    freeze.freeze(resolve(asked), table, to, run_id)
    return Path("runs") / run_id


def key(run, model="NHITS", fold=None, threads=1):
    fit = Fit(RunPaths(run), model, fold)
    settings = load_yaml(fit.run.config)
    return fingerprint.key(fingerprint.ingredients(fit, settings, threads))


def keys(run, model="NHITS", threads=1):
    return [key(run, model, fold, threads) for fold in (None, 0)]


def new_fit(run_id, fold=None):
    return Fit(RunPaths(Path("runs") / run_id), "NHITS", fold)


@pytest.fixture(autouse=True)
def here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    write_table("table.csv")
    write_table("other.csv", shift=1.0)


@pytest.fixture
def product():
    folder = Path("runs/exp1/models/NHITS")
    folder.mkdir(parents=True)
    (folder / "weights.bin").write_bytes(b"1234")
    (folder / "configuration.json").write_text("{}")
    return folder


# -- What determines a fit ----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("changed", "final_same", "fold_same"),
    [
        ({}, True, True),
        ({"metrics": ["mae", "rmse"], "sort_metric": "rmse"}, True, True),
        ({"plot_series": 3, "max_time": 99, "accept_failures": True}, True, True),
        ({"models": ["NHITS", "MLP"]}, True, True),
        ({"n_windows": 3}, True, False),
        ({"n_windows": 2, "refit": True}, True, False),
        ({"step_size": 2}, True, False),
        ({"max_steps": 7}, False, False),
        ({"seed": 2}, False, False),
        ({"horizon": 5}, False, False),
        ({"scaler_type": "standard"}, False, False),
        ({"models": [{"name": "NHITS", "params": {"batch_size": 8}}]}, False, False),
        ({"precision": "64"}, False, False),
    ],
)
def test_settings_that_change_the_fingerprint(changed, final_same, fold_same):
    before, after = keys(make_run("a")), keys(make_run("b", **changed))
    assert (before[0] == after[0], before[1] == after[1]) == (final_same, fold_same)
    assert before[0] != before[1]


def test_a_changed_value_changes_the_fingerprint():
    write_table("other.csv", shift=0.001)
    assert keys(make_run("a"))[0] != keys(make_run("b", table="other.csv"))[0]


def test_the_same_rows_in_another_file_have_the_same_fingerprint():
    table = pd.read_csv("table.csv", dtype=str).rename(columns={"y": "sales"})
    table.sample(frac=1, random_state=1).to_csv("other.csv", index=False)
    assert keys(make_run("a")) == keys(make_run("b", table="other.csv", target_col="sales"))


def test_unused_columns_do_not_change_the_fingerprint():
    write_table("other.csv", price=np.arange(60.0))
    more = make_run("b", table="other.csv", hist_exog=["price"])
    plain = make_run("a")
    assert keys(plain, "SeasonalNaive") == keys(more, "SeasonalNaive")
    assert keys(plain)[0] != keys(more)[0]


@pytest.mark.parametrize("more", [{"calendar": ["dayofweek"]}, {"categorical": ["unique_id"]}])
def test_calendar_and_categories_count_for_models_that_use_them(more):
    plain, changed = make_run("a"), make_run("b", **more)
    assert keys(plain, "SeasonalNaive") == keys(changed, "SeasonalNaive")
    assert keys(plain)[0] != keys(changed)[0]


def test_only_the_values_of_a_preset_matter():
    asked = {"models": ["NHITS"], "max_steps": 5, "windows_batch_size": 16, "baselines": []}
    plain, preset = make_run("a", **asked), make_run("b", preset="good", **asked)
    assert keys(plain) == keys(preset)


def test_future_rows_do_not_change_the_fingerprint():
    """Models are fitted to the history; future rows are only used by forecasts."""
    asked = {"models": ["NHITS", "AutoARIMA", "Ridge", "NBEATS"], "futr_exog": ["price"]}
    table = pd.DataFrame({"unique_id": "a", "ds": pd.date_range("2024-01-01", periods=64)})
    table["price"] = np.arange(64.0) % 5
    table["y"] = (20 + np.arange(64.0) % 7).tolist()
    table.loc[60:, "y"] = np.nan
    table.to_csv("one.csv", index=False)
    later = table.assign(price=np.where(table["y"].isna(), 99.0, table["price"]))
    later.to_csv("two.csv", index=False)
    first = make_run("one", table="one.csv", **asked)
    second = make_run("two", table="two.csv", **asked)
    for model in ("SeasonalNaive", *asked["models"]):
        assert keys(first, model) == keys(second, model), model
    table["price"] += (np.arange(64) == 3) * 1.0  # unlike a past value
    table.to_csv("three.csv", index=False)
    third = make_run("three", table="three.csv", **asked)
    for model in ("NHITS", "AutoARIMA", "Ridge"):
        assert keys(first, model)[0] != keys(third, model)[0], model
    for model in ("SeasonalNaive", "NBEATS"):
        assert keys(first, model) == keys(third, model), model
    assert checksums.history_sha256(first / "data.parquet") == checksums.history_sha256(
        third / "data.parquet"
    )


def test_a_fold_is_identified_by_the_rows_before_its_end():
    frame = pd.read_csv("table.csv", float_precision="round_trip")
    frame.iloc[:-4].to_csv("shorter.csv", index=False)
    longer = make_run("longer", n_windows=3, refit=True)
    shorter = make_run("shorter", table="shorter.csv", n_windows=2, refit=True)
    pairs = ((longer, 0), (longer, 1), (longer, 2), (shorter, 0), (shorter, 1))
    found = [key(run, fold=fold) for run, fold in pairs]
    assert found[0] == found[3]
    assert found[1] == found[4]
    assert len(set(found)) == 3


def test_unused_settings_do_not_change_the_fingerprint():
    asked = {"models": ["NHITS", "Ridge"]}
    plain = make_run("plain", **asked)
    assert keys(plain, "SeasonalNaive") == keys(make_run("seed", seed=5, **asked), "SeasonalNaive")
    other = make_run("steps", max_steps=9, scaler_type="standard", levels=[80], **asked)
    assert keys(plain, "Ridge") == keys(other, "Ridge")


def test_neural_settings_do_not_change_a_statistical_fingerprint():
    runs = make_run("a"), make_run("b", max_steps=7, learning_rate=0.1)
    assert keys(runs[0], "SeasonalNaive") == keys(runs[1], "SeasonalNaive")


def test_the_input_size_changes_a_machine_learning_fingerprint():
    models = [{"name": "Ridge", "engine": "mlforecast"}]
    runs = make_run("a", models=models), make_run("b", models=models, input_size=9)
    assert keys(runs[0], "Ridge")[0] != keys(runs[1], "Ridge")[0]


def test_versions_code_and_threads_change_the_fingerprint(monkeypatch):
    run = make_run("a")
    before = keys(run)[0]
    assert keys(run, threads=2)[0] != before
    with monkeypatch.context() as patch:
        patch.setattr(fingerprint, "code", lambda: "changed")
        assert keys(run)[0] != before
    monkeypatch.setattr(fingerprint, "versions", lambda packages: dict.fromkeys(packages, "99"))
    assert keys(run)[0] != before


def test_a_table_edited_after_freezing_is_noticed():
    run = make_run("a")
    before = keys(run)[0]
    frame = pd.read_parquet(run / "data.parquet").assign(y=1.0)
    frame.to_parquet(run / "data.parquet", index=False)
    assert keys(run)[0] != before


def test_fingerprints_do_not_use_the_provenance():
    """An imported run with the checksums of another run's columns does not get its fits."""
    own, strange = make_run("own"), make_run("strange", table="other.csv")
    noted = json.loads((own / "provenance.json").read_text())
    noted["data"]["frozen_sha256"] = files.sha256(strange / "data.parquet")
    (strange / "provenance.json").write_text(json.dumps(noted))
    for model in ("NHITS", "SeasonalNaive"):
        assert not set(keys(own, model)) & set(keys(strange, model))
    (own / "provenance.json").unlink()
    assert keys(own) == keys(make_run("again"))


# -- The folders --------------------------------------------------------------------------------


@pytest.fixture
def place(product):
    """The cache with the final fit of NHITS of a run."""
    model_cache.put(new_fit("exp1"), WHAT, 12.5)
    return model_cache.of_run("runs/exp1")


def test_a_model_is_reused_as_hard_links(product, place):
    entry = model_cache.find(place, fingerprint.key(WHAT))
    assert entry.info["run_id"] == "exp1"
    model_cache.take(entry, new_fit("exp2"))
    taken = Path("runs/exp2/models/NHITS")
    assert {p.name: p.read_bytes() for p in taken.iterdir()} == {
        "weights.bin": b"1234",
        "configuration.json": b"{}",
    }
    assert os.stat(taken / "weights.bin").st_ino == os.stat(product / "weights.bin").st_ino
    assert not any(path.is_symlink() for path in Path("runs").rglob("*"))
    for path in [taken / "weights.bin", product / "weights.bin"]:
        assert os.stat(path).st_mode & 0o222 == 0


def test_saved_tables_are_reused_too(product):
    parts = Path("runs/exp1/parts/NHITS")
    parts.mkdir(parents=True)
    (parts / "final_trials.csv").write_text("number,loss\n0,1.5\n")
    (parts / "fold_0_trials.csv").write_text("number,loss\n0,2.5\n")
    model_cache.put(new_fit("exp1"), WHAT, 1.0)
    entry = model_cache.find(model_cache.of_run("runs/exp1"), fingerprint.key(WHAT))
    model_cache.take(entry, new_fit("exp2"))
    taken = Path("runs/exp2/parts/NHITS")
    assert {path.name: path.read_text() for path in taken.iterdir()} == {
        "final_trials.csv": "number,loss\n0,1.5\n"
    }
    assert len(list(Path("runs/exp2/models/NHITS").iterdir())) == 2


def test_the_code_that_fits_is_part_of_the_identity(tmp_path, monkeypatch):
    library = tmp_path / "forerun"
    for name in ("data/grid.py", "forecasting/engines/neural.py", "report/page.py", "jobs/x.py"):
        (library / name).parent.mkdir(parents=True, exist_ok=True)
        (library / name).write_text("x = 1\n")
    monkeypatch.setattr(fingerprint, "__file__", str(library / "jobs" / "x.py"))
    before = fingerprint.code.__wrapped__()
    (library / "report/page.py").write_text("x = 2\n")
    assert fingerprint.code.__wrapped__() == before
    for name in ("data/grid.py", "forecasting/engines/neural.py"):
        (library / name).write_text("x = 2\n")
        after = fingerprint.code.__wrapped__()
        assert after != before
        before = after


def test_a_fold_is_reused():
    fold, again = new_fit("exp1", 0), new_fit("exp2", 0)
    fold.product_path.parent.mkdir(parents=True)
    fold.product_path.write_bytes(b"table")
    model_cache.put(fold, WHAT, 1.0)
    entry = model_cache.find(model_cache.of_run("runs/exp2"), fingerprint.key(WHAT))
    model_cache.take(entry, again)
    assert again.product_path.read_bytes() == b"table"
    assert (entry.info["stage"], entry.info["run_id"]) == ("cross_validate", "exp1")


def test_without_links_files_are_copied(product, monkeypatch):
    def refuse(*_):
        raise OSError("no links here")

    monkeypatch.setattr(os, "link", refuse)
    model_cache.put(new_fit("exp1"), WHAT, 12.5)
    place = model_cache.of_run("runs/exp1")
    model_cache.take(model_cache.find(place, fingerprint.key(WHAT)), new_fit("exp2"))
    copy = Path("runs/exp2/models/NHITS/weights.bin")
    assert copy.read_bytes() == b"1234"
    assert os.stat(copy).st_nlink == 1
    assert os.stat(copy).st_mode & 0o222 == 0


@pytest.mark.parametrize("damage", ["content", "file", "entry", "path"])
def test_a_damaged_entry_is_noticed_and_removed(place, damage):
    folder = place / fingerprint.key(WHAT)
    weights = folder / "files" / "weights.bin"
    if damage == "content":
        weights.chmod(0o644)
        weights.write_bytes(b"1235")
    elif damage == "file":
        weights.unlink()
    elif damage == "entry":
        (folder / "entry.json").write_text('{"run_id": "exp')
    else:
        info = json.loads((folder / "entry.json").read_text())
        info["files"] = {"../../../table.csv": "0"}
        (folder / "entry.json").write_text(json.dumps(info))
    assert model_cache.find(place, fingerprint.key(WHAT)) is None
    assert list(place.iterdir()) == []


@pytest.mark.parametrize(
    "change",
    [
        {"files": {"../../escape": "x"}}, {"files": {"/etc/passwd": "x"}}, {"files": ["a"]},
        {"files": {"files/..": "x"}}, {"run_id": "a\nb"}, {"run_id": "\x1b[31m"}, {"run_id": 7},
        {"model": "rm -rf ."}, {"stage": "\x1b]0;x\x07"}, {"seconds": "long"}, {"stored_at": None},
        {"determined_by": {"seed": 2}}, {"determined_by": None},
    ],
)  # fmt: skip
def test_invalid_entries_are_not_used(place, change):
    key = fingerprint.key(WHAT)
    path = place / key / "entry.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | change))
    assert model_cache.entry(place, key).damaged()
    assert model_cache.find(place, key) is None
    assert not (place / key).exists()


@pytest.mark.parametrize("link", ["file", "folder", "entry"])
def test_an_entry_with_a_link_in_it_is_not_used(place, link, tmp_path):
    key = fingerprint.key(WHAT)
    entry, away = place / key, tmp_path / "away"
    linked = {"file": entry / "files/weights.bin", "folder": entry / "files", "entry": entry}[link]
    os.rename(linked, away)
    linked.symlink_to(away)
    assert model_cache.find(place, key) is None
    assert not os.path.lexists(entry)
    assert away.exists()


def test_removing_a_run_or_an_entry_leaves_the_other(place):
    entry = model_cache.find(place, fingerprint.key(WHAT))
    shutil.rmtree("runs/exp1")
    assert not entry.damaged()
    model_cache.take(entry, new_fit("exp2"))
    assert [gone.key for gone in model_cache.prune(place)] == [entry.key]
    assert Path("runs/exp2/models/NHITS/weights.bin").read_bytes() == b"1234"
    assert list(place.iterdir()) == []


def test_pruning_unused_entries(place):
    assert model_cache.prune(place, unused=True) == []
    assert next(model_cache.entries(place)).size < 4000
    shutil.rmtree("runs/exp1")
    assert len(model_cache.prune(place, unused=True)) == 1


def test_pruning_by_age_and_of_temporary_folders(place):
    assert model_cache.prune(place, older_than=3600) == []
    (place / ".tmp-1-2" / "files").mkdir(parents=True)  # its name in earlier versions
    with new_folder(place / ("e" * 64)) as alive:
        model_cache.prune(place, older_than=3600)
        assert alive.exists()
    assert not (place / ".tmp-1-2").exists()


def _put_and_take(number):
    fit = new_fit(f"r{number}")
    fit.product_path.mkdir(parents=True)
    (fit.product_path / "weights.bin").write_bytes(b"1234" * 1000)
    place = model_cache.of_run(fit.run.folder)
    for turn in range(20):
        model_cache.put(fit, WHAT, 1.0)
        if entry := model_cache.find(place, fingerprint.key(WHAT)):
            taken = new_fit(f"taken{number}_{turn}")
            try:
                model_cache.take(entry, taken)
            except FileNotFoundError:
                continue  # pruned by the other in between
            assert (taken.product_path / "weights.bin").read_bytes() == b"1234" * 1000
            if number:
                model_cache.remove(entry)
    return True


def test_several_processes_at_once():
    with multiprocessing.get_context("fork").Pool(3) as pool:
        assert pool.map(_put_and_take, range(3)) == [True] * 3
    assert not list(Path("runs/.store").glob(".tmp-*"))


# -- Jobs ---------------------------------------------------------------------------------------


def train(run, reuse=True, fold=None):
    """Run one job as its script does."""
    return perform(Job(Fit(RunPaths.of("runs", run.name), "SeasonalNaive", fold), reuse=reuse))


@pytest.fixture
def children(monkeypatch):
    """Count the child processes that train."""
    started = []
    start = child_task.children.start

    def counting(*arguments):
        started.append(arguments)
        return start(*arguments)

    monkeypatch.setattr(child_task.children, "start", counting)
    return started


@pytest.mark.slow
def test_a_second_run_reuses_the_fits_of_the_first(children):
    first, second = make_run("exp1"), make_run("exp2", n_windows=3)
    assert train(first).is_ok
    assert len(children) == 1
    outcome = train(second)
    assert len(children) == 1
    assert (outcome.status, outcome.reused_from) == ("ok", "exp1")
    assert Outcome.read(second / "parts/SeasonalNaive/final.json") == outcome
    assert "reused from run exp1" in (second / "logs/train_model/SeasonalNaive.log").read_text()
    models_of = [{p.name: p.read_bytes() for p in r.glob("models/*/*")} for r in (first, second)]
    assert models_of[0] == models_of[1] != {}
    assert train(make_run("exp3"), reuse=False).reused_from is None
    assert len(children) == 2


@pytest.mark.slow
def test_after_a_damaged_entry_the_fit_is_trained(children):
    first, second = make_run("exp1"), make_run("exp2")
    train(first, fold=0)
    stored = next(Path("runs/.store").glob("*/files/*"))
    whole = stored.read_bytes()
    stored.chmod(0o644)
    stored.write_bytes(b"damaged")
    outcome = train(second, fold=0)
    assert (outcome.status, outcome.reused_from, len(children)) == ("ok", None, 2)
    assert (second / "parts/SeasonalNaive/fold_0.parquet").read_bytes() == whole


@pytest.mark.slow
def test_failed_fits_are_not_stored(children):
    run = make_run("exp1", baselines=[{"name": "SeasonalNaive", "params": {"season_length": 0}}])
    assert train(run).status == "failed"
    assert not Path("runs/.store").exists()


@pytest.mark.slow
def test_leftovers_of_a_killed_attempt_are_removed(children):
    run = make_run("exp1")
    left = run / "models/.tmp-0123456789ab-SeasonalNaive"
    left.mkdir(parents=True)
    train(run)
    assert [path.name for path in (run / "models").iterdir()] == ["SeasonalNaive"]
