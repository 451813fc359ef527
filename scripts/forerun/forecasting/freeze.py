"""Creation of a run: its data, its provenance and, last, its resolved configuration are frozen."""

from __future__ import annotations

import json
import platform
import subprocess
from datetime import UTC, datetime
from importlib import metadata
from pathlib import Path
from typing import Any

from forerun.base.errors import UserError
from forerun.base.files import sha256, write_json, write_parquet, write_text
from forerun.base.resources import IS_INSTALLED, PROJECT
from forerun.base.terminal import echo
from forerun.config import engines, models, windows, without_season
from forerun.config.settings import dump
from forerun.data import (
    Prepared,
    calendar,
    checksums,
    forecastable,
    load,
    model_needs,
    series_weights,
    summary,
)
from forerun.data.splitting import observed_rows
from forerun.forecasting import scaling, search_data, transforms, warm_start, weights
from forerun.forecasting.engines import bounded
from forerun.runs import metric_functions, session
from forerun.runs.request import MORE_TABLES

#: Packages whose version can change a result: the workflow's and all that affect a fit.
PACKAGES = tuple(
    dict.fromkeys(
        [
            *("forerun", "snakemake", "holidays", "xgboost", "catboost"),
            *("chronos-forecasting", "fracast"),
            *(name for e in engines.ENGINES.values() for name in e.packages),
        ]
    )
)


def freeze(
    settings: dict[str, Any],
    data_file: str,
    to: dict[str, str],
    run_id: str,
) -> None:
    """Validate the data and write ``data.parquet``, ``provenance.json`` and ``config.yaml``.

    Parameters
    ----------
    settings : resolved settings of the run
    data_file : table to freeze, CSV or Parquet
    to : target paths ``data``, ``provenance`` and ``config``

    Raises
    ------
    UserError
        If the data cannot be used; nothing is written.
    """
    tables = {"data_file": data_file}
    tables |= {key: settings[key] for key in MORE_TABLES if settings.get(key)}
    before = {key: sha256(path) for key, path in tables.items()}
    runs = Path(to["config"]).parents[1]
    prepared = read_data(settings | {"data_file": data_file}, runs)
    for key, path in tables.items():
        if sha256(path) != before[key]:
            raise UserError(f"{key}: '{path}' was changed while it was read; rerun the command")
    frozen = settled(settings, prepared) | {
        "run_id": run_id,
        "data_file": str(Path(data_file).absolute()),
    }
    for note in prepared.notes:
        echo(f"note: {note}")
    weights.record(runs, frozen)
    metric_functions.freeze(Path(to["config"]).parent, frozen)
    write_parquet(to["data"], prepared.frame)
    write_json(
        to["provenance"],
        {
            "created_at": datetime.now(UTC).isoformat(timespec="seconds"),
            "created_by": session.user(),
            "git": git_state(),
            "data": {"file": frozen["data_file"], "sha256": before["data_file"]}
            | {"frozen_sha256": sha256(to["data"])}
            | {"columns_sha256": checksums.columns_sha256(prepared.frame)}
            | {"tables_sha256": {key: before[key] for key in MORE_TABLES if key in before}}
            | summary(prepared.frame)
            | {"notes": prepared.notes},
            "seed": settings["seed"],
            "python": platform.python_version(),
            "platform": platform.platform(),
            "versions": versions(),
        }
        | warm_start.record(runs, settings),
    )
    # Last: a run exists from the moment its configuration does.
    write_text(to["config"], dump(frozen))


def read_data(settings: dict[str, Any], runs: Path) -> Prepared:
    """Read the data of a new run; check that its models can train and forecast on it.

    Parameters
    ----------
    runs : folder of all runs, among them the one that `warm_start` names
    """
    weights.recorded(settings)  # before the data are read, which may take long
    prepared = load(settings)
    transforms.check(prepared.frame, models.specs(settings))
    complete = settled(settings, prepared)
    calendar.check(complete)
    model_needs.check(complete, prepared.frame)
    prepared.notes += model_needs.notes(complete) + without_season.notes(complete)
    prepared.notes += bounded.notes(models.specs(complete), complete)
    how = settings["on_missing_future"]
    prepared.notes += forecastable.check(complete, prepared.frame, how)
    history = observed_rows(prepared.frame)
    prepared.notes += scaling.notes(history, models.specs(settings))
    prepared.notes += search_data.check(complete, history)
    prepared.notes += warm_start.check(runs, complete, prepared.frame)
    prepared.frame, notes = series_weights.add(prepared.frame, complete)
    prepared.notes += notes
    if settings["horizon_weight"]:
        prepared.notes.append("errors of a window are averaged with the weights horizon_weight")
    return prepared


def settled(settings: dict[str, Any], prepared: Prepared) -> dict[str, Any]:
    """Return the settings completed with values derived from the data."""
    return settings | {
        "freq": prepared.freq,
        "season_length": prepared.season_length,
        "input_size": settings["input_size"] or prepared.input_size,
        "categories": prepared.categories,
        "pretrained": weights.recorded(settings),
        "metric_functions": metric_functions.recorded(settings),
        "max_steps": settings["max_steps"] or prepared.max_steps,
        "on_short": settings["on_short"] or ("pad" if prepared.padded else "error"),
        "statistical_intervals": settings["statistical_intervals"]
        or ("own" if _is_lone(settings, prepared) else "conformal"),
        "threads": settings["threads"] or 1,  # the workflow knows how many cores there are
    }


def _is_lone(settings: dict[str, Any], prepared: Prepared) -> bool:
    """Return whether there is one window of one series: its own errors cannot calibrate it."""
    return windows.n_windows(settings) == 1 and prepared.frame["unique_id"].nunique() == 1


def versions() -> dict[str, str]:
    """Return the installed version of each package that can change a result."""
    return engines.versions(PACKAGES)


def git_state() -> dict[str, Any] | None:
    """Return the commit of this Forerun and whether files differ from it; None if unknown."""
    if IS_INSTALLED:
        return _installed_commit()  # the environment may be inside another repository
    try:
        commit = _git("rev-parse", "HEAD")
        return {"commit": commit, "dirty": bool(_git("status", "--porcelain", "-uno"))}
    except (OSError, subprocess.CalledProcessError):
        return None


def _installed_commit() -> dict[str, Any] | None:
    """Return the commit that pip or uv recorded when installing from a git address (PEP 610)."""
    try:
        origin = metadata.distribution("forerun").read_text("direct_url.json")
        return {"commit": json.loads(origin or "{}")["vcs_info"]["commit_id"], "dirty": False}
    except (metadata.PackageNotFoundError, KeyError, ValueError):
        return None


def _git(*arguments: str) -> str:
    finished = subprocess.run(
        ["git", "-C", str(PROJECT), *arguments], capture_output=True, text=True, check=True
    )
    return finished.stdout.strip()
