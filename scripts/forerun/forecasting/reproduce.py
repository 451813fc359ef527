"""Reproduction of a run from its configuration and data, and comparison of the results."""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from forerun.base.errors import UserError
from forerun.base.files import read_mapping, sha256, write_json
from forerun.config import names, own_metrics, search
from forerun.config.settings import read_frozen, resolve
from forerun.forecasting import choice, weights
from forerun.forecasting.freeze import git_state, versions
from forerun.forecasting.warm_start import Parent
from forerun.runs.json_files import read_provenance
from forerun.runs.paths import RunPaths
from forerun.runs.state import FROZEN, refuse_if_damaged

if TYPE_CHECKING:
    import pandas as pd

    from forerun.evaluation.measures import Measures

#: Columns that are compared as strings.
_STRINGS = ("unique_id", "metric", "ds", "cutoff", "chosen")


@dataclass
class Reproduction:
    """Differences between a run and its reproduction.

    Attributes
    ----------
    configuration : keys that resolve to another value today: (key, then, now)
    table : state of the run's source table: same, changed or gone
    data : whether ``data.parquet`` is unchanged since it was frozen
    versions : packages that differ: name -> (then, now)
    scores : model -> metric -> (mean over the series then, now)
    differences : file -> largest absolute difference of a number; inf where rows or columns differ
    models : models whose files differ
    """

    configuration: list[tuple[str, Any, Any]] = field(default_factory=list)
    table: str = ""
    data: bool = False
    versions: dict[str, tuple[str, str]] = field(default_factory=dict)
    scores: dict[str, dict[str, tuple[float, float]]] = field(default_factory=dict)
    differences: dict[str, float] = field(default_factory=dict)
    models: list[str] = field(default_factory=list)

    @property
    def largest(self) -> float:
        """Largest absolute difference in any table."""
        return max(self.differences.values(), default=0.0)

    @property
    def identical(self) -> bool:
        """Whether data, metrics, cross-validation results and forecasts are exactly equal."""
        return self.data and not self.differences


def prepare(folder: Path, scratch: Path, trust: bool = False) -> Path:
    """Copy a run's configuration and data to ``<scratch>/runs/<run_id>/``; return that folder.

    Parameters
    ----------
    trust : execute the run's code, now and later

    Raises
    ------
    UserError
        The run is unfinished, or its configuration or data are damaged.
    """
    refuse_if_damaged(folder)
    if not RunPaths(folder).metrics.is_file():
        raise UserError(f"run '{folder.name}' has no metrics to compare with; 'train' it first")
    choice.refuse_damaged(folder, [])
    _check_code(folder, trust)
    again = scratch / "runs" / folder.name
    again.mkdir(parents=True)
    _take_parent(folder, again)
    weights.take(folder.parent, again.parent)
    for name in FROZEN:
        shutil.copyfile(folder / name, again / name)
    if (folder / own_metrics.FOLDER).is_dir():
        shutil.copytree(folder / own_metrics.FOLDER, again / own_metrics.FOLDER)
    provenance = read_mapping(again / "provenance.json")
    write_json(again / "provenance.json", provenance | {"versions": versions()})
    return again


def _check_code(folder: Path, trust: bool) -> None:
    """Refuse own metrics of the run that are not trusted."""
    from forerun.runs import metric_functions

    settings = read_frozen(RunPaths(folder).config)
    if trust:
        metric_functions.trust_run(folder, settings)
    metric_functions.functions(folder, settings)


def _take_parent(folder: Path, again: Path) -> None:
    """Put the run whose weights a run continues next to its copy."""
    run_id = read_frozen(RunPaths(folder).config)["warm_start"]
    if run_id is not None:
        parent = Parent.open(folder.parent, run_id)
        there = again.with_name(parent.run_id)
        shutil.copytree(parent.folder / "models", there / "models")
        for name in ("config.yaml", "SEALED"):
            shutil.copyfile(parent.folder / name, there / name)


def compare(folder: Path, again: Path) -> Reproduction:
    """Compare a run with its reproduction in the folder `again`."""
    from forerun.evaluation.measures import Measures  # imports pandas

    provenance = read_provenance(folder)
    settings = read_frozen(RunPaths(folder).config)
    result = Reproduction(configuration=_configuration(settings))
    data = provenance.get("data", {})
    result.data = sha256(RunPaths(folder).data) == data.get("frozen_sha256")
    result.table = _table(settings["data_file"], data.get("sha256"))
    result.versions = changed_versions(provenance.get("versions", {})) | _commit(
        provenance.get("git")
    )
    measures = Measures.of_weights(settings, folder)
    result.scores = _scores(RunPaths(folder).metrics, RunPaths(again).metrics, measures)
    then, now = _tables(folder), _tables(again)
    for name in sorted(then.keys() | now.keys()):
        difference = largest_difference(then.get(name), now.get(name))
        if difference is not None:
            result.differences[name] = difference
    result.models = [
        path.name
        for path in sorted((folder / "models").iterdir())
        if _hashes(path) != _hashes(again / "models" / path.name)
    ]
    return result


