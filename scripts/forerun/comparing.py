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
#: One for each run, beside its colour.
MARKS = "osD^vPX*"
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
    """Draw the models' errors in each run: a row per model, a mark per run."""
    from matplotlib.lines import Line2D

    from forerun.palette import COLOURS
    from forerun.plots.diagnostics import PERCENT, metric_label
    from forerun.plots.page import Page
    from forerun.plots.style import style
    from forerun.plots.text import Numbers, fit_text

    rows = {m: v for m, v in compared.scores[metric].items() if m != "best model"}
    room = 9.0 / len(compared.names) - 0.6
    with style():
        keys = [
            Line2D([], [], color=COLOURS[n % len(COLOURS)], marker=MARKS[n % len(MARKS)],
                   linestyle="none", markersize=7, label=fit_text(name, room, 9))
            for n, name in enumerate(compared.names)
        ]  # fmt: skip
        page = Page(
            "Runs compared",
            "Means over series and windows, lower is better"
            + (" · not comparable: " + "; ".join(compared.reasons) if compared.reasons else ""),
            size=(10.0, 0.75 + 0.29 * len(rows)), keys=keys,
        )  # fmt: skip
        axes = page.panels[0]
        for number, key in enumerate(keys):
            told = [(v[number], place) for place, v in enumerate(rows.values())]
            points = [(error, place) for error, place in told if error is not None]
            axes.plot([x for x, _ in points], [y for _, y in points], linestyle="none",
                      marker=key.get_marker(), color=key.get_color(), markersize=7)  # fmt: skip
        axes.set_yticks(range(len(rows)), [fit_text(name, 2.2, 9) for name in rows])
        axes.set_ylim(len(rows) - 0.4, -0.6)
        axes.xaxis.set_major_formatter(Numbers(metric in PERCENT))
        axes.set_xlabel(metric_label(metric, None))
        page.place()
    return page.figure


def write(compared: Compared, metric: str, path: Path) -> None:
    """Write the picture of :func:`draw`; the name's ending says in which format."""
    from forerun.plots.style import DPI, style

    path.parent.mkdir(parents=True, exist_ok=True)
    with style():
        draw(compared, metric).savefig(path, dpi=DPI)
