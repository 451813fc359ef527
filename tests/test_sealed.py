"""Nothing changes the frozen files of a sealed run."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from running import DRAWN, PROJECT, SNAKEMAKE, snakemake

from forerun.base.files import read_json, sha256
from forerun.runs.seal import frozen_files, verify, verify_derived


def hashes(run: Path) -> dict[str, str]:
    """Return the sha256 of every frozen file, the seal's own included."""
    names = [*frozen_files(run), "SEALED"]
    return {name: sha256(run / name) for name in names}


def touch_the_data(home: Path) -> None:
    os.utime(home / "table.csv")


def replace_the_data(home: Path) -> None:
    (home / "table.csv").write_text("unique_id,ds,y\nother,2020-01-01,1\n")


def remove_the_data(home: Path) -> None:
    (home / "table.csv").unlink()


def touch_frozen_files(home: Path) -> None:
    for path in (home / "runs" / "trained").rglob("*"):
        os.utime(path)


def edit_the_configuration(home: Path) -> None:
    (home / "config").mkdir()
    (home / "config" / "config.yaml").write_text("horizon: 9\nmax_steps: 999\nmodels: [LSTM]\n")


def delete_snakemake_memory(home: Path) -> None:
    shutil.rmtree(home / ".snakemake", ignore_errors=True)


def delete_logs_and_benchmarks(home: Path) -> None:
    shutil.rmtree(home / "runs" / "trained" / "logs")
    shutil.rmtree(home / "runs" / "trained" / "benchmarks")


EDITS: list[Callable[[Path], None]] = [
    touch_the_data,
    replace_the_data,
    remove_the_data,
    touch_frozen_files,
    edit_the_configuration,
    delete_snakemake_memory,
    delete_logs_and_benchmarks,
]
#: Options that force jobs. They must not change frozen files; derived files are not requested here,
#: so that no forecast is made.
FORCES = [
    ["--forceall", "runs/trained/leaderboard.csv", "runs/trained/config.yaml"],
    ["-R", "train_model", "--", "runs/trained/metrics.csv"],
    ["--force", "runs/trained/models/NHITS", "runs/trained/cv_results_NHITS.csv"],
    ["--rerun-triggers", "mtime", "--", "runs/trained/SEALED"],
    ["--target-jobs", "train_model:run_id=trained,model=NHITS", "score_models:run_id=trained"],
    ["--delete-all-output", "runs/trained/metrics.csv", "runs/trained/SEALED"],
]


@pytest.fixture
def home(run_copy: Path, trained_run: Path) -> Path:
    """A folder with a copy of the sealed run and of the table it was made from."""
    home = run_copy.parents[1]
    shutil.copy(trained_run.parents[1] / "table.csv", home / "table.csv")
    return home


def test_the_seal_names_every_frozen_file(trained_run: Path) -> None:
    sealed = read_json(trained_run / "SEALED")
    assert set(sealed["sha256"]) == set(frozen_files(trained_run))
    assert {"config.yaml", "data.parquet", "provenance.json", "metrics.csv"} <= set(
        sealed["sha256"]
    )
    assert verify(trained_run) == {"missing": [], "changed": [], "extra": []}


def test_derived_files_are_recorded(run_copy: Path) -> None:
    for what, checked in verify_derived(run_copy).items():
        assert not checked.wrong
        assert not checked.unrecorded
        assert (checked.recorded > 0) == (what in ("predictions", "plots", "report.html"))
    (run_copy / "predictions" / "ensemble.csv").write_text("edited")
    assert verify_derived(run_copy)["predictions"].changed == ["predictions/ensemble.csv"]


def test_edits_around_a_sealed_run_change_nothing(home: Path) -> None:
    run = home / "runs" / "trained"
    before = hashes(run)
    for edit in EDITS:
        edit(home)
        done = snakemake(home, "runs/trained/leaderboard.csv", configfile=None)
        assert done.returncode == 0, f"{edit.__name__}: {done.stderr}"
        assert hashes(run) == before, edit.__name__


@pytest.mark.parametrize("force", FORCES, ids=lambda force: force[0].strip("-"))
def test_forcing_changes_nothing(home: Path, force: list[str]) -> None:
    run = home / "runs" / "trained"
    before = hashes(run)
    snakemake(home, *force, configfile=None)
    assert hashes(run) == before


def test_another_profile_and_edited_code_change_nothing(home: Path, tmp_path: Path) -> None:
    """The whole project is copied and every script, rule and module in it edited."""
    project = tmp_path / "project"
    for name in ("workflow", "scripts", "config", "profiles"):
        ignored = shutil.ignore_patterns("__pycache__")
        shutil.copytree(PROJECT / name, project / name, ignore=ignored)
    shutil.copy(PROJECT / "Snakefile", project)
    for path in project.rglob("*"):
        if path.suffix in (".py", ".smk"):
            path.write_text(path.read_text() + "\n# edited\n")
    profile = tmp_path / "profile"
    profile.mkdir()
    (profile / "config.yaml").write_text("cores: 1\nrerun-triggers: [mtime, code, params, input]\n")
    run = home / "runs" / "trained"
    before = hashes(run)
    command = (
        f"{SNAKEMAKE} --snakefile {project}/Snakefile --profile {profile} runs/trained/metrics.csv"
    )
    assert os.waitstatus_to_exitcode(os.system(f"cd {home} && {command} >/dev/null 2>&1")) == 0
    assert hashes(run) == before


def test_predictions_and_plots_are_the_same_in_another_place(home: Path, trained_run: Path) -> None:
    """They are deleted in a copy of the run in another place and made again."""
    run = home / "runs" / "trained"
    before = hashes(run)
    shutil.rmtree(run / "predictions")
    shutil.rmtree(run / "plots")
    targets = ["runs/trained/predictions", "runs/trained/plots"]
    done = snakemake(home, *targets, configfile=None, env=DRAWN)
    assert done.returncode == 0, done.stderr
    assert hashes(run) == before
    for part in ("predictions", "plots"):
        originals = [p for p in (trained_run / part).rglob("*") if p.is_file()]
        assert originals
        for path in originals:
            if path.name != ".snakemake_timestamp":
                again = run / path.relative_to(trained_run)
                assert again.read_bytes() == path.read_bytes(), path.name
    assert not any(checked.wrong for checked in verify_derived(run).values())


def test_verify_names_each_difference(run_copy: Path) -> None:
    model = next((run_copy / "models" / "NHITS").glob("*.safetensors"))
    content = bytearray(model.read_bytes())
    content[-1] ^= 1
    model.write_bytes(content)
    (run_copy / "metrics.csv").unlink()
    (run_copy / "models" / "NHITS" / "stray.bin").write_bytes(b"x")
    found = verify(run_copy)
    assert found["changed"] == [model.relative_to(run_copy).as_posix()]
    assert found["missing"] == ["metrics.csv"]
    assert found["extra"] == ["models/NHITS/stray.bin"]
