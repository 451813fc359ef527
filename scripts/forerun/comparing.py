"""Runs side by side: which settings differ, whether they may be ranked, and their metrics."""

from __future__ import annotations

import csv
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from forerun import models, schema
from forerun.errors import UserError
from forerun.files import read_json
from forerun.yaml_files import load_yaml

if TYPE_CHECKING:
    from matplotlib.figure import Figure

#: Settings that decide what is scored: runs that differ in one are not comparable.
SCORED = ("horizon", "n_windows", "test_size", "step_size", "gap", "target_col", "freq")
_IGNORED = frozenset({"run_id", "output_dir", "data_file", "log_file"})
_LOWER_IS_BETTER = ("mae", "mse", "rmse", "mape", "smape", "mase", "rmsse")


@dataclass
class Compared:
    """What there is to say about several runs.

    Attributes
    ----------
    names : the runs, in the order asked for
    settings : key -> its value in each run, for keys that differ
    reasons : why the runs are not comparable; none: they are
    scores : metric -> model -> its value in each run (None: the run has none)
    """

    names: list[str]
    settings: dict[str, list[Any]] = field(default_factory=dict)
    reasons: list[str] = field(default_factory=list)
    scores: dict[str, dict[str, list[float | None]]] = field(default_factory=dict)

    def best(self, metric: str, model: str) -> int | None:
        """Return which run has the lower error; None if they may not be ranked or are equal."""
        values = self.scores[metric][model]
        known = [value for value in values if value is not None]
        if self.reasons or len(known) < 2 or len(set(known)) == 1:
            return None
        return values.index(min(known))


def compare(folders: Sequence[Path]) -> Compared:
    """Compare two runs or more.

    Raises
    ------
    UserError
        A run has no scores yet.
    """
    boards = [_leaderboard(folder) for folder in folders]
    configs = [load_yaml(folder / "config.yaml") for folder in folders]
    found = Compared([folder.name for folder in folders])
    found.settings = _differing(configs)
    found.reasons = _reasons(folders, configs)
    metrics = [
        m for m in _LOWER_IS_BETTER if any(m in row for board in boards for row in board.values())
    ]
    every = list(dict.fromkeys(model for board in boards for model in board))
    for metric in metrics:
        found.scores[metric] = {
            model: [_value(board.get(model, {}).get(metric)) for board in boards] for model in every
        }
        found.scores[metric]["best model"] = [_best(board, metric) for board in boards]
    return found


def _leaderboard(folder: Path) -> dict[str, dict[str, str]]:
    try:
        with (folder / "leaderboard.csv").open(encoding="utf-8", newline="") as file:
            return {row["model"]: row for row in csv.DictReader(file)}
    except (OSError, KeyError, csv.Error):
        raise UserError(
            f"run '{folder.name}' has no leaderboard yet: finish it with 'train --run-id "
            f"{folder.name}'"
        ) from None


def _value(text: str | None) -> float | None:
    try:
        return float(text) if text else None
    except ValueError:
        return None


def _best(board: Mapping[str, Mapping[str, str]], metric: str) -> float | None:
    values = [_value(row.get(metric)) for row in board.values()]
    return min((value for value in values if value is not None), default=None)


def _differing(configs: Sequence[Mapping[str, Any]]) -> dict[str, list[Any]]:
    found: dict[str, list[Any]] = {}
    for key in schema.properties():
        if key in _IGNORED:
            continue
        values = [config.get(key) for config in configs]
        if key in ("models", "baselines"):
            values = [models.brief(value) for value in values]
        if any(value != values[0] for value in values):
            found[key] = values
    return found


def _reasons(folders: Sequence[Path], configs: Sequence[Mapping[str, Any]]) -> list[str]:
    """Return why the runs must not be ranked against each other."""
    reasons = []
    data = [_data(folder) for folder in folders]
    if any(not one for one in data) or len(set(data)) > 1:
        reasons.append("their data differ")
    for key in SCORED:
        values = [config.get(key) for config in configs]
        if any(value != values[0] for value in values):
            told = ", ".join(schema.show(value) for value in values)
            reasons.append(f"{key} differs ({told})")
    return reasons


def _data(folder: Path) -> str:
    """Return what identifies the series and values a run was scored on."""
    known = (read_json(folder / "provenance.json") or {}).get("data") or {}
    return str(known.get("frozen_sha256") or known.get("sha256") or "")


def draw(compared: Compared, metric: str) -> Figure:
    """Draw the models' errors in each run, one row per model."""
    from matplotlib.figure import Figure

    rows = {m: v for m, v in compared.scores[metric].items() if m != "best model"}
    high = 1.4 + 0.34 * len(rows)
    figure = Figure(figsize=(9, min(high, 40)), layout="constrained")
    axes = figure.add_subplot()
    colours = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000")
    marks = "osD^vPX"
    for number, name in enumerate(compared.names):
        errors = [values[number] for values in rows.values()]
        points = [(error, place) for place, error in enumerate(errors) if error is not None]
        axes.plot(
            [x for x, _ in points], [y for _, y in points], marks[number % len(marks)],
            color=colours[number % len(colours)], label=name, markersize=7, alpha=0.85,
        )  # fmt: skip
    axes.set_yticks(range(len(rows)), [name[:40] for name in rows])
    axes.invert_yaxis()
    axes.set_xlabel(f"{metric.upper()} (mean over series and windows, lower is better)")
    axes.grid(axis="x", alpha=0.3)
    axes.set_axisbelow(True)
    not_ranked = " · not comparable" if compared.reasons else ""
    axes.set_title(f"Runs compared{not_ranked}", loc="left")
    figure.legend(loc="outside lower left", ncols=min(4, len(compared.names)), frameon=False)
    return figure