def _configuration(settings: Mapping[str, Any]) -> list[tuple[str, Any, Any]]:
    """Return the frozen settings that resolve to another value today."""
    try:
        today = resolve(settings)
    except UserError as error:
        return [("(all)", "accepted", str(error).splitlines()[0])]
    return [
        (key, settings.get(key), today[key]) for key in today if settings.get(key) != today[key]
    ]


def _table(file: str | None, recorded: str | None) -> str:
    if file is None or not Path(file).is_file():
        return "gone"
    return "same" if sha256(file) == recorded else "changed"


def changed_versions(then: Mapping[str, str]) -> dict[str, tuple[str, str]]:
    """Return the recorded packages whose version differs today."""
    today = versions()
    pairs = {name: (version, today.get(name, "none")) for name, version in then.items()}
    return {name: pair for name, pair in pairs.items() if pair[0] != pair[1]}


def _commit(then: Mapping[str, Any] | None) -> dict[str, tuple[str, str]]:
    """Return the commits of this project, if both are known and differ."""
    today = git_state()
    if not then or not today or then["commit"] == today["commit"]:
        return {}
    return {"commit": (str(then["commit"])[:12], str(today["commit"])[:12])}


def _tables(folder: Path) -> dict[str, Path]:
    """Return the tables of a run by relative path, under their current names."""
    results = [folder / "metrics.csv", *folder.glob("cv_results_*.csv")]
    found = {path.name: path for path in results if path.is_file()}
    studies = folder.glob(f"{search.FOLDER}/*/{search.TABLE}")
    found |= {path.relative_to(folder).as_posix(): path for path in studies}
    found |= {f"predictions/{path.name}": path for path in (folder / "predictions").glob("*.csv")}
    for former, name in names.FORMER.items():
        for pattern in ("cv_results_{}.csv", "predictions/{}.csv"):
            if path := found.pop(pattern.format(former), None):
                found.setdefault(pattern.format(name), path)
    found.pop(f"predictions/{names.TIDY}.csv", None)  # combines the others
    return found


def _hashes(folder: Path) -> dict[str, str]:
    files = [path for path in folder.rglob("*") if path.is_file()]
    return {str(p.relative_to(folder)): sha256(p) for p in files if not p.name.startswith(".")}


def largest_difference(then: Path | None, now: Path | None) -> float | None:
    """Return the largest absolute difference of a number in two tables; None if they are equal.

    Infinite if a table is missing, or rows, columns or strings differ.
    """
    import numpy as np

    if then is None or now is None or not then.is_file() or not now.is_file():
        return float("inf")
    if then.read_bytes() == now.read_bytes():
        return None
    first, second = _read_table(then), _read_table(now)
    if set(first.columns) != set(second.columns) or len(first) != len(second):
        return float("inf")
    second = second[list(first.columns)]  # earlier versions used another order
    numbers = first.select_dtypes("number").columns.intersection(
        second.select_dtypes("number").columns
    )
    if not first.drop(columns=numbers).equals(second.drop(columns=numbers)):
        return float("inf")
    gaps = (first[numbers] - second[numbers]).abs().to_numpy(dtype=float)
    same = (first[numbers].isna() & second[numbers].isna()).to_numpy()
    gaps = np.where(same, 0.0, np.where(np.isnan(gaps), np.inf, gaps))
    return float(gaps.max(initial=0.0))


def _read_table(path: Path) -> pd.DataFrame:
    from forerun.runs.tables import read_frame, read_plain

    is_study = path.name == search.TABLE
    return read_plain(path, ("trial", "params")) if is_study else read_frame(path, _STRINGS)


def _scores(then: Path, now: Path, measures: Measures) -> dict[str, dict[str, tuple[float, float]]]:
    first, second = _means(then, measures), _means(now, measures)
    return {
        model: {
            metric: (float(first.loc[metric, model]), _value(second, metric, model))
            for metric in first.index
        }
        for model in first.columns
    }


def _means(path: Path, measures: Measures) -> pd.DataFrame:
    import pandas as pd

    from forerun.runs.tables import read_metrics

    if not path.is_file():
        return pd.DataFrame()
    table = read_metrics(path)
    models = [name for name in table.columns if name not in ("unique_id", "metric")]
    return measures.means(table, models)


def _value(means: pd.DataFrame, metric: str, model: str) -> float:
    exists = metric in means.index and model in means.columns
    return float(means[model][metric]) if exists else float("nan")
